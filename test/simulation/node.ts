/** One node: a process with all roles, made of the product's own code over simulated ports, that can be killed at any event and begun again. */

import { openMemoryWatch } from '../../src/adapters/memory-watch.ts'
import { lines } from '../../src/formats/lines.ts'
import { commonRotation, compileFamilyRules } from '../../src/core/family.ts'
import type { Feed } from '../../src/ports/feed.ts'
import type { Signals } from '../../src/ports/signals.ts'
import type { Store } from '../../src/ports/store.ts'
import type { Telemetry } from '../../src/ports/telemetry.ts'
import { catchUpRoot } from '../../src/roles/catch-up.ts'
import type { RootContext, RootSettings } from '../../src/roles/context.ts'
import { listen } from '../../src/roles/listen.ts'
import type { Reconciler } from '../../src/roles/reconcile.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import type { Worker } from '../../src/roles/work.ts'
import { openWorker } from '../../src/roles/work.ts'
import type { Trouble } from './faults.ts'
import { faultyFeed, faultySignals, faultyStore } from './faults.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { Lies } from './view.ts'
import { openView } from './view.ts'
import type { World } from './world.ts'

export interface Shared {
  scheduler: Scheduler
  random: Random
  world: World
  store: Store
  /** What expired, by key: the archive was this and what the store holds. */
  expired: ReadonlyMap<string, { body: Buffer; storedAtMs: number }>
  feed: Feed | null
  signals: Signals | null
  storeTrouble: Trouble
  redisTrouble: Trouble
  remote: boolean
  since: 'now' | 'all'
  alone: boolean
  /** What the roles were not prepared for: any is a failed run. */
  unexpected: unknown[]
  trace: ((line: string) => void) | null
}

export interface Node {
  readonly id: number
  readonly lies: Lies
  isUp: boolean
  readonly worker: Worker
  readonly reconciler: Reconciler
  changed(path: string): void
  overflow(): void
  kill(): void
}

export const everyMs = 2000
/** The product's half an hour. */
const headTrustedMs = 2000

export function startNode(shared: Shared, id: number, lies: Lies): Node {
  const { scheduler, random } = shared
  let alive = true
  const isAlive = (): boolean => alive
  const watch = openMemoryWatch()
  const node: Partial<Node> & { isUp: boolean } = { isUp: true }
  const contextWhile = (isRunning: () => boolean): RootContext => {
    const parts = { scheduler, random, isAlive: isRunning }
    const store = faultyStore(shared.store, { ...parts, trouble: shared.storeTrouble })
    return {
      root: settings(shared),
      node: `n${id}`,
      clock: scheduler.clock(isRunning),
      files: openView({ ...parts, world: shared.world, node: id, lies, isUp: () => node.isUp, remote: shared.remote }),
      store,
      derived: store,
      feed: shared.feed ? faultyFeed(shared.feed, { ...parts, trouble: shared.redisTrouble }) : null,
      signals: shared.signals ? faultySignals(shared.signals, { ...parts, trouble: shared.redisTrouble }) : null,
      telemetry: telemetryOf(shared, id),
      random: () => random.hex(16),
    }
  }
  const context = contextWhile(isAlive)
  const inFlight = openThrottle(1 << 20)
  const worker = openWorker(context, { inFlight, listens: true, headTrustedMs })
  const reconciler = openReconciler(context, worker)
  const stop = new AbortController()
  const fail = (error: unknown): void => {
    if (alive) shared.unexpected.push(error)
  }
  if (shared.alone) void reconcileForEver(contextWhile, { clock: context.clock, isAlive, fail })
  else {
    worker.run(stop.signal).catch(fail)
    listen(context, { worker, openWatch: () => watch, askFull: () => reconciler.askFull() }, stop.signal).catch(fail)
    void passForEver(context, { reconciler, isAlive, fail })
  }
  return Object.assign(node, {
    id,
    lies,
    worker,
    reconciler,
    changed: (path: string) => watch.changed(path),
    overflow: () => watch.overflow(),
    kill() {
      alive = false
    },
  }) as Node
}

/** As cron would: each time a process of its own, which knows what the last one left in the archive. */
async function reconcileForEver(
  contextWhile: (isRunning: () => boolean) => RootContext,
  { clock, isAlive, fail }: { clock: RootContext['clock']; isAlive: () => boolean; fail: (error: unknown) => void },
): Promise<void> {
  while (isAlive()) {
    let isRunning = true
    await catchUpRoot(
      contextWhile(() => isRunning && isAlive()),
      openThrottle(1 << 20),
    ).catch(fail)
    isRunning = false
    await clock.delay(everyMs)
  }
}

async function passForEver(
  context: RootContext,
  { reconciler, isAlive, fail }: { reconciler: Reconciler; isAlive: () => boolean; fail: (error: unknown) => void },
): Promise<void> {
  while (isAlive()) {
    await reconciler.pass().catch((error: unknown) => {
      const code = (error as { code?: string }).code ?? ''
      if (!/^(store|redis|root|file)-/.test(code) || /damaged|wrong|other/.test(code)) fail(error)
    })
    await context.clock.delay(everyMs)
  }
}

export function settings({ since }: Shared): RootSettings {
  return {
    name: 'r',
    format: lines,
    parse: {},
    header: 'none',
    family: compileFamilyRules({ rotation: commonRotation, oldDirectories: [] }),
    includes: (path) => !path.endsWith('.tmp'),
    remote: null,
    wholeFiles: false,
    seal: { bytes: 8000, ageMs: 12_000 },
    settle: { readMs: 250, tailMs: 5000, finalMs: 30_000 },
    limits: { lineBytesMax: 2000, storeBytesInFlight: 1 << 20, proveBytesPerSecond: 1e9 },
    feed: { since, maxAgeMs: 1e9, maxBytes: 1e9, recordBytesMax: 1e6 },
    reconcile: { everyMs, fullEveryMs: 5000, metadataPerSecondMax: 100_000 },
  }
}

function telemetryOf(shared: Shared, id: number): Telemetry {
  const { trace } = shared
  const say = (what: string): void =>
    trace?.(`${String(Math.floor(shared.scheduler.nowMs)).padStart(7)} n${id} ${what}`)
  const nothing = (): void => undefined
  return {
    archived: (_root, { source, start, end }) =>
      say(`archived ${source.slice(0, 6)}${source.slice(32)} ${start}-${end}`),
    published: (_root, { source, records }) => say(`published ${source.slice(0, 6)}${source.slice(32)} ${records}`),
    change: nothing,
    pass: (_root, { full, files, signalled }) =>
      say(`pass ${full ? 'full ' : ''}${files} files ${signalled} signalled`),
    rootUp: nothing,
    rootBlind: nothing,
    waiting: nothing,
    anomaly: (_root, { kind, subject, detail }) => say(`anomaly ${kind} ${subject} ${detail}`),
    digest: nothing,
    openAnomalies: nothing,
    feedLags: nothing,
    reconcilers: nothing,
    storeRequest: nothing,
    redisRequest: nothing,
    metadataCalls: nothing,
    notice: (message) => say(message),
    trouble(error, facts) {
      const code = (error as { code?: string }).code ?? ''
      say(`trouble ${String(error)} ${JSON.stringify(facts)}`)
      if (!/^(store|redis|root|file)-/.test(code) || /damaged|wrong|other/.test(code)) shared.unexpected.push(error)
    },
  }
}
