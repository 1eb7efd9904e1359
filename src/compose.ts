/**
 * The composition root: the one place, with `main.ts`, that picks adapters. Everything is opened when it is first asked for, and the
 * modules behind it are loaded then, so that a command pays for nothing that it does not use.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { systemClock } from './adapters/system-clock.ts'
import type { RedisAdapters } from './adapters/redis.ts'
import type { App, ExitStatus, Schedule } from './commands/app.ts'
import type { ConfigFlags } from './config.ts'
import type { Location } from './config/location.ts'
import type { Config, RedisConfig, RootConfig } from './config/model.ts'
import { GleanerError } from './errors.ts'
import type { Files } from './ports/files.ts'
import type { Store } from './ports/store.ts'
import type { Telemetry } from './ports/telemetry.ts'
import type { RootContext } from './roles/context.ts'

interface Globals {
  config?: string
  json?: boolean
  logLevel?: string
}

export interface Composition {
  /** Asked when a command runs, after the command line was parsed. */
  globals: () => Globals
  /** The command's name: what only `run` says at `info` is no news in the others. */
  command: string
}

const clock = systemClock

export function composeApp(composition: Composition): App & { readonly status: ExitStatus } {
  const version = packageVersion()
  const configured = openConfig(composition)
  const ports = openPorts(composition, configured.config, version)
  const contexts = openContexts(configured.config, ports)
  let status: ExitStatus = 0
  return {
    get json() {
      return composition.globals().json ?? false
    },
    get status() {
      return status
    },
    version,
    clock,
    env: process.env,
    ...configured,
    roots: async (name) => namedRoots(await configured.config(), name),
    store: ports.store,
    derived: ports.derived,
    feed: ports.feed,
    checkRedis: async () => (await ports.redis())?.check() ?? null,
    redisAccess: async (root) => (await ports.redis())?.access(root) ?? null,
    ...contexts,
    telemetry: ports.telemetry,
    async seen() {
      const status = await ports.status()
      return status && ((roots) => status.read(roots))
    },
    async openWatch(root) {
      const { openInotify } = await import('./adapters/inotify.ts')
      return () => openInotify({ root: root.name, path: root.path })
    },
    schedule,
    notify: async () => (await import('./adapters/systemd.ts')).openNotify(process.env),
    log: ports.log,
    givingBackMemory: async () => (await import('./adapters/memory.ts')).giveBackMemory,
    out: (text) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    write: writeOut,
    exit(next) {
      status = Math.max(status, next) as ExitStatus
    },
    async close() {
      const ended = await contexts.closeAll()
      await ports.close()
      return ended
    },
  }
}

function openConfig({ globals, command }: Composition): Pick<App, 'config' | 'useFlags' | 'reload'> {
  let flags: ConfigFlags & { file?: string } = {}
  let config: Promise<Config> | null = null
  const load = async (): Promise<Config> => {
    const { config: file, logLevel } = globals()
    const request = { file: flags.file ?? file, env: process.env, flags: { logLevel, ...flags } }
    // What stays for months keeps nothing of what it reads its configuration with.
    if (command === 'run') return (await import('./config/apart.ts')).loadConfigApart(request)
    return (await import('./config.ts')).loadConfig(request)
  }
  return {
    config: () => (config ??= load()),
    useFlags(given) {
      flags = { ...flags, ...given }
      config = null
    },
    async reload() {
      const next = await load()
      config = Promise.resolve(next)
      return next
    },
  }
}

type Ports = ReturnType<typeof openPorts>

function openPorts(composition: Composition, configured: () => Promise<Config>, version: string) {
  const opened: { close(): Promise<unknown> }[] = []
  const log = once(async () => {
    const { openLog } = await import('./adapters/log.ts')
    const { node, log: configuredLog } = await configured()
    const { level } = configuredLog
    const isQuiet = composition.command !== 'run' && level === 'info' && composition.globals().logLevel === undefined
    return openLog({ level: isQuiet ? 'warn' : level, node, version })
  })
  const status = once(async () => {
    const { roles, serve, redis: publishing } = await configured()
    if (composition.command !== 'run' || !roles.includes('serve')) return null
    const { both, openStatusTelemetry } = await import('./adapters/status-telemetry.ts')
    const { showRecords } = serve
    const model = openStatusTelemetry({ clock, showRecords, publishes: publishing !== null })
    return {
      read: (roots: readonly string[]) => model.read(roots),
      with: <T extends Telemetry>(told: T): T => both(told, model),
    }
  })
  const telemetry = once(async () => {
    const { openTelemetry } = await import('./adapters/telemetry.ts')
    const told = openTelemetry({ log: await log(), node: (await configured()).node, version })
    return (await status())?.with(told) ?? told
  })
  const openAt = async (place: Location): Promise<Store> => {
    const { observedStore } = await import('./roles/observed-store.ts')
    const store = await openStoreAt(place, (await configured()).s3)
    opened.push(store)
    return observedStore(store, { telemetry: await telemetry(), clock })
  }
  const store = once(async () => openAt((await configured()).archive))
  const derived = once(async () => {
    const { derived: place, archive } = await configured()
    return place.url === archive.url ? store() : openAt(place)
  })
  const redis = once(async () => {
    const settings = (await configured()).redis
    const adapters = settings === null ? null : await openRedisAt(settings)
    if (adapters !== null) opened.push(adapters)
    return adapters
  })
  const feed = once(async () => {
    const adapters = await redis()
    if (adapters === null) return null
    const { gatedFeed } = await import('./roles/feed-gate.ts')
    const { observedFeed } = await import('./roles/observed-feed.ts')
    const observed = observedFeed(adapters.feed, { telemetry: await telemetry(), clock })
    return gatedFeed(observed, { check: () => adapters.check(), clock })
  })
  const close = async (): Promise<void> => void (await Promise.allSettled(opened.map((one) => one.close())))
  return { log, telemetry, status, store, derived, redis, feed, close }
}

function openContexts(configured: () => Promise<Config>, ports: Ports) {
  const filesOf = new Map<RootContext, Files>()
  const prepared = new Map<string, Files>()
  const filesAt = async ({ name, path, remote }: RootConfig): Promise<Files> => {
    const { openFiles } = await import('./adapters/files.ts')
    const { deadlineMs } = (await configured()).reconcile
    return openFiles({ root: name, path, remote, deadlineMs })
  }
  const prepare: App['prepare'] = async (root) => {
    const files = await filesAt(root)
    prepared.set(root.name, files)
    // The call starts the thread. What it may have failed with, the next one says.
    files.mount().catch(() => undefined)
  }
  const context: App['context'] = async (root) => {
    const { effectiveRules } = await import('./roles/rules.ts')
    const { rootSettings, wantedRules } = await import('./roles/settings.ts')
    const config = await configured()
    const store = await ports.store()
    const rules = await effectiveRules(store, wantedRules(root))
    const { longestGapMs } = await schedule()
    const files = prepared.get(root.name) ?? (await filesAt(root))
    prepared.delete(root.name)
    const made: RootContext = {
      root: rootSettings(config, root, { rules, everyMs: longestGapMs(config.reconcile.every) }),
      node: config.node,
      clock,
      files,
      store,
      derived: await ports.derived(),
      feed: await ports.feed(),
      signals: (await ports.redis())?.signals ?? null,
      telemetry: await ports.telemetry(),
      random,
    }
    filesOf.set(made, files)
    return made
  }
  const closeContext: App['closeContext'] = async (made) => {
    const files = filesOf.get(made)
    filesOf.delete(made)
    return (await files?.close()) ?? true
  }
  const closeAll = async (): Promise<boolean> => {
    const unused = [...prepared.values()].map((files) => files.close())
    return (await Promise.all([...unused, ...[...filesOf.keys()].map(closeContext)])).every(Boolean)
  }
  return { prepare, context, closeContext, closeAll }
}

async function openStoreAt(place: Location, s3: Config['s3']): Promise<Store> {
  if (place.kind === 'directory') {
    const { openDirectoryStore } = await import('./adapters/directory.ts')
    return openDirectoryStore(place)
  }
  const { openS3Store } = await import('./adapters/s3.ts')
  const { objectLock, ...rest } = s3
  return openS3Store({ ...rest, ...(objectLock && { objectLock }), bucket: place.bucket, prefix: place.prefix })
}

async function openRedisAt(config: RedisConfig): Promise<RedisAdapters> {
  const { openRedis } = await import('./adapters/redis.ts')
  const { url, username, password, tls, sentinels, sentinelName, cluster } = config
  const { key, ...certificates } = tls ?? {}
  return openRedis({
    url,
    ...(username !== undefined && { username }),
    ...(password !== null && { password: password.reveal() }),
    ...(tls !== null && { tls: { ...certificates, ...(key && { key: key.reveal() }) } }),
    sentinels: [...sentinels],
    sentinelName,
    cluster,
  })
}

async function schedule(): Promise<Schedule> {
  return await import('./adapters/cron.ts')
}

function namedRoots(config: Config, name: string | undefined): readonly RootConfig[] {
  const found = config.roots.filter((root) => name === undefined || root.name === name)
  if (found.length > 0 || name === undefined) return found
  const message = `expected one of ${config.roots.map((root) => root.name).join(', ')}`
  throw new GleanerError('not-found', { operation: 'find root', subject: name, message })
}

function writeOut(bytes: Buffer | string): Promise<boolean> {
  return new Promise((resolve) => {
    if (process.stdout.destroyed) resolve(false)
    else process.stdout.write(bytes, (error) => resolve(error === undefined || error === null))
  })
}

function random(): string {
  return randomBytes(16).toString('hex')
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** What is opened at most once; an opening that failed is tried again. */
function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | null = null
  return () => {
    if (opening === null) {
      opening = open()
      opening.catch(() => (opening = null))
    }
    return opening
  }
}
