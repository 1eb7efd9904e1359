/**
 * `npm run lab -- [FILESYSTEM...]`: Gleaner on two nodes of real shared filesystems. Three processes, each started by the one before:
 *
 *   outside   checks what it needs, and takes the lock: one lab at a time
 *   locked    removes what a killed lab left, installs packages, and tells what was found
 *   inside    in namespaces of its own, starts each filesystem and runs the scenarios on it
 *
 * The kernel ends each with the one before. Mounts, processes and network live in the namespaces, so they end with the lab however it ends; what
 * stays of one that was killed is its directory, which the next one removes.
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import type { Result } from './matrix.ts'
import { isPassed, markdownOf } from './matrix.ts'
import type { LabOptions } from './options.ts'
import { optionsOf, usage } from './options.ts'
import { installed, uninhibited } from './packages.ts'
import { runAll } from './run.ts'

/** Everything that it writes on this machine, but packages. */
const base = process.env['GLEANER_LAB_DIR'] ?? '/var/tmp/gleaner-lab'
const [owner, work, found] = [join(base, 'owner'), join(base, 'work'), join(base, 'results.json')]
const always = ['redis-server', 'zstd', 'iproute2', 'procps']
const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc', '--net']
const taken = 75

const options = parsed()
if (options.help) process.stdout.write(usage)
else if (options.stage === 'inside') await inside(options)
else if (options.stage === 'locked') await locked(options)
else await outside(options)

async function outside(wanted: LabOptions): Promise<void> {
  refuse(wanted)
  mkdirSync(base, { recursive: true })
  const flock = ['flock', '--no-fork', '--nonblock', '--conflict-exit-code', String(taken), base]
  const status = await stage('locked', flock)
  if (status === taken) {
    const by = existsSync(owner) ? ` (process ${readFileSync(owner, 'utf8').trim()})` : ''
    stop(`another lab is at work in ${base}${by}; wait for it, or end it`)
  }
  process.exitCode = status
}

async function locked({ filesystems, json, keep, rounds, seconds }: LabOptions): Promise<void> {
  const left = readdirSync(base)
  if (left.length > 0) say(`removing what an earlier lab left in ${base}`)
  for (const one of left) rmSync(join(base, one), { recursive: true, force: true })
  uninhibited()
  writeFileSync(owner, `${process.pid}\n`)
  let unable = 2
  try {
    installed([...always, ...filesystems.flatMap(({ packages }) => packages)])
    mkdirSync(work)
    for (const { name, prepare } of filesystems) prepare?.(join(work, name))
    unable = 1
    const status = await stage('inside', ['unshare', ...namespaces])
    if (status !== 0) throw new Error(`the lab was ended before it was done (status ${status})`)
    const results = JSON.parse(readFileSync(found, 'utf8')) as Result[]
    process.stdout.write(
      json ? `${JSON.stringify(results, null, 2)}\n` : markdownOf(results, about({ rounds, seconds })),
    )
    process.exitCode = results.every(isPassed) ? 0 : 1
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = unable
  } finally {
    if (!keep) rmSync(base, { recursive: true, force: true })
  }
}

async function inside(wanted: LabOptions): Promise<void> {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  // What daemons leave there is gone with the namespace.
  execFileSync('mount', ['-t', 'tmpfs', 'run', '/run'])
  process.env['TMPDIR'] = join(work, 'tmp')
  mkdirSync(process.env['TMPDIR'])
  writeFileSync(found, JSON.stringify(await runAll(wanted.filesystems, work, { ...wanted, say })))
  // Daemons and stuck threads end with the namespace.
  process.exit(0)
}

/** Runs the next process through `starter`, and gives its status. It dies with this one; a signal to this one ends it. */
async function stage(name: LabOptions['stage'], starter: string[]): Promise<number> {
  const command = [...starter, process.execPath, import.meta.filename, ...process.argv.slice(2), '--stage', name]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], { stdio: ['ignore', 'inherit', 'inherit'] })
  // Inside is nothing that would have to be asked; locked tidies up.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => child.kill(name === 'inside' ? 'SIGKILL' : 'SIGTERM'))
  const [status] = (await once(child, 'exit')) as [number | null]
  return status ?? 1
}

function about(run: { rounds: number; seconds: number }): Parameters<typeof markdownOf>[1] {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return { date: new Date().toISOString().slice(0, 10), kernel: release(), version, ...run }
}

function parsed(): LabOptions {
  try {
    return optionsOf(process.argv.slice(2))
  } catch (error) {
    return stop(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
  }
}

/** What no lab can do without, and what the filesystems that are wanted cannot. */
function refuse({ filesystems }: LabOptions): void {
  if (process.getuid?.() !== 0) stop('it mounts filesystems, and needs root: sudo npm run lab')
  const remedies: Record<string, string> = {
    '/dev/fuse': 'modprobe fuse, or start the container with --device /dev/fuse',
    '/dev/net/tun': 'modprobe tun, or start the container with --device /dev/net/tun',
  }
  for (const { name, devices } of filesystems)
    for (const device of devices.filter((one) => !existsSync(one)))
      stop(`${name} needs ${device}, which is not there: ${remedies[device] ?? ''}; or name the filesystems to try`)
  try {
    execFileSync('unshare', [...namespaces, 'true'], { stdio: 'pipe' })
  } catch (error) {
    stop(`it needs namespaces of its own, and unshare says: ${String((error as { stderr?: unknown }).stderr).trim()}`)
  }
}

function say(text: string): void {
  process.stderr.write(`lab: ${text}\n`)
}

function stop(text: string): never {
  say(text)
  process.exit(2)
}
