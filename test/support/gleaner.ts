import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { zstdDecompressSync } from 'node:zlib'

/** A directory with `logs`, `archive` and `gleaner.yaml`, and gleaner as a real process on it. */
export interface Site {
  dir: string
  logs: string
  archive: string
  config: string
  /** Writes gleaner.yaml: one root `r` over `logs`, short settling times, and what is given over it. */
  configure: (more?: Record<string, unknown>, root?: Record<string, unknown>) => Promise<void>
  /** Runs `gleaner --config ... ARGS` to its end. */
  gleaner: (...args: string[]) => Promise<Ended>
  /** Starts it and resolves when its log says `said`. */
  start: (args: string[], said: string) => Promise<Started>
  /** Every source's archived bytes, as text, in order of the text. */
  archived: () => Promise<string[]>
  close(): Promise<void>
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Started {
  pid: number
  kill(signal: NodeJS.Signals): void
  stderr(): string
  /** Resolves when the log says `text`, from `from` characters on. */
  said(text: string, from?: number): Promise<void>
  ended: Promise<Ended>
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export async function openSite(): Promise<Site> {
  const dir = await mkdtemp(join(tmpdir(), 'gleaner-site-'))
  const [logs, archive, config] = [join(dir, 'logs'), join(dir, 'archive'), join(dir, 'gleaner.yaml')]
  await mkdir(logs)
  await mkdir(archive)
  const started: Started[] = []
  const launch = (args: string[]): Started => {
    const one = startProcess(dir, ['--config', config, ...args])
    started.push(one)
    return one
  }
  const site: Site = {
    dir,
    logs,
    archive,
    config,
    async configure(more = {}, root = {}) {
      const settings = {
        archive: `file://${archive}`,
        serve: { port: 0 },
        roots: [{ name: 'r', path: logs, format: 'lines', remote: false, ...root }],
        settle: { read: '50ms', tail: '1s', final: '1h' },
        reconcile: { every: '300ms', fullEvery: '2s' },
        seal: { age: '300ms' },
        ...more,
      }
      await writeFile(config, JSON.stringify(settings))
    },
    gleaner: (...args) => launch(args).ended,
    async start(args, said) {
      const one = launch(args)
      await one.said(said)
      return one
    },
    archived: () => archivedSources(archive),
    async close() {
      for (const one of started) one.kill('SIGKILL')
      await Promise.all(started.map((one) => one.ended))
      await rm(dir, { recursive: true, force: true })
    },
  }
  await site.configure()
  return site
}

function startProcess(cwd: string, args: string[]): Started {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GLEANER_')))
  // The kernel ends it with its parent, also when the test process is killed. Without ava's preloads.
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', process.execPath, main, ...args],
    {
      cwd,
      env: { ...env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => void (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => void (stderr += data.toString()))
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }))
  return {
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    stderr: () => stderr,
    async said(text, from = 0) {
      while (!stderr.slice(from).includes(text)) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`it ended before it said ${text}: ${stderr}${stdout}`)
        await delay(10)
      }
    },
    ended,
  }
}

/** Asks until the answer is yes; a test's own time-out ends it. */
export async function until(check: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await check())) await delay(30)
}

async function archivedSources(archive: string): Promise<string[]> {
  const root = join(archive, 'evidence', 'segments', 'r')
  const sources = await readdir(root).catch(() => [])
  const texts = await Promise.all(
    sources.map(async (source) => {
      const keys = (await readdir(join(root, source))).filter((name) => /^\d{16}\.zst$/.test(name)).sort()
      const objects = await Promise.all(keys.map((key) => readFile(join(root, source, key))))
      return Buffer.concat(objects.map((object) => zstdDecompressSync(object))).toString()
    }),
  )
  return texts.filter((text) => text !== '').sort()
}
