/**
 * `gleaner demo` (what `npm start` runs): everything at work within seconds, with nothing installed and nothing configured. A simulated cluster
 * writes and rotates an accounting file, a collector in the same process follows it, and at the end the archive is held against what was written.
 * With `--path DIR` it collects a real directory instead. The archive is a directory, there is no Redis, and settling times are short.
 */

import type { Command } from 'commander'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RootConfig } from '../config/model.ts'
import { parseLocation } from '../config/location.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { beginArchive } from '../roles/archive-ready.ts'
import type { RootContext } from '../roles/context.ts'
import { freezeRules } from '../roles/rules.ts'
import type { RunningRoot } from '../roles/run.ts'
import { startRoot } from '../roles/run.ts'
import { wantedRules } from '../roles/settings.ts'
import { openThrottle } from '../roles/throttle.ts'
import type { App } from './app.ts'
import type { DemoCluster } from './demo-cluster.ts'
import { startCluster } from './demo-cluster.ts'
import { checkFiles, checkGenerations } from './demo-check.ts'
import type { Tally, View } from './demo-view.ts'
import { openView } from './demo-view.ts'
import { bytesText } from './output.ts'

const linesEveryMs = 400
const rotateEveryMs = 9000

interface DemoFlags {
  path?: string
  format: string
  archive?: string
  seconds?: number
}

interface Place {
  config: string
  logs: string
  archive: string
}

export function demoCommand(program: Command, app: App): void {
  program
    .command('demo')
    .description('a live demonstration, with a simulated cluster or on a directory of yours')
    .option('--path <dir>', 'collect this directory instead; it is only read')
    .option('--format <name>', 'the format of its files', 'lines')
    .option('--archive <dir>', 'where the archive goes; a new temporary directory unless given')
    .option('--seconds <n>', 'end after so long', Number)
    .action((flags: DemoFlags) => demo(app, flags))
}

async function demo(app: App, flags: DemoFlags): Promise<void> {
  const place = prepare(flags)
  app.useFlags({ file: place.config })
  const [root] = await app.roots()
  if (!root) return
  const ending = endOf(app, flags.seconds)
  const store = await app.store()
  await beginArchive({ store, clock: app.clock, random: () => `${process.pid}demo` })
  await freezeRules({ store, clock: app.clock }, wantedRules(root))
  const tally: Tally = {
    written: flags.path === undefined ? 0 : null,
    records: 0,
    segments: 0,
    anomalies: 0,
    startedMs: app.clock.monotonicMs(),
  }
  const opened = await app.context(root)
  const events: { view: View | null } = { view: null }
  const told = (event: string): void => events.view?.event(event)
  const context = { ...opened, telemetry: watching(opened.telemetry, tally, told) }
  const running = await start(app, context, root)
  const title =
    flags.path === undefined ? 'Gleaner, collecting from a simulated cluster' : `Gleaner, collecting ${root.path}`
  const view = openView(
    { title, worker: running.worker, tally, nowMs: () => app.clock.monotonicMs() },
    app.json ? process.stderr : process.stdout,
  )
  events.view = view
  const cluster =
    flags.path === undefined ? startCluster({ directory: place.logs, linesEveryMs, rotateEveryMs, told }) : null
  const counting = setInterval(() => count(tally, cluster), 200)
  await ending
  cluster?.stop()
  await running.stop(8000)
  clearInterval(counting)
  count(tally, cluster)
  view.close()
  await conclude(app, { context, running, cluster, place })
}

function count(tally: Tally, cluster: DemoCluster | null): void {
  if (cluster !== null) tally.written = cluster.lines
}

/** A configuration file like any other, so that every command can be used on the archive afterwards. */
function prepare({ path, format, archive }: DemoFlags): Place {
  const home = mkdtempSync(join(tmpdir(), 'gleaner-demo-'))
  const logs = path === undefined ? join(home, 'logdir') : resolve(path)
  if (path === undefined) mkdirSync(logs)
  const config = join(home, 'gleaner.yaml')
  const url = archive?.includes(':') ? archive : pathToFileURL(resolve(archive ?? join(home, 'archive'))).href
  const place = parseLocation(url)
  if (typeof place !== 'string' && place.kind === 'directory') mkdirSync(place.path, { recursive: true })
  const root = { name: 'demo', path: logs, format, ...(path === undefined && { include: ['lsb.acct*'] }) }
  const settings = {
    archive: url,
    roles: ['listen', 'reconcile', 'work'],
    roots: [root],
    seal: { age: '2s' },
    settle: { tail: '3s', final: '30s' },
    reconcile: { every: '2s', fullEvery: '10s' },
    log: { level: 'fatal' },
  }
  // JSON is YAML.
  writeFileSync(config, `${JSON.stringify(settings, null, 2)}\n`)
  return { config, logs, archive: typeof place !== 'string' && place.kind === 'directory' ? place.path : url }
}

async function start(app: App, context: RootContext, root: RootConfig): Promise<RunningRoot> {
  const { reconcile, limits } = await app.config()
  const { repeat } = await app.schedule()
  return startRoot({
    context,
    roles: { listen: true, reconcile: true, work: true },
    inFlight: openThrottle(limits.storeBytesInFlight),
    openWatch: await app.openWatch(root),
    repeat: (repeated) => repeat(reconcile.every, repeated),
  })
}

/** Resolves after `seconds`, or at Ctrl-C; a second Ctrl-C ends the process at once. */
function endOf(app: App, seconds: number | undefined): Promise<void> {
  const stopping = new AbortController()
  const end = (): void => {
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort()
  }
  process.on('SIGINT', end).on('SIGTERM', end)
  return app.clock
    .delay(seconds === undefined || !(seconds >= 0) ? Number.POSITIVE_INFINITY : seconds * 1000, stopping.signal)
    .then(() => stopping.abort())
}

/** What the roles tell, as events for a person. */
function watching(telemetry: Telemetry, tally: Tally, told: (event: string) => void): Telemetry {
  return {
    ...telemetry,
    archived(root, segment) {
      tally.segments++
      tally.records += segment.lines
      told(
        `archived ${bytesText(segment.end - segment.start)} of ${segment.source.slice(0, 8)} (bytes ${segment.start} to ${segment.end})`,
      )
      telemetry.archived(root, segment)
    },
    anomaly(root, anomaly) {
      tally.anomalies++
      told(`ANOMALY ${anomaly.kind}: ${anomaly.detail}`)
      telemetry.anomaly(root, anomaly)
    },
    trouble(error, facts) {
      told(`trouble: ${error instanceof Error ? error.message : String(error)}`)
      telemetry.trouble(error, facts)
    },
    rootUp(root, up, reason) {
      if (!up) told(`the directory does not answer: ${reason ?? ''}`)
      telemetry.rootUp(root, up, reason)
    },
  }
}

interface End {
  context: RootContext
  running: RunningRoot
  cluster: DemoCluster | null
  place: Place
}

async function conclude(app: App, { context, running, cluster, place }: End): Promise<void> {
  const check =
    cluster === null ? await checkFiles(context, running.worker) : await checkGenerations(context, cluster.written())
  if (app.json) app.out(JSON.stringify({ ...check, archive: place.archive, config: place.config }))
  else {
    const gleaner = `node_modules/.bin/node src/main.ts --config ${place.config}`
    app.out(
      `\n${check.equal ? 'Every byte is in the archive, and equal.' : 'THE ARCHIVE DIFFERS from what was written.'} ${check.text}`,
    )
    app.out(`\nThe archive: ${place.archive}\nLook at it:\n  ${gleaner} sources\n  ${gleaner} verify`)
    if (check.example !== null) app.out(`  zstd -dc ${join(place.archive, check.example)}/*.zst | head`)
  }
  if (!check.equal) app.exit(3)
}
