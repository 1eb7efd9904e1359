import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Batch, Epoch, Feed, PublishOutcome } from '../ports/feed.ts'

/**
 * The feed in one process, for tests and simulations: the same steps as the Lua scripts, each one synchronous.
 *
 * What a Redis can do to its data, a simulator does through `wipe` (FLUSHALL), `snapshot` and `restore` (a failover to a
 * replica that had not everything yet).
 */
export interface MemoryFeed extends Feed {
  wipe(): void
  snapshot(): MemoryFeedSnapshot
  restore(snapshot: MemoryFeedSnapshot): void
  /** All entries of the records stream, and of the segments stream. */
  records(root: string): FeedEntry[]
  segments(root: string): FeedEntry[]
}

export interface FeedEntry {
  id: string
  fields: Record<string, Buffer>
}

export type MemoryFeedSnapshot = ReadonlyMap<string, Readonly<RootState>>

interface RootState {
  epoch: Epoch | null
  positions: Map<string, string>
  proven: Map<string, string>
  seq: number
  records: FeedEntry[]
  segments: FeedEntry[]
  lastId: { ms: number; count: number }
  lease: { holder: string; untilMs: number } | null
  /** Node → until when its full pass counts. */
  passed: Map<string, number>
}

const waitMs = 1000

export function openMemoryFeed({
  clock,
  now = () => clock.wallMs(),
}: {
  clock: Clock
  now?: () => number
}): MemoryFeed {
  let roots = new Map<string, RootState>()
  const waiting = new Set<AbortController>()
  let closed = false

  function at(root: string): RootState {
    if (closed) throw new GleanerError('redis-unreachable', { operation: 'use', subject: root, message: 'closed' })
    const state = roots.get(root) ?? emptyState()
    roots.set(root, state)
    return state
  }

  const feed: Feed = {
    ...epochSteps(at),
    ...streamSteps({ at, now, waiting, clock }),
    ...leaseSteps(at, clock),
    positions: async (root, sources) => sources.map((source) => at(root).positions.get(source) ?? null),
    proven: async (root, sources) => sources.map((source) => at(root).proven.get(source) ?? null),
    async setProven(root, marks) {
      for (const { source, mark } of marks) at(root).proven.set(source, mark)
    },
    async close() {
      closed = true
      for (const one of waiting) one.abort()
    },
  }

  return {
    ...feed,
    wipe() {
      roots = new Map()
    },
    snapshot: () => copy(roots),
    restore(snapshot) {
      roots = copy(snapshot)
    },
    records: (root) => [...(roots.get(root)?.records ?? [])],
    segments: (root) => [...(roots.get(root)?.segments ?? [])],
  }
}

type At = (root: string) => RootState

function epochSteps(at: At) {
  return {
    async epoch(root) {
      const { epoch } = at(root)
      return epoch && { ...epoch }
    },
    async begin(root, epoch) {
      const state = at(root)
      state.epoch ??= { ...epoch }
      return { ...state.epoch }
    },
    async open(root, id) {
      const state = at(root)
      if (state.epoch?.id === id) state.epoch = { ...state.epoch, state: 'open' }
    },
    async positionIfAbsent(root, id, { source, position }) {
      const { epoch, positions } = at(root)
      if (epoch?.id === id && epoch.state === 'starting' && !positions.has(source)) positions.set(source, position)
    },
    async raiseFloor(root, { id, from, to, drops }) {
      const state = at(root)
      if (state.epoch?.id !== id || state.epoch.floorMs !== from) return false
      state.epoch = { ...state.epoch, floorMs: to }
      for (const { source, position } of drops) {
        if (state.positions.get(source) === position) state.positions.delete(source)
      }
      return true
    },
  } satisfies Partial<Feed>
}

function streamSteps(parts: { at: At; now: () => number; waiting: Set<AbortController>; clock: Clock }) {
  const { at, now, waiting, clock } = parts
  return {
    async publish(root, batch) {
      const outcome = publish(at(root), batch, now())
      if (outcome.outcome === 'published') for (const one of waiting) one.abort()
      return outcome
    },
    lastSeq: async (root) => at(root).seq,
    async trim(root, bounds) {
      const state = at(root)
      const before = state.records.length + state.segments.length
      state.records = trimmed(state.records, bounds, now())
      state.segments = trimmed(state.segments, bounds, now())
      // There are no groups here, so none has missed anything.
      return { removed: before - state.records.length - state.segments.length, unread: 0 }
    },
    announced: async (root, after, limit) => entriesAfter(at(root).segments, after, limit),
    async read(root, after, limit) {
      const from = after === '$' ? idText(at(root).lastId) : after
      const found = entriesAfter(at(root).records, from, limit)
      if (found.length > 0) return found
      const abort = new AbortController()
      waiting.add(abort)
      await clock.delay(waitMs, abort.signal)
      waiting.delete(abort)
      return entriesAfter(at(root).records, from, limit)
    },
  } satisfies Partial<Feed>
}

function leaseSteps(at: At, clock: Clock) {
  return {
    async lease(root, holder, ttlMs) {
      const state = at(root)
      const nowMs = clock.monotonicMs()
      if (state.lease && state.lease.holder !== holder && state.lease.untilMs > nowMs) return false
      state.lease = { holder, untilMs: nowMs + ttlMs }
      return true
    },
    async release(root, holder) {
      const state = at(root)
      if (state.lease?.holder === holder) state.lease = null
    },
    async reconcilers(root, noted) {
      const { passed } = at(root)
      const nowMs = clock.monotonicMs()
      if (noted) passed.set(noted.node, nowMs + noted.countsMs)
      return [...passed.values()].filter((untilMs) => untilMs > nowMs).length
    },
    // There are no groups here.
    lags: async () => [],
  } satisfies Partial<Feed>
}

function publish(state: RootState, batch: Batch, nowMs: number): PublishOutcome {
  const { epoch } = state
  if (epoch?.id !== batch.epoch || epoch.floorMs !== batch.floorMs || epoch.state !== 'open')
    return { outcome: 'stale' }
  const position = state.positions.get(batch.source) ?? null
  if (position !== batch.expected) return { outcome: 'moved', position }
  const firstSeq = state.seq + 1
  for (const entry of batch.entries) {
    state.seq += 1
    state.records.push({
      id: nextId(state, nowMs),
      fields: buffers({ epoch: epoch.id, seq: String(state.seq), ...entry }),
    })
  }
  for (const entry of batch.announcements) state.segments.push({ id: nextId(state, nowMs), fields: buffers(entry) })
  state.positions.set(batch.source, batch.next)
  return { outcome: 'published', firstSeq }
}

function trimmed(
  entries: FeedEntry[],
  { maxAgeMs, maxBytes }: { maxAgeMs: number; maxBytes: number },
  nowMs: number,
): FeedEntry[] {
  let bytes = 0
  let first = entries.length
  while (first > 0) {
    const entry = entries[first - 1] as FeedEntry
    bytes += Object.values(entry.fields).reduce((sum, value) => sum + value.length, 0)
    if (bytes > maxBytes || Number(entry.id.split('-')[0]) < nowMs - maxAgeMs) break
    first -= 1
  }
  return entries.slice(first)
}

/** Found from the end: a reader is usually near it. */
function entriesAfter(entries: FeedEntry[], after: string, limit: number): FeedEntry[] {
  const first = entries.findLastIndex(({ id }) => !isAfter(id, after)) + 1
  return entries.slice(first, first + limit)
}

function nextId(state: RootState, nowMs: number): string {
  const ms = Math.floor(nowMs)
  state.lastId = ms > state.lastId.ms ? { ms, count: 0 } : { ms: state.lastId.ms, count: state.lastId.count + 1 }
  return idText(state.lastId)
}

function idText({ ms, count }: { ms: number; count: number }): string {
  return `${ms}-${count}`
}

function isAfter(id: string, after: string): boolean {
  const [ms = 0, count = 0] = id.split('-').map(Number)
  const [afterMs = 0, afterCount = 0] = after.split('-').map(Number)
  return ms > afterMs || (ms === afterMs && count > afterCount)
}

function buffers(fields: Record<string, string | Buffer>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, Buffer.from(value)]))
}

function emptyState(): RootState {
  return {
    epoch: null,
    positions: new Map(),
    proven: new Map(),
    seq: 0,
    records: [],
    segments: [],
    lastId: { ms: 0, count: 0 },
    lease: null,
    passed: new Map(),
  }
}

/** Entries and epochs are never changed in place, so copies may share them. */
function copy(roots: MemoryFeedSnapshot): Map<string, RootState> {
  const one = (state: Readonly<RootState>): RootState => ({
    ...state,
    positions: new Map(state.positions),
    proven: new Map(state.proven),
    records: [...state.records],
    segments: [...state.segments],
    passed: new Map(state.passed),
  })
  return new Map([...roots].map(([root, state]) => [root, one(state)]))
}
