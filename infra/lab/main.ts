/**
 * `npm run lab -- [FILESYSTEM...]`: Gleaner on two nodes of real shared filesystems.
 *
 *   outside   checks what it needs, installs packages, takes the lock, and starts itself again in namespaces of its own
 *   inside    starts each filesystem, runs the scenarios on it, and writes what it found
 *
 * Mounts, processes and network live in those namespaces, so they end with the lab however it ends; what stays of one that was killed is
 * its directory, which the next one removes.
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { filesystems, scenarios } from './all.ts'
import type { Result } from './matrix.ts'
import { isPassed, markdownOf } from './matrix.ts'
import { installed } from './packages.ts'
import { runAll } from './run.ts'

const base = '/var/tmp/gleaner-lab'
const always = ['redis-server', 'zstd', 'curl', 'iproute2', 'procps']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '30' },
    only: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
    inside: { type: 'boolean', default: false },
  },
})

if (values.inside) await inside()
else await outside()

async function inside(): Promise<void> {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const only = values.only === '' ? scenarios : scenarios.filter(({ name }) => values.only.split(',').includes(name))
  const options = { rounds: Number(values.rounds), seconds: Number(values.seconds), scenarios: only, say }
  const results = await runAll(chosen(), join(base, 'work'), options)
  writeFileSync(join(base, 'results.json'), JSON.stringify(results))
  // Daemons and stuck threads end with the namespace.
  process.exit(0)
}

async function outside(): Promise<void> {
  const wanted = chosen()
  refuse()
  takeLock()
  try {
    installed([...always, ...wanted.flatMap(({ packages }) => packages)])
    rmSync(join(base, 'work'), { recursive: true, force: true })
    mkdirSync(join(base, 'work'))
    const namespaces = [
      '--mount',
      '--propagation',
      'private',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      '--net',
    ]
    const command = [process.execPath, import.meta.filename, ...process.argv.slice(2), '--inside']
    const child = spawn('unshare', [...namespaces, ...command], { stdio: ['ignore', 'inherit', 'inherit'] })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGKILL'))
    const [status] = (await once(child, 'exit')) as [number | null]
    if (status !== 0) throw new Error(`the lab ended with ${status ?? 'a signal'}`)
    tell(JSON.parse(readFileSync(join(base, 'results.json'), 'utf8')) as Result[])
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  } finally {
    rmSync(values.keep ? join(base, 'lock') : base, { recursive: true, force: true })
  }
}

function tell(results: Result[]): void {
  const date = new Date().toISOString().slice(0, 10)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`)
  else process.stdout.write(markdownOf(results, { date, kernel: release(), version }))
  process.exitCode = results.every(isPassed) ? 0 : 1
}

function chosen() {
  const unknown = positionals.filter((name) => !filesystems.some((one) => one.name === name))
  if (unknown.length > 0)
    stop(`no filesystem ${unknown.join(', ')}; there are ${filesystems.map(({ name }) => name).join(', ')}`)
  return positionals.length === 0 ? filesystems : filesystems.filter(({ name }) => positionals.includes(name))
}

/** What no lab can do without. */
function refuse(): void {
  if (process.getuid?.() !== 0) stop('it mounts filesystems, and needs root: sudo npm run lab')
  if (!existsSync('/dev/fuse'))
    stop('there is no /dev/fuse here: modprobe fuse, or start the container with --device /dev/fuse')
  try {
    execFileSync('unshare', ['--mount', '--pid', '--fork', '--net', 'true'], { stdio: 'pipe' })
  } catch (error) {
    stop(`it needs namespaces of its own, and unshare says: ${String((error as { stderr?: unknown }).stderr).trim()}`)
  }
}

/** One lab at a time. A lock whose process is gone is what a killed lab left. */
function takeLock(): void {
  mkdirSync(base, { recursive: true })
  const lock = join(base, 'lock')
  const owner = existsSync(lock) ? readFileSync(lock, 'utf8').trim() : ''
  if (owner !== '' && isLab(owner)) stop(`another lab is at work (process ${owner}); wait for it, or end it`)
  if (owner !== '') say(`removing what lab ${owner} left`)
  rmSync(base, { recursive: true, force: true })
  mkdirSync(base)
  writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' })
}

function isLab(pid: string): boolean {
  const file = `/proc/${pid}/cmdline`
  return existsSync(file) && readFileSync(file, 'utf8').includes('lab/main.ts')
}

function say(text: string): void {
  process.stderr.write(`lab: ${text}\n`)
}

function stop(text: string): never {
  say(text)
  process.exit(2)
}
