/**
 * Expiry: segments from the front of each source go, once what identity and proof need of them is kept. The protocol, per source:
 *
 *   choose     the longest beginning that may expire (expire-choose.ts)
 *   boundary   created, exclusively: all that has expired of the source by now, earlier boundaries included
 *   delete     segments that begin before its end, from the front, the last one alone, since the last that is listed is taken for the head;
 *              then the revisions that it names; then smaller boundaries
 *
 * A kill at any moment leaves either no new boundary, and nothing has happened, or a boundary and some of what it stands for. Readers ask for a
 * segment first and for the boundary after, so they find one of the two; the next run finishes the deletion. Two runs at once create
 * two boundaries at most, each true, and the larger one counts. A collector builds on no head that it has not heard of lately
 * (ledger.ts), so it never puts a segment back where one has expired.
 */

import type { Boundary } from '../core/boundary.ts'
import { boundaryKey, boundaryObject, boundaryPrefix, parseBoundaryKey, readBoundary } from '../core/boundary.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { parseSegmentKey, revisionPrefix, segmentPrefix } from '../core/segment.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { Epoch } from '../ports/feed.ts'
import type { Listed, Store } from '../ports/store.ts'
import { boundaryOf } from './boundaries.ts'
import { commit } from './commit.ts'
import type { RootContext } from './context.ts'
import type { Proofs } from './catalog.ts'
import { proofsOf } from './catalog.ts'
import type { Limits } from './expire-choose.ts'
import { choose, epochOf, limitsOf, timeOf } from './expire-choose.ts'
import type { Revision } from './expire-keep.ts'
import { beginningFor, revisionFacts } from './expire-keep.ts'
import { listAll } from './ledger.ts'

const deletesAtOnce = 16
const sourcesAtOnce = 8

export type ExpireContext = Pick<RootContext, 'root' | 'store' | 'derived' | 'feed' | 'clock'>

export interface ExpireOptions {
  /** What is older than this, ms since 1970, goes. */
  beforeMs: number
  dryRun: boolean
  /** What was stored within so many ms is left alone: well longer than a head is trusted. */
  settledMs: number
}

/** What happened, or would happen, to one source. */
export interface ExpiredSource {
  source: string
  family: string
  path: string
  /** Raw bytes [start, end) expire now; equal where none do. */
  start: number
  end: number
  segments: number
  /** Of the first and the last segment that expires: the time that its age goes by, RFC 3339. Null where none does. */
  from: string | null
  to: string | null
  /** Objects that an earlier expiry was to delete and did not. */
  leftOver: number
  /** Why the next segment stays, though it is old enough; null: it is not, or there is none. */
  kept: string | null
}

/** A source as the archive lists it. */
interface Stock {
  source: string
  segments: Listed[]
  revisions: Revision[]
  /** By their ends; the last one counts. */
  boundaries: { key: string; end: number }[]
}

interface Work {
  context: ExpireContext
  options: ExpireOptions
  epoch: Epoch | null
  proofs: Proofs
  settledMs: number
}

/**
 * Every source of which something goes, or stays against the date. Throws `store-*` (`store-denied` where the store refuses to delete: all
 * that went before stands), `redis-*`, `archive-newer`.
 */
export async function* expire(context: ExpireContext, options: ExpireOptions): AsyncGenerator<ExpiredSource> {
  const { root, store, feed } = context
  const work: Work = {
    context,
    options,
    epoch: feed && (await epochOf(feed, root.name, store.url)),
    proofs: await proofsOf(context),
    settledMs: (await store.nowMs()) - options.settledMs,
  }
  let some: Stock[] = []
  for await (const stock of stocks(store, root.name)) {
    some.push(stock)
    if (some.length < sourcesAtOnce) continue
    yield* await expireSome(work, some)
    some = []
  }
  yield* await expireSome(work, some)
}

/** Every source with segments, and every one whose expiry may be unfinished. */
async function* stocks(store: Store, root: string): AsyncGenerator<Stock> {
  // Before the segments: revisions go after them, so one that is listed here was there while all of its segments were.
  const revisions = await revisionsBySource(store, root)
  const boundaries = await boundariesBySource(store, root)
  const stockOf = (source: string, segments: Listed[]): Stock => {
    const stock = {
      source,
      segments,
      revisions: revisions.get(source) ?? [],
      boundaries: boundaries.get(source) ?? [],
    }
    boundaries.delete(source)
    return stock
  }
  let source: string | null = null
  let segments: Listed[] = []
  for (let after: string | undefined; ; ) {
    const page = await store.list(segmentPrefix(root), after === undefined ? {} : { after })
    for (const listed of page.objects) {
      const place = parseSegmentKey(listed.key)
      if (!place) continue
      if (source !== null && place.source !== source) {
        yield stockOf(source, segments)
        segments = []
      }
      source = place.source
      segments.push(listed)
    }
    after = page.objects.at(-1)?.key
    if (!page.more || after === undefined) break
  }
  if (source !== null) yield stockOf(source, segments)
  for (const [left, { length }] of boundaries) if (length > 1 || revisions.has(left)) yield stockOf(left, [])
}

async function boundariesBySource(store: Store, root: string): Promise<Map<string, Stock['boundaries']>> {
  const all = (await listAll(store, boundaryPrefix(root))).flatMap(({ key }) => {
    const parsed = parseBoundaryKey(key)
    return parsed ? [{ key, ...parsed }] : []
  })
  return Map.groupBy(all, ({ source }) => source)
}

async function revisionsBySource(store: Store, root: string): Promise<Map<string, Revision[]>> {
  const prefix = revisionPrefix(root, '').slice(0, -1)
  const all = (await listAll(store, prefix)).flatMap(({ key }): (Revision & { source: string })[] => {
    const match = /\/([^/]+)\/(\d{16})-([1-9]\d*)\.zst$/.exec(key)
    return match ? [{ key, source: match[1] as string, start: Number(match[2]), n: Number(match[3]) }] : []
  })
  return Map.groupBy(all, ({ source }) => source)
}

async function expireSome(work: Work, some: Stock[]): Promise<ExpiredSource[]> {
  if (some.length === 0) return []
  const { context, options, epoch, proofs, settledMs } = work
  const { feed, root } = context
  const times = { beforeMs: options.beforeMs, settledMs }
  const sources = some.map(({ source }) => source)
  const limits = await limitsOf(sources, { root: root.name, feed, epoch, proofs, times })
  const expired = await Promise.all(some.map((stock, index) => expireSource(work, stock, limits[index] as Limits)))
  return expired.filter(({ segments, leftOver, kept }) => segments > 0 || leftOver > 0 || kept !== null)
}

async function expireSource(work: Work, stock: Stock, limits: Limits): Promise<ExpiredSource> {
  const { context, options } = work
  const { store, root } = context
  const { source } = stock
  const previous = stock.boundaries.length > 0 ? await boundaryOf(store, root.name, source) : null
  const begin = previous?.end ?? 0
  const listed = stock.segments.filter(({ key }) => startOf(key) >= begin)
  const { segments, kept, first } = await choose(store, { source, listed, previous, limits })
  const doomed = previous && doomedBy(previous, stock)
  const leftOver = doomed ? doomed.segments.length + doomed.revisions.length + doomed.boundaries.length : 0
  const named = segments.at(-1) ?? first ?? previous
  const one: ExpiredSource = {
    source,
    family: named?.family ?? '',
    path: named?.path ?? '',
    start: begin,
    end: segments.at(-1)?.end ?? begin,
    segments: segments.length,
    from: segments[0] ? (segments[0].firstTime ?? timeOf(segments[0])) : null,
    to: segments.length > 0 ? timeOf(segments.at(-1) as SegmentHeader) : null,
    leftOver,
    kept,
  }
  if (options.dryRun) return one
  const made = segments.length > 0 ? await makeBoundary(work, { stock, previous, segments }) : previous
  const stands = typeof made === 'string' ? previous : made
  if (stands) await deleteBefore(store, stands, stock)
  return typeof made === 'string' ? { ...one, end: begin, segments: 0, from: null, to: null, kept: made } : one
}

/** Gives the boundary that stands, or why there can be none. */
async function makeBoundary(
  { context, options }: Work,
  { stock, previous, segments }: { stock: Stock; previous: Boundary | null; segments: SegmentHeader[] },
): Promise<Boundary | string> {
  const { store, clock } = context
  const last = segments.at(-1) as SegmentHeader
  const { root, source, family, path, format, end, chain } = last
  const revisions = await revisionFacts(store, { stock, previous, end })
  if (revisions === null) return 'another expiry is at work on it'
  const beginning = await beginningFor(store, { last, revisions: stock.revisions }).catch((error: unknown) => {
    if (isGleanerError(error, 'expired')) return 'gone' as const
    throw error
  })
  if (beginning === 'gone') return 'another expiry is at work on it'
  if (beginning === null) return 'neither its archived bytes nor a revision of them begin as its files did'
  const hasColumns = context.root.format.columns !== undefined
  if (hasColumns && !Buffer.from(beginning.bytes, 'base64').includes(10))
    return 'its line of column names is longer than the 4 KiB that are kept of it, and what follows needs it'
  const facts = segments.map(({ start, end: to, sha256, witness }) => ({ start, end: to, sha256, witness }))
  const boundary: Boundary = {
    v: 1,
    root,
    source,
    family,
    path,
    format,
    end,
    lines: segments.reduce((sum, { lines }) => sum + lines, previous?.lines ?? 0),
    chain,
    beginning,
    segments: [...(previous?.segments ?? []), ...facts],
    revisions,
    before: formatRfc3339(options.beforeMs),
    writtenAt: formatRfc3339(Math.floor(await store.nowMs())),
  }
  const key = boundaryKey(root, source, end)
  const body = boundaryObject(boundary)
  const made = await commit(store, clock, { key, body, isOurs: (there) => there.equals(body) })
  if (made.by === 'us') return boundary
  const there = readBoundary(made.object.body, key)
  if (there.chain === chain) return there
  const message = 'another boundary with this end stands, of another chain; nothing was deleted'
  throw new GleanerError('store-damaged', { operation: 'expire', subject: key, message })
}

/** What a boundary stands for and is still there. Revisions that it does not name stay. */
function doomedBy(
  { end, revisions = [] }: Boundary,
  { segments, revisions: listed, boundaries }: Stock,
): { segments: string[]; revisions: string[]; boundaries: string[] } {
  const named = new Set(revisions.map(({ start, n }) => `${start}-${n}`))
  return {
    segments: segments.filter(({ key }) => startOf(key) < end).map(({ key }) => key),
    revisions: listed.filter(({ start, n }) => named.has(`${start}-${n}`)).map(({ key }) => key),
    boundaries: boundaries.filter((smaller) => smaller.end < end).map(({ key }) => key),
  }
}

async function deleteBefore(store: Store, boundary: Boundary, stock: Stock): Promise<void> {
  const { segments, revisions, boundaries } = doomedBy(boundary, stock)
  await removeAll(store, segments.slice(0, -1))
  await removeAll(store, segments.slice(-1))
  await removeAll(store, revisions)
  await removeAll(store, boundaries)
}

/** Some at a time; each lot is gone before the next. */
async function removeAll(store: Store, keys: string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += deletesAtOnce)
    await Promise.all(keys.slice(at, at + deletesAtOnce).map((key) => remove(store, key)))
}

async function remove(store: Store, key: string): Promise<void> {
  try {
    await store.remove(key)
  } catch (cause) {
    if (!isGleanerError(cause, 'store-denied')) throw cause
    const message =
      'the store refuses to delete it: Object Lock holds it until its retention ends, or these credentials may not delete. ' +
      `Its boundary is made, nothing is lost, and the next run goes on (${cause.message})`
    throw new GleanerError('store-denied', { operation: 'expire', subject: key, message, cause })
  }
}

function startOf(key: string): number {
  return parseSegmentKey(key)?.start ?? 0
}
