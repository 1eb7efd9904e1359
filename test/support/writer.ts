/**
 * What a batch system does to its accounting files, as a process of its own:
 *
 *     node test/support/writer.ts ROOT TRUTH [LINES_PER_SECOND [ROTATE_EVERY_MS]]
 *
 * Appends lines to `ROOT/logdir/acct`, one write(2) each, some in two halves some milliseconds apart; rotates it in three ways in turn; and
 * leaves a small file per job in `ROOT/jobs`, every third without a newline at its end. No file is ever removed before its bytes are in
 * another one.
 *
 *   rename    acct.1 → acct.2 ..., acct → acct.1, a new acct. The old descriptor writes some more lines before it is closed
 *   copy      as LSF does: acct copied to acct.0, acct unlinked, a new one made, then acct.1 → acct.2 ..., acct.0 → acct.1
 *   truncate  acct.1 → acct.2 ..., acct copied to acct.1, and acct cut to nothing: the same inode begins anew
 *
 * The fifth and older ones are compressed to acct.5.gz. Between the steps it pauses, and copies are made in two pieces, so that others see what lies between. Half of the generations begin
 * with the same line. On SIGTERM it finishes its line and writes what each file's content was to `TRUTH/<name>`: one for each
 * generation of acct and for each job. Then it prints `{"lines": N, "rotations": N}` and exits.
 */

import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'

const [root = '', truth = '', rate = '3000', rotateEveryMs = '1500'] = process.argv.slice(2)
const logdir = join(root, 'logdir')
const jobs = join(root, 'jobs')
const active = join(logdir, 'acct')
const tickMs = 10
const jobEveryMs = 150
const pauseMs = 15
const compressFrom = 5

interface Generation {
  number: number
  lines: number
  content: Buffer[]
}

let generation: Generation = { number: 0, lines: 0, content: [] }
let [lines, rotations, jobCount] = [0, 0, 0]
let descriptor = -1
/** The half of a line that is not written yet. */
let rest: Buffer | null = null
const stopping = new AbortController()
process.on('SIGTERM', () => stopping.abort())

for (const directory of [logdir, jobs, truth]) mkdirSync(directory, { recursive: true })
descriptor = openSync(active, 'a')
await write()
finishLine()
keepTruth()
closeSync(descriptor)
process.stdout.write(`${JSON.stringify({ lines, rotations })}\n`)

async function write(): Promise<void> {
  const began = performance.now()
  let [rotateAt, jobAt] = [Number(rotateEveryMs), 0]
  while (!stopping.signal.aborted) {
    const now = performance.now() - began
    if (now >= rotateAt) {
      await rotate()
      rotateAt = performance.now() - began + Number(rotateEveryMs)
    }
    if (now >= jobAt) {
      writeJob()
      jobAt += jobEveryMs
    }
    finishLine()
    while (lines < (now * Number(rate)) / 1000 && rest === null) appendLine()
    await delay(tickMs)
  }
}

function appendLine(): void {
  finishLine()
  const line = lineOf(generation.number, generation.lines++)
  lines++
  generation.content.push(line)
  if (lines % 997 !== 0) return put(line)
  const half = 1 + (lines % (line.length - 1))
  put(line.subarray(0, half))
  rest = line.subarray(half)
}

function finishLine(): void {
  if (rest !== null) put(rest)
  rest = null
}

function put(bytes: Buffer): void {
  if (writeSync(descriptor, bytes) !== bytes.length) throw new Error('a short write')
}

function lineOf(number: number, line: number): Buffer {
  if (line === 0 && number % 2 === 1) return Buffer.from('# accounting begins\n')
  const filler = 'x'.repeat((number * 31 + line * 17) % 400)
  return Buffer.from(`"JOB_FINISH" "10.1" generation ${number} line ${line} ${filler}\n`)
}

async function rotate(): Promise<void> {
  const ways = [byRename, byCopy, byTruncate] as const
  const way = ways[rotations++ % ways.length] ?? byRename
  await way()
}

async function byRename(): Promise<void> {
  shift(1)
  renameSync(active, `${active}.1`)
  await delay(pauseMs)
  finishLine()
  for (let n = 0; n < 5; n++) appendLine()
  finishLine()
  closeSync(descriptor)
  descriptor = openSync(active, 'a')
  begin()
}

async function byCopy(): Promise<void> {
  finishLine()
  await copyInPieces(`${active}.0`)
  closeSync(descriptor)
  unlinkSync(active)
  await delay(pauseMs)
  descriptor = openSync(active, 'a')
  begin()
  for (let n = 0; n < 3; n++) appendLine()
  await delay(pauseMs)
  shift(0)
}

async function byTruncate(): Promise<void> {
  finishLine()
  shift(1)
  await copyInPieces(`${active}.1`)
  await delay(pauseMs)
  ftruncateSync(descriptor, 0)
  begin()
}

async function copyInPieces(to: string): Promise<void> {
  const bytes = readFileSync(active)
  const half = Math.floor(bytes.length / 2)
  writeFileSync(to, bytes.subarray(0, half))
  await delay(pauseMs)
  appendFileSync(to, bytes.subarray(half))
}

/** acct.n → acct.n+1, the highest first; what is old enough is compressed. */
function shift(from: number): void {
  const rotated = readdirSync(logdir)
    .map((name) => /^acct\.(\d+)(\.gz)?$/.exec(name))
    .flatMap((match) => (match === null ? [] : [{ number: Number(match[1]), suffix: match[2] ?? '' }]))
    .filter(({ number }) => number >= from)
    .sort((a, b) => b.number - a.number)
  for (const { number, suffix } of rotated) {
    renameSync(`${active}.${number}${suffix}`, `${active}.${number + 1}${suffix}`)
    if (number + 1 >= compressFrom && suffix === '') compress(`${active}.${number + 1}`)
  }
}

function compress(file: string): void {
  writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 1 }))
  unlinkSync(file)
}

function begin(): void {
  keepTruth()
  generation = { number: generation.number + 1, lines: 0, content: [] }
}

function keepTruth(): void {
  const name = `acct-${String(generation.number).padStart(4, '0')}`
  writeFileSync(join(truth, name), Buffer.concat(generation.content))
}

function writeJob(): void {
  const name = `job-${String(jobCount).padStart(5, 'j')}`
  const text = Array.from({ length: 1 + (jobCount % 4) }, (_, n) => `job ${jobCount} says ${n}\n`).join('')
  const content = jobCount % 3 === 2 ? text.slice(0, -1) : text
  const draft = join(jobs, name)
  if (jobCount % 5 === 0) writeFileSync(draft, '')
  appendFileSync(draft, content)
  writeFileSync(join(truth, name), content)
  jobCount++
}
