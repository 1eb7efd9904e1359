/**
 * What happened lately, for the status page: facts in, one value out. Times come in (`nowMs`: ms that never go back), ages come out.
 *
 * It is fed whether anybody looks or not, so each fact costs a few assignments, and everything is bounded: roots by the configuration,
 * counts by the minutes of an hour, paths, records, anomalies and troubles by the constants below; of each, the oldest is forgotten.
 * It holds nothing that would have to be asked of a mount, the store or Redis.
 */

import type { Latency, LatencySeen } from './latency.ts'
import { openLatency } from './latency.ts'
import { LruMap } from './lru.ts'
import type { Minutes } from './minutes.ts'
import { openMinutes } from './minutes.ts'

export const pathsMax = 200
export const tailMax = 40
export const anomaliesMax = 100
const troublesMax = 20
const troubleShownMs = 10 * 60_000

const done = new Set(['ok', 'created', 'exists', 'missing'])

/** Whether a request to the store or to Redis was done, by its outcome; every other one failed. */
export function isDone(outcome: string): boolean {
  return done.has(outcome)
}

export interface RootSeen {
  name: string
  /** Null: no pass has looked yet. */
  up: boolean | null
  reason: string | null
  blind: boolean
  lastPass: { agoMs: number; full: boolean; files: number; ms: number } | null
  worstDetectionMs: number | null
  /** Changes by minute over the last hour, by which way saw them first; 60 each, the oldest first. */
  changes: { inotify: number[]; reconcile: number[] }
  waiting: Waiting
}

export interface Waiting {
  unarchivedBytes: number
  oldestUnarchivedAgeMs: number
  oldestUnprovenAgeMs: number
}

export interface OpenAnomaly {
  root: string
  kind: string
  /** The path, or the source where there is none. */
  subject: string
  detail: string
  /** What `gleaner anomalies ack` takes; null where nothing was kept. */
  id: string | null
}

/** A record that was published, or, where nothing is published, a segment that was archived. */
export interface TailRow {
  root: string
  path: string
  kind: 'record' | 'segment'
  type: string
  bytes: number
  /** Only where the configuration says that records are shown. */
  text: string | null
}

export interface Trouble {
  code: string
  message: string
  remedy: string
}

export interface StatusSeen {
  /** The named roots, in that order. */
  roots: RootSeen[]
  /** Paths that something happened to, the latest first. */
  touched: { root: string; path: string; agoMs: number }[]
  anomalies: OpenAnomaly[]
  anomaliesOpen: number
  tail: (TailRow & { agoMs: number })[]
  troubles: (Trouble & { agoMs: number; times: number })[]
  store: LatencySeen
  redis: LatencySeen
}

export interface Status {
  up(root: string, up: boolean, reason?: string): void
  blind(root: string, blind: boolean): void
  pass(nowMs: number, root: string, pass: { full: boolean; files: number; ms: number; worstDetectionMs: number }): void
  change(nowMs: number, root: string, seenBy: 'inotify' | 'reconcile'): void
  waiting(root: string, waiting: Waiting): void
  touch(nowMs: number, root: string, path: string): void
  /** The newest last. */
  tail(nowMs: number, rows: TailRow[]): void
  anomaly(anomaly: OpenAnomaly): void
  /** All that are open now, the newest first; what was told before is replaced. */
  anomalies(open: OpenAnomaly[]): void
  trouble(nowMs: number, trouble: Trouble): void
  request(nowMs: number, to: 'store' | 'redis', request: { ms: number; ok: boolean }): void
  read(nowMs: number, roots: readonly string[]): StatusSeen
}

interface RootKept extends Omit<RootSeen, 'name' | 'lastPass' | 'changes'> {
  lastPass: { atMs: number; full: boolean; files: number; ms: number } | null
  changes: { inotify: Minutes; reconcile: Minutes }
}

interface Kept {
  roots: Map<string, RootKept>
  touched: LruMap<string, { root: string; path: string; atMs: number }>
  tail: (TailRow & { atMs: number })[]
  anomalies: OpenAnomaly[]
  anomaliesOpen: number
  troubles: LruMap<string, Trouble & { atMs: number; times: number }>
  latency: { store: Latency; redis: Latency }
}

export function openStatus(): Status {
  const kept: Kept = {
    roots: new Map(),
    touched: new LruMap(pathsMax),
    tail: [],
    anomalies: [],
    anomaliesOpen: 0,
    troubles: new LruMap(troublesMax),
    latency: { store: openLatency(), redis: openLatency() },
  }
  const at = (root: string): RootKept => rootOf(kept, root)
  return {
    up(root, up, reason) {
      at(root).up = up
      at(root).reason = up ? null : (reason ?? null)
    },
    blind: (root, blind) => void (at(root).blind = blind),
    pass(nowMs, root, { worstDetectionMs, ...pass }) {
      at(root).lastPass = { ...pass, atMs: nowMs }
      at(root).worstDetectionMs = worstDetectionMs
    },
    change: (nowMs, root, seenBy) => at(root).changes[seenBy].add(nowMs),
    waiting: (root, waiting) => void (at(root).waiting = waiting),
    touch: (nowMs, root, path) => kept.touched.set(`${root} ${path}`, { root, path, atMs: nowMs }),
    tail(nowMs, rows) {
      for (const row of rows.slice(-tailMax)) kept.tail.push({ ...row, atMs: nowMs })
      kept.tail.splice(0, kept.tail.length - tailMax)
    },
    anomaly(anomaly) {
      kept.anomalies = [anomaly, ...kept.anomalies].slice(0, anomaliesMax)
      kept.anomaliesOpen++
    },
    anomalies(open) {
      kept.anomalies = open.slice(0, anomaliesMax)
      kept.anomaliesOpen = open.length
    },
    trouble(nowMs, trouble) {
      const key = `${trouble.code} ${trouble.message}`
      const times = (kept.troubles.get(key)?.times ?? 0) + 1
      kept.troubles.set(key, { ...trouble, atMs: nowMs, times })
    },
    request: (nowMs, to, request) => kept.latency[to].add(nowMs, request),
    read: (nowMs, roots) => seen(kept, nowMs, roots),
  }
}

function rootOf({ roots }: Kept, name: string): RootKept {
  const known = roots.get(name)
  if (known) return known
  const made: RootKept = {
    up: null,
    reason: null,
    blind: false,
    lastPass: null,
    worstDetectionMs: null,
    changes: { inotify: openMinutes(), reconcile: openMinutes() },
    waiting: { unarchivedBytes: 0, oldestUnarchivedAgeMs: 0, oldestUnprovenAgeMs: 0 },
  }
  roots.set(name, made)
  return made
}

function seen(kept: Kept, nowMs: number, roots: readonly string[]): StatusSeen {
  const aged = <T extends { atMs: number }>({ atMs, ...rest }: T): Omit<T, 'atMs'> & { agoMs: number } => ({
    ...rest,
    agoMs: nowMs - atMs,
  })
  const troubles = [...kept.troubles.entries()].map(([, one]) => one)
  return {
    roots: roots.map((name) => rootSeen(rootOf(kept, name), { name, nowMs })),
    touched: [...kept.touched.entries()].map(([, one]) => aged(one)).toReversed(),
    anomalies: kept.anomalies,
    anomaliesOpen: kept.anomaliesOpen,
    tail: kept.tail.map(aged).toReversed(),
    troubles: troubles
      .filter(({ atMs }) => nowMs - atMs <= troubleShownMs)
      .map(aged)
      .toReversed(),
    store: kept.latency.store.read(nowMs),
    redis: kept.latency.redis.read(nowMs),
  }
}

function rootSeen(
  { changes, lastPass, ...rest }: RootKept,
  { name, nowMs }: { name: string; nowMs: number },
): RootSeen {
  const { full, files, ms } = lastPass ?? { full: false, files: 0, ms: 0 }
  return {
    name,
    ...rest,
    lastPass: lastPass === null ? null : { agoMs: nowMs - lastPass.atMs, full, files, ms },
    changes: { inotify: changes.inotify.read(nowMs), reconcile: changes.reconcile.read(nowMs) },
  }
}
