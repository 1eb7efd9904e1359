/**
 * Records of one source → the records stream, each exactly once per Redis history.
 *
 * All is decided by one compare-and-set: a batch carries the whole text of the position it continues from, and the script appends its
 * entries only if that is what stands. Whoever loses takes the position that stands and parses from there.
 *
 *  1. What lies between position and head comes from the archive.
 *  2. Segments up to the head are announced, once, in the same step.
 *  3. Ranges that were published ahead, and that segments cover by now, are compared with the archived bytes; a difference is announced
 *     by a `revision` entry that names what stands.
 *  4. What lies beyond the head comes from a look's bytes, and leaves its digest beside the position until 3. So does a record that begins
 *     before the head and ends beyond it.
 *
 * A source without a position counts as published up to the last record's end in the segments stored by the epoch's floor, else to its
 * boundary's end, else 0. A position that a Redis which lost writes gave back may lie before the boundary: what has expired is passed over,
 * and told.
 */

import { LruMap } from '../core/lru.ts'
import type { Position } from '../core/position.ts'
import { parseSegmentKey } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import { decodePosition, encodePosition, publishedAhead } from '../core/position.ts'
import type { Entry } from '../formats/entry.ts'
import { recordEntry } from '../formats/entry.ts'
import type { Framed, ParseContext } from '../formats/format.ts'
import type { Epoch, Feed } from '../ports/feed.ts'
import type { PublishedRecord } from '../ports/telemetry.ts'
import { settleAhead } from './ahead.ts'
import { revisionEntry } from './archived-records.ts'
import type { Revised } from './archived-records.ts'
import type { RootContext, RootSettings } from './context.ts'
import type { EpochKeeper } from './epoch.ts'
import type { Ledger, Mark } from './ledger.ts'
import { openParseContexts, type ParseContextOf } from './parse-context.ts'
import { nextBatch } from './publish-batch.ts'
import { recordBoundary } from './record-boundary.ts'

/** Segments that one step announces at most. */
const segmentsMax = 500
/** How often a publisher that keeps losing tries again; the next signal or pass goes on. */
const contentionMax = 20
/** Batches that one call publishes at most; the next visit goes on. */
const batchesMax = 200
const clearlyMs = 10_000

export interface PublishJob {
  source: string
  path: string
  family: string
  /** The source's last segment. */
  head: Mark
  /** Bytes of the file from `start` on, from a confirmed look; null: publish from the archive only. */
  ahead: { start: number; bytes: Buffer } | null
  /** The source's file does not hold what was published ahead up to this offset, though no digest has told so yet. */
  disowned: number | null
}

export interface Publisher {
  /** The position as last heard of; null: not known here. May be stale. */
  cached(source: string): Position | null
  /** What Redis says of a position. Older than `cached` where Redis lost writes. */
  heard(source: string, text: string | null): void
  /** As `cached`, but asks Redis where nothing is known; null: there is none. Throws `redis-*`. */
  standing(source: string): Promise<Position | null>
  /** Publishes what there is to publish; gives how far that is, or null while nothing may be published. Throws `redis-*`, `store-*`. */
  publish(job: PublishJob): Promise<Position | null>
  /** An entry that tells of a revision object. Delivered at least once: its key deduplicates. */
  announceRevision(revised: Revised): Promise<void>
}

interface Step {
  next: Position
  entries: Entry[]
  announcements: Record<string, string>[]
  framed: Framed[]
}

export function openPublisher(
  context: RootContext,
  parts: { feed: Feed; ledger: Ledger; epochs: EpochKeeper },
): Publisher {
  const { feed, ledger, epochs } = parts
  const texts = openTexts(feed, context.root.name)
  const parseContextOf = openParseContexts(context.root, ledger)

  const publish: Publisher['publish'] = async (job) => {
    let epoch = await epochs.current()
    let lost = 0
    let batches = 0
    const place = { source: job.source, path: job.path }
    let expected = texts.get(job.source) ?? (await texts.fetch(job.source))
    for (;;) {
      if (epoch.state !== 'open') {
        epochs.forget()
        return null
      }
      const before = await effective(context.root, ledger, {
        source: job.source,
        epoch,
        stands: texts.position(expected),
      })
      const step = await nextStep(context, ledger, { job, before, parseContextOf }).catch((error: unknown) =>
        passOver(context, ledger, { job, before, error }),
      )
      if (step === null || ++batches > batchesMax) return before
      const outcome = await compareAndSet(context, { ...parts, texts }, { ...place, epoch, expected, step })
      if (outcome === 'stale') epoch = await epochs.current()
      expected = outcome === 'stale' ? await texts.fetch(job.source) : outcome.stands
      if (expected !== encodePosition(step.next) && ++lost > contentionMax) return before
    }
  }

  return {
    cached: (source) => texts.position(texts.get(source) ?? null),
    heard: (source, text) => texts.set(source, text),
    standing: async (source) => texts.position(texts.get(source) ?? (await texts.fetch(source))),
    publish,
    async announceRevision(job) {
      const { source } = job
      for (let attempt = 0; attempt < contentionMax; attempt++) {
        const epoch = await epochs.current()
        if (epoch.state !== 'open') return
        const expected = await texts.fetch(source)
        const next = await effective(context.root, ledger, { source, epoch, stands: texts.position(expected) })
        const step: Step = { next, entries: [revisionEntry(context.root, job)], announcements: [], framed: [] }
        const outcome = await compareAndSet(
          context,
          { ...parts, texts },
          { source, path: job.path, epoch, expected, step },
        )
        if (outcome !== 'stale' && outcome.stands === encodePosition(next)) return
      }
    },
  }
}

/** Positions as last heard of. */
interface Texts {
  get(source: string): string | undefined
  set(source: string, text: string | null): void
  fetch(source: string): Promise<string | null>
  /** What a text says, decoded once: a visit asks several times. */
  position(text: string | null): Position | null
}

function openTexts(feed: Feed, root: string): Texts {
  const texts = new LruMap<string, string>(100_000)
  const decoded = new LruMap<string, Position>(1000)
  const set: Texts['set'] = (source, text) => {
    if (text === null) texts.delete(source)
    else texts.set(source, text)
  }
  return {
    get: (source) => texts.get(source),
    set,
    async fetch(source) {
      const [text = null] = await feed.positions(root, [source])
      set(source, text)
      return text
    },
    position(text) {
      const known = text === null ? undefined : decoded.get(text)
      if (known !== undefined || text === null) return known ?? null
      const position = decodePosition(text)
      if (position) decoded.set(text, position)
      return position
    },
  }
}

/** What stands, or what a source without a position counts as. */
async function effective(
  root: RootSettings,
  ledger: Ledger,
  { source, epoch, stands }: { source: string; epoch: Epoch; stands: Position | null },
): Promise<Position> {
  if (stands) return stands
  const end = await endStoredBy(ledger, source, epoch.floorMs)
  return { published: await recordBoundary(root, ledger, { source, end }), announced: end, ahead: null }
}

interface Setting {
  source: string
  path: string
  epoch: Epoch
  expected: string | null
  step: Step
}

async function compareAndSet(
  context: RootContext,
  { feed, epochs, texts }: { feed: Feed; epochs: EpochKeeper; texts: Texts },
  { source, path, epoch, expected, step }: Setting,
): Promise<{ stands: string | null } | 'stale'> {
  const next = encodePosition(step.next)
  const { entries, announcements } = step
  const batch = { epoch: epoch.id, floorMs: epoch.floorMs, source, expected, next, entries, announcements }
  const answer = await feed.publish(context.root.name, batch)
  if (answer.outcome === 'stale') {
    epochs.forget()
    texts.set(source, null)
    return 'stale'
  }
  if (answer.outcome === 'published') tell(context, { source, path }, step)
  const stands = answer.outcome === 'published' ? next : answer.position
  texts.set(source, stands)
  return { stands }
}

/** What to publish next from this position, or null: nothing. */
async function nextStep(
  context: RootContext,
  ledger: Ledger,
  { job, before, parseContextOf }: { job: PublishJob; before: Position; parseContextOf: ParseContextOf },
): Promise<Step | null> {
  const settled = await settleAhead(context, ledger, { job, before })
  const announcing = await announcementsOf(ledger, job, before)
  const start: Step = {
    next: { ...settled.position, announced: announcing.announced },
    entries: settled.entries,
    announcements: announcing.announcements,
    framed: [],
  }
  const { framed, archived } = await nextBatch(context.root, ledger, { job, before: start.next })
  if (framed.length > 0) {
    const parse = await parseContextOf(job.source)
    start.framed = framed
    start.entries = [...start.entries, ...framed.map((one) => entryOf(context, { ...job, parse }, one))]
    start.next = archived
      ? { ...start.next, published: (framed.at(-1) as Framed).end }
      : publishedAhead(
          start.next,
          framed.map(({ end, raw }) => ({ end, bytes: raw })),
        )
  }
  const changed =
    start.entries.length > 0 || start.announcements.length > 0 || encodePosition(start.next) !== encodePosition(before)
  return changed ? start : null
}

/** Where what lies between position and head has expired: the step to the boundary's end. Any other error is thrown. */
async function passOver(
  context: RootContext,
  ledger: Ledger,
  { job, before, error }: { job: PublishJob; before: Position; error: unknown },
): Promise<Step> {
  if (!isGleanerError(error, 'expired')) throw error
  const end = await ledger.expiredTo(job.source)
  const { root, telemetry } = context
  telemetry.notice('what was not published yet has expired; it is passed over', {
    root: root.name,
    source: job.source,
    from: before.published,
    to: end,
  })
  const next = { published: end, announced: Math.max(before.announced, end), ahead: null }
  return { next, entries: [], announcements: [], framed: [] }
}

/** Segments that end beyond what is announced. */
async function announcementsOf(
  ledger: Ledger,
  job: PublishJob,
  before: Position,
): Promise<{ announced: number; announcements: Record<string, string>[] }> {
  if (job.head.end <= before.announced) return { announced: before.announced, announcements: [] }
  if (job.head.expired) return { announced: job.head.end, announcements: [] }
  const marks: Mark[] = []
  if (job.head.start === before.announced) marks.push(job.head)
  else {
    for (const listed of (await ledger.segmentsFrom(job.source, before.announced)).slice(0, segmentsMax)) {
      marks.push(await ledger.header(listed.key, listed.storedAtMs))
    }
  }
  const announcements = marks.map(({ source, start, end, key, sha256 }) => ({
    v: '1',
    source,
    start: String(start),
    end: String(end),
    key,
    sha256,
  }))
  return { announced: marks.at(-1)?.end ?? before.announced, announcements }
}

function entryOf({ root }: RootContext, job: PublishJob & { parse: ParseContext }, framed: Framed): Entry {
  const { source, path, family, parse } = job
  return recordEntry(root.format, framed, { source, path, family, rawBytesMax: root.feed.recordBytesMax, parse })
}

/**
 * How far the segments stored by `floorMs` reach. Always from a fresh list: a stale last segment would give a position that others have
 * passed. Only a first segment clearly later than the floor needs none (a create's own time may differ from the listed one by seconds).
 */
async function endStoredBy(ledger: Ledger, source: string, floorMs: number): Promise<number> {
  const known = ledger.known(source)
  if (known?.start === 0 && known.storedAtMs > floorMs + clearlyMs) return 0
  const segments = await ledger.segmentsFrom(source, 0)
  const stored = segments.filter((listed) => listed.storedAtMs <= floorMs).at(-1)
  if (stored) return (await ledger.header(stored.key, stored.storedAtMs)).end
  const begins = parseSegmentKey(segments[0]?.key ?? '')?.start === 0
  return begins ? 0 : ledger.expiredTo(source)
}

function tell(context: RootContext, place: { source: string; path: string }, step: Step): void {
  if (step.framed.length === 0) return
  const types: Record<string, number> = {}
  let malformed = 0
  for (const entry of step.entries) {
    if (entry['kind'] !== 'record') continue
    const type = String(entry['type'])
    types[type] = (types[type] ?? 0) + 1
    if (entry['error'] !== '') malformed++
  }
  const records = step.framed.length
  const latest = (most: number): PublishedRecord[] => latestOf(step, most)
  context.telemetry.published(context.root.name, { ...place, records, types, malformed, latest })
}

/** Entries of records stand in the order of what was framed, at the end. */
function latestOf({ framed, entries }: Step, most: number): PublishedRecord[] {
  const count = Math.min(most, framed.length)
  const last = entries.slice(entries.length - count)
  return framed
    .slice(framed.length - count)
    .map(({ raw }, index) => ({ type: String(last[index]?.['type'] ?? ''), bytes: raw.length, raw }))
}
