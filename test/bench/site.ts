/** A temporary directory with files, an archive and a configuration; and input that is made once and kept for the next run. */

import { Redis } from 'ioredis'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startGleaner } from '../support/process.ts'
import type { Process } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'

export interface Bench {
  dir: string
  files: string
  archive: string
  config: string
  /** The command line of gleaner itself: program, then arguments. */
  gleaner: (...args: string[]) => [string, string[]]
  configure: (more?: Record<string, unknown>, root?: Record<string, unknown>) => Promise<void>
  emptyArchive(): Promise<void>
  run: (env?: Record<string, string>) => Promise<Process>
  /** A Redis of its own, which ends with the benchmark. */
  redis: () => Promise<{ url: string; client: Redis }>
  defer: (close: () => Promise<unknown>) => void
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const kept = join(tmpdir(), 'gleaner-bench')

/** Gives `body` a site, and takes everything away afterwards. */
export async function withBench<T>(body: (bench: Bench) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'gleaner-bench-run-'))
  const deferred: (() => Promise<unknown>)[] = []
  const [files, archive, config] = [join(dir, 'files'), join(dir, 'archive'), join(dir, 'gleaner.yaml')]
  const emptyArchive = async (): Promise<void> => {
    await rm(archive, { recursive: true, force: true })
    await mkdir(archive)
  }
  await mkdir(files)
  await emptyArchive()
  const bench: Bench = {
    dir,
    files,
    archive,
    config,
    emptyArchive,
    gleaner: (...args) => [process.execPath, [main, '--config', config, ...args]],
    async configure(more = {}, root = {}) {
      const roots = [{ name: 'bench', path: files, format: 'lines', remote: false, ...root }]
      await writeFile(config, JSON.stringify({ archive: `file://${archive}`, serve: { port: 0 }, roots, ...more }))
    },
    async run(env = {}) {
      const one = startGleaner(['--config', config, 'run'], { log: join(dir, `run${deferred.length}`), env })
      deferred.push(async () => {
        one.kill('SIGKILL')
        await one.ended
      })
      await one.said('"running"')
      return one
    },
    async redis() {
      const server = await startRedis()
      const client = new Redis(server.url)
      deferred.push(async () => {
        client.disconnect()
        await server.stop()
      })
      return { url: server.url, client }
    },
    defer: (close) => void deferred.push(close),
  }
  try {
    return await body(bench)
  } finally {
    for (const close of deferred.toReversed()) await close()
    await rm(dir, { recursive: true, force: true })
  }
}

/** About `bytes` of lines, by default like LSF's JOB_FINISH, some 1 KB each, in one file that is made once. */
export async function accountingFile(bytes: number, name = 'acct', line = jobLine): Promise<string> {
  const file = join(kept, `${name}-${bytes}`)
  if (existsSync(file)) return file
  await mkdir(kept, { recursive: true })
  const handle = await open(`${file}.part`, 'w')
  let size = 0
  for (let job = 1; size < bytes; ) {
    const lines: string[] = []
    for (let n = 0; n < 2000; n++) lines.push(line(job++))
    const piece = Buffer.from(lines.join(''))
    await handle.write(piece)
    size += piece.length
  }
  await handle.close()
  await rename(`${file}.part`, file)
  return file
}

const pick = (seed: number, modulus: number): number => (Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) >>> 8) % modulus

export function jobLine(job: number): string {
  const at = 1_700_000_000 + job * 3
  const user = `user${pick(job, 400)}`
  const hosts = Array.from({ length: 1 + pick(job + 7, 8) }, (_, n) => `"node${1000 + pick(job + n, 900)}"`)
  const usage = Array.from({ length: 18 }, (_, n) => (pick(job * 31 + n, 1_000_000) / 977).toFixed(6)).join(' ')
  const command = `/cluster/apps/tool-${pick(job + 3, 40)}/bin/run --input /scratch/${user}/case${pick(job + 5, 5000)}/data.h5 --seed ${pick(job, 99_999)}`
  const padding = '-1 "" "" "" 0 '.repeat(18 + pick(job + 11, 12))
  return `"JOB_FINISH" "10.108" ${at + 900} ${job} ${20_000 + pick(job, 400)} 33816595 ${hosts.length} ${at} 0 0 ${at + 30} "${user}" "queue${pick(job, 12)}" "span[hosts=1] rusage[mem=${1024 * (1 + pick(job, 64))}]" "" "" "login${pick(job, 6)}" "/home/${user}/projects/p${pick(job, 60)}" "" "out.%J" "" "${at}.${job}" 0 ${hosts.length} ${hosts.join(' ')} 64 ${((job % 7) + 0.5).toFixed(1)} "" "${command.replaceAll('"', '""')}" ${usage} ${padding}"default" 0 ${hosts.length} "" "" 0 ${pick(job, 9_999_999)} ${pick(job + 2, 9_999_999)} "" "" "" "" 0\n`
}

/** `count` files of `bytes` each, a hundred to a directory. */
export async function makeFiles(directory: string, { count, bytes }: { count: number; bytes: number }): Promise<void> {
  for (let first = 0; first < count; first += 100) {
    const sub = join(directory, `d${String(first / 100)}`)
    await mkdir(sub)
    const numbers = Array.from({ length: Math.min(100, count - first) }, (_, n) => first + n)
    await Promise.all(numbers.map((n) => writeFile(join(sub, `job${n}.log`), fileText(n, bytes))))
  }
}

function fileText(number: number, bytes: number): string {
  const first = `file ${number} begins\n`
  const rest = jobLine(number)
    .replaceAll('\n', ' ')
    .repeat(1 + Math.ceil(bytes / 600))
  return bytes <= first.length ? first : `${first}${rest.slice(0, bytes - first.length - 1)}\n`
}
