/**
 * A small cluster for the demonstration: one accounting file that grows by a job now and then and is rotated in the three ways that real ones
 * are. It keeps the digest of what it wrote into each generation, so that the archive can be held against it.
 *
 *     copy, unlink, rename   as LSF does: the rotated file is another inode
 *     rename                 as logrotate does
 *     copy and truncate      the active file stays the same inode, and becomes empty
 */

import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { appendFileSync, copyFileSync, existsSync, renameSync, rmSync, truncateSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

const generationsKept = 6
const users = ['ada', 'emil', 'grace', 'karin', 'linus', 'noor']
const queues = ['short', 'normal', 'long', 'gpu']

export interface Generation {
  bytes: number
  lines: number
  sha256: string
}

export interface DemoCluster {
  readonly lines: number
  /** All generations so far that hold something, the current one last. */
  written(): Generation[]
  stop(): void
}

export interface DemoClusterOptions {
  directory: string
  linesEveryMs: number
  rotateEveryMs: number
  told: (event: string) => void
}

interface Open {
  hash: Hash
  bytes: number
  lines: number
}

const rotations: { name: string; rotate: (active: string, first: string) => void }[] = [
  {
    name: 'copied, unlinked and renamed, as LSF does',
    rotate(active, first) {
      copyFileSync(active, `${active}.tmp`)
      unlinkSync(active)
      renameSync(`${active}.tmp`, first)
    },
  },
  { name: 'renamed', rotate: (active, first) => renameSync(active, first) },
  {
    name: 'copied and truncated',
    rotate(active, first) {
      copyFileSync(active, first)
      truncateSync(active, 0)
    },
  },
]

/** Writes from timers of this process until stopped. */
export function startCluster({ directory, linesEveryMs, rotateEveryMs, told }: DemoClusterOptions): DemoCluster {
  const active = join(directory, 'lsb.acct')
  const done: Generation[] = []
  let current: Open = open()
  let job = 1000
  let turns = 0

  const write = (): void => {
    const count = 1 + (job % 3)
    for (let n = 0; n < count; n++) {
      const line = jobFinish(++job, Math.floor(Date.now() / 1000))
      appendFileSync(active, line)
      current.hash.update(line)
      current.bytes += Buffer.byteLength(line)
      current.lines++
    }
  }
  const rotate = (): void => {
    const { name, rotate: turn } = rotations[turns++ % rotations.length] as (typeof rotations)[number]
    for (let n = generationsKept; n >= 1; n--) shift(active, n)
    turn(active, `${active}.1`)
    done.push(generationOf(current))
    current = open()
    told(`lsb.acct was ${name}`)
    write()
  }
  write()
  const timers = [setInterval(write, linesEveryMs), setInterval(rotate, rotateEveryMs)]
  return {
    get lines() {
      return done.reduce((sum, { lines }) => sum + lines, current.lines)
    },
    written: () => [...done, generationOf(current)].filter(({ bytes }) => bytes > 0),
    stop: () => timers.forEach((timer) => clearInterval(timer)),
  }
}

function shift(active: string, n: number): void {
  if (!existsSync(`${active}.${n}`)) return
  if (n === generationsKept) rmSync(`${active}.${n}`)
  else renameSync(`${active}.${n}`, `${active}.${n + 1}`)
}

function open(): Open {
  return { hash: createHash('sha256'), bytes: 0, lines: 0 }
}

function generationOf({ hash, bytes, lines }: Open): Generation {
  return { bytes, lines, sha256: hash.copy().digest('hex') }
}

/** One line in the manner of lsb.acct's JOB_FINISH; made up, and shorter than a real one. */
function jobFinish(job: number, now: number): string {
  const user = users[job % users.length] as string
  const queue = queues[job % queues.length] as string
  const seconds = 30 + ((job * 7919) % 5000)
  const fields = ['"JOB_FINISH"', '"10.1"', now, job, 2000 + (job % users.length), 33_816_578, 1 + (job % 16)]
  const rest = [
    now - seconds - 20,
    0,
    0,
    now - seconds,
    `"${user}"`,
    `"${queue}"`,
    '""',
    '""',
    '""',
    '"login1"',
    `"/home/${user}"`,
  ]
  return `${[...fields, ...rest, `"job ${job}"`, 64, (seconds * 0.93).toFixed(6), (seconds * 0.02).toFixed(6)].join(' ')}\n`
}
