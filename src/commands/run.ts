/**
 * `gleaner run`: the roles of every root in this process, until SIGTERM or SIGINT.
 *
 *   start     serve (so that probes get an answer at once) ─ probe the store, again until it answers ─ freeze the rules ─ roots
 *   digests   made beside the roots by every process that archives, where `sign` names a key
 *   SIGHUP    read the configuration again; roots that changed are started anew, others go on. A bad file changes nothing
 *   SIGTERM   stop listening and passing, drain for at most 8 s, close, exit 0. A second signal exits at once with 130
 */

import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import type { Config, Role, RootConfig } from '../config/model.ts'
import { GleanerError, isGleanerError, messageOf } from '../errors.ts'
import { archiveReady } from '../roles/archive-ready.ts'
import type { RootContext } from '../roles/context.ts'
import { digestForEver } from '../roles/digest.ts'
import type { DigestNews } from '../roles/digest-news.ts'
import { noticingStore, openDigestNews } from '../roles/digest-news.ts'
import { anomaliesOf } from '../roles/journal.ts'
import { freezeRules } from '../roles/rules.ts'
import { whenQuiet } from '../roles/quiet.ts'
import type { RunningRoot } from '../roles/run.ts'
import { startRoot } from '../roles/run.ts'
import type { Serving } from '../roles/serve.ts'
import { snapshotOf } from '../roles/snapshot.ts'
import { wantedRules } from '../roles/settings.ts'
import { openThrottle } from '../roles/throttle.ts'
import type { Throttle } from '../roles/throttle.ts'
import type { App, Log } from './app.ts'
import { signingKeyOf } from './digest.ts'
import { scheduleBuilds } from './table-builds.ts'

const drainMsMax = 8000
const digestEndMs = 2000
const anomaliesEveryMs = 10 * 60_000

export function runCommand(program: Command, app: App): void {
  program
    .command('run')
    .description('run the roles until SIGTERM, then drain and exit')
    .option('--roles <list>', 'of listen,reconcile,work,serve', (text: string) =>
      text.split(',').map((name) => name.trim()),
    )
    .option('--path <dir>', 'collect this directory; with --format and --archive, instead of a configuration file')
    .option('--format <name>', 'the format of its files')
    .option('--archive <url>', 'where the archive is: a directory, file:// or s3://')
    .action(async (flags: { roles?: string[]; path?: string; format?: string; archive?: string }) => {
      app.useFlags(flags)
      await run(app)
    })
}

interface Running {
  config: Config
  context: RootContext
  root: RunningRoot
  /** What it was started with: another text means another start. */
  settings: string
}

interface Collector {
  app: App
  log: Log
  /** The configured roots, running or not. */
  wanted: string[]
  running: Map<string, Running>
  /** One bound for all roots. */
  inFlight: Throttle
  /** Null: no digests are made here. */
  news: DigestNews | null
}

async function run(app: App): Promise<void> {
  const config = await app.config()
  refuseDeafWorker(config)
  const log = await app.log()
  const stopping = new AbortController()
  const signals = hearSignals(log, stopping)
  const notReady = new Set(['the archive has not been probed yet'])
  const collector: Collector = {
    app,
    log,
    wanted: config.roots.map(({ name }) => name),
    running: new Map(),
    inFlight: openThrottle(config.limits.storeBytesInFlight),
    news: makesDigests(config) ? openDigestNews(app.clock) : null,
  }
  const serving = config.roles.includes('serve') ? await serve(collector, notReady) : null
  let digests = Promise.resolve()
  try {
    log.info(
      { roots: config.roots.map(({ name }) => name), roles: config.roles, archive: config.archive.url },
      'starting',
    )
    void tellOfRedis(app)
    if (await ready(app, stopping.signal)) {
      notReady.clear()
      await apply(collector, config, { first: true })
      log.info({}, 'running')
      void stayAlive(app, stopping.signal)
      void countAnomalies(app, stopping.signal)
      void stayLean(app, stopping.signal)
      digests = makeDigests(collector, config, stopping.signal)
      const builds = await scheduleBuilds(app, config)
      await serveSignals(collector, signals, stopping.signal)
      await builds.stop()
    }
  } finally {
    await stopAll(collector)
    // One that is being made is made to its end, if that is soon; otherwise the next process makes it.
    await Promise.race([digests, app.clock.delay(digestEndMs)])
    await serving?.close()
    signals.close()
    log.info({}, 'stopped')
  }
}

/** Tells the service manager that this process is ready, that it lives, and that it stops. */
async function stayAlive(app: App, signal: AbortSignal): Promise<void> {
  const notify = await app.notify()
  notify.tell('ready')
  signal.addEventListener('abort', () => notify.tell('stopping'), { once: true })
  // The event loop turns: no more is said, since mounts, Redis and the store may be away without any fault of this process.
  while (!signal.aborted && notify.watchdogMs !== null) {
    notify.tell('alive')
    await app.clock.delay(notify.watchdogMs / 3, signal)
  }
}

async function stayLean(app: App, signal: AbortSignal): Promise<void> {
  const usage = (): { cpuMs: number; rssBytes: number } => {
    const { user, system } = process.cpuUsage()
    return { cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() }
  }
  try {
    await whenQuiet({ clock: app.clock, usage }, await app.givingBackMemory(), signal)
  } catch (error) {
    // It needs more memory, then.
    ;(await app.log()).debug({ error: messageOf(error) }, 'memory is not given back')
  }
}

/** How many anomalies nobody has acknowledged, for the metrics. */
async function countAnomalies(app: App, signal: AbortSignal): Promise<void> {
  const [store, telemetry] = [await app.store(), await app.telemetry()]
  while (!signal.aborted) {
    try {
      const all = await Promise.all((await app.roots()).map(({ name }) => anomaliesOf(store, name)))
      const open = all.flat().filter(({ acknowledged }) => acknowledged === null)
      const counts = Object.entries(Object.groupBy(open, ({ kind }) => kind)).map(([kind, some]) => [kind, some.length])
      const newest = open
        .sort((a, b) => Date.parse(b.at) - Date.parse(a.at))
        .map(({ root, kind, source, path, detail, id }) => ({ root, kind, subject: path || source, detail, id }))
      telemetry.openAnomalies(Object.fromEntries(counts), newest)
    } catch (error) {
      telemetry.trouble(error, { role: 'run' })
    }
    await app.clock.delay(anomaliesEveryMs, signal)
  }
}

/** Every process that archives makes digests: none must be up for another's sake. */
function makesDigests({ sign, roles }: Config): boolean {
  return sign !== null && roles.some((role) => role !== 'serve')
}

async function makeDigests({ app, news, running }: Collector, config: Config, signal: AbortSignal): Promise<void> {
  const key = signingKeyOf(config)
  if (news === null || key === null || config.sign === null) return
  const [store, feed, telemetry] = await Promise.all([app.store(), app.feed(), app.telemetry()])
  // Nobody tells of what a process created that is gone.
  news.missed = feed === null
  const { everyMs } = config.sign
  const roots = (): string[] => [...running.keys()]
  await digestForEver(
    { store, feed, telemetry, roots, news, key, everyMs, clock: app.clock, node: config.node },
    signal,
  )
}

/** Signals come from the stream; without one, a process with nothing but `work` would never hear of anything. */
function refuseDeafWorker({ roles, redis }: Config): void {
  if (redis !== null || roles.includes('listen') || roles.includes('reconcile')) return
  const message = `the roles ${roles.join(', ')} need redis; add it, or the roles listen or reconcile`
  throw new GleanerError('config-invalid', { operation: 'run', subject: 'roles', message })
}

async function serve(collector: Collector, notReady: Set<string>): Promise<Serving> {
  const { app, log } = collector
  const { serve: served, node, redis } = await app.config()
  const { host, port, token } = served
  const seen = await app.seen()
  const ready = (): { ok: boolean; reasons: string[] } => ({ ok: notReady.size === 0, reasons: [...notReady] })
  const snapshot = (): object => {
    const process = { node, version: app.version, ready: ready(), publishes: redis !== null }
    if (seen === null) return process
    return snapshotOf(process, seen(collector.wanted), (root) => collector.running.get(root)?.root.worker)
  }
  const telemetry = await app.telemetry()
  // Only here: an HTTP server is two megabytes, and a sidecar that listens has none.
  const { startServe } = await import('../roles/serve.ts')
  const serving = await startServe({ host, port, token: token?.reveal(), telemetry, ready, snapshot })
  log.info({ url: serving.url }, 'serving')
  return serving
}

async function ready(app: App, signal: AbortSignal): Promise<boolean> {
  const telemetry = await app.telemetry()
  const beginning = { store: await app.store(), clock: app.clock, random: () => randomBytes(16).toString('hex') }
  return archiveReady(beginning, signal, (error) => telemetry.trouble(error, { role: 'start' }))
}

/** Loudly, once: what is found wrong later stops publishing by itself (roles/feed-gate.ts). */
async function tellOfRedis(app: App): Promise<void> {
  const telemetry = await app.telemetry()
  try {
    const check = await app.checkRedis()
    if (check === null || check.ok) return
    const message = `nothing is published: ${check.problems.join('; ')}`
    telemetry.trouble(new GleanerError('redis-unfit', { operation: 'check', subject: 'redis', message }), {})
  } catch (error) {
    telemetry.trouble(error, { role: 'start' })
  }
}

/** What one root's machinery depends on. Everything else takes effect at the next start of the process. */
function settingsOf({ seal, settle, limits, reconcile, feed }: Config, root: RootConfig): string {
  return JSON.stringify([root, seal, settle, limits, reconcile, feed])
}

function processSettingsOf(config: Config): string {
  const { archive, derived, s3, redis, node, roles, serve: served, tables, sign, log } = config
  return JSON.stringify([archive, derived, s3, redis, node, roles, served, tables, sign, log])
}

/**
 * Starts, stops and restarts roots until they are what the configuration says. A root whose rules the archive refuses ends the process at its
 * start; later the old one goes on, and the rest is applied.
 */
async function apply(collector: Collector, config: Config, { first }: { first: boolean }): Promise<void> {
  const { running, log } = collector
  collector.wanted = config.roots.map(({ name }) => name)
  const wanted = new Map(config.roots.map((root) => [root.name, root]))
  for (const name of [...running.keys()].filter((one) => !wanted.has(one))) await stopOne(collector, name)
  for (const root of config.roots) {
    const settings = settingsOf(config, root)
    if (running.get(root.name)?.settings === settings) continue
    try {
      const context = await prepare(collector, root)
      if (running.has(root.name)) await stopOne(collector, root.name)
      running.set(root.name, { config, context, settings, root: await start(collector, context, { config, root }) })
      if (!first) log.info({ root: root.name }, 'root started anew')
    } catch (error) {
      if (first) throw error
      ;(await collector.app.telemetry()).trouble(error, { root: root.name, role: 'run' })
    }
  }
}

async function prepare({ app }: Collector, root: RootConfig): Promise<RootContext> {
  await freezeRules({ store: await app.store(), clock: app.clock }, wantedRules(root))
  return app.context(root)
}

async function start(
  { app, inFlight, news }: Collector,
  context: RootContext,
  { config, root }: { config: Config; root: RootConfig },
): Promise<RunningRoot> {
  const has = (role: Role): boolean => config.roles.includes(role)
  const { repeat } = await app.schedule()
  return startRoot({
    context: news === null ? context : { ...context, store: noticingStore(context.store, news), news },
    roles: { listen: has('listen'), reconcile: has('reconcile'), work: has('work') },
    inFlight,
    openWatch: await app.openWatch(root),
    repeat: (repeated) => repeat(config.reconcile.every, repeated),
  })
}

async function stopOne({ app, running, log }: Collector, name: string): Promise<void> {
  const one = running.get(name)
  running.delete(name)
  if (!one) return
  await one.root.stop(drainMsMax)
  await app.closeContext(one.context)
  log.info({ root: name }, 'root stopped')
}

/** Roots drain side by side; their threads are ended with the process. */
async function stopAll({ running, log }: Collector): Promise<void> {
  const stopped = [...running].map(async ([name, { root }]) => {
    const left = await root.stop(drainMsMax)
    if (left > 0) log.warn({ root: name, files: left }, 'not drained in time; the next process goes on')
  })
  await Promise.all(stopped)
}

interface Heard {
  /** Resolves at the next SIGHUP. */
  hup(): Promise<void>
  close(): void
}

function hearSignals(log: Log, stopping: AbortController): Heard {
  let wake = Promise.withResolvers<void>()
  const end = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(130)
    log.info({ signal }, 'stopping')
    stopping.abort()
  }
  const hup = (): void => wake.resolve()
  process.on('SIGTERM', end).on('SIGINT', end).on('SIGHUP', hup)
  return {
    async hup() {
      await wake.promise
      wake = Promise.withResolvers()
    },
    close: () => void process.off('SIGTERM', end).off('SIGINT', end).off('SIGHUP', hup),
  }
}

/** Until the process is told to stop. */
async function serveSignals(collector: Collector, heard: Heard, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<'stop'>((resolve) => {
    if (signal.aborted) resolve('stop')
    signal.addEventListener('abort', () => resolve('stop'), { once: true })
  })
  while ((await Promise.race([aborted, heard.hup()])) !== 'stop') await reload(collector)
}

async function reload(collector: Collector): Promise<void> {
  const { app, log } = collector
  const before = await app.config()
  const notify = await app.notify()
  notify.tell('reloading')
  try {
    const config = await app.reload()
    if (processSettingsOf(before) !== processSettingsOf(config)) {
      log.warn({}, 'only roots and limits are applied now; the other changes need a restart')
    }
    if (before.limits.storeBytesInFlight !== config.limits.storeBytesInFlight)
      collector.inFlight = openThrottle(config.limits.storeBytesInFlight)
    await apply(collector, config, { first: false })
    log.info({ roots: config.roots.map(({ name }) => name) }, 'configuration applied')
  } catch (error) {
    const remedy = isGleanerError(error) ? error.remedy : ''
    log.error({ remedy }, `the old configuration stays: ${messageOf(error) ?? ''}`)
  } finally {
    notify.tell('ready')
  }
}
