/**
 * Which segments of a source may expire: the longest contiguous beginning of it of which every segment
 *
 *   is old        the time of its last record is before the date; where its format tells none, the time it was written
 *   is settled    stored long enough ago that no collector builds on what was before it
 *   is published  by the position, or, without one, stored by the epoch's floor; where Redis is configured. What was published ahead and
 *                 not compared with the archive yet counts as not published
 *   is proven     by Redis or the catalog; or a catalog made since it was stored knows no file that holds the source, nor one of its family
 *                 that may: then nothing is left to prove it with
 *   is whole      its header continues the chain
 *
 * The first one that is old and anything less stays, with the reason, and so does all after it.
 */

import type { Boundary } from '../core/boundary.ts'
import { boundarySegmentsMax } from '../core/boundary.ts'
import { chainOf } from '../core/chain.ts'
import { decodePosition } from '../core/position.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { Epoch, Feed } from '../ports/feed.ts'
import type { Listed, Store } from '../ports/store.ts'
import type { Proofs } from './catalog.ts'
import { headerAt } from './ledger-segments.ts'

const headersAtOnce = 16

/** What stands against the expiry of one source. */
export interface Limits {
  /** Whether a segment stored then is published, and proven. */
  isPublished(segment: SegmentHeader, storedAtMs: number): boolean
  isProven(segment: SegmentHeader, storedAtMs: number): boolean
  /** The end of the time that is old, and of the time that is settled, both ms since 1970. */
  beforeMs: number
  settledMs: number
}

export interface Chosen {
  segments: SegmentHeader[]
  /** Why the next one stays, though it is old; null: it is not old, or there is none. */
  kept: string | null
  /** The first one that is there, old or not; null: none can be read. */
  first: SegmentHeader | null
}

export async function choose(
  store: Store,
  { source, listed, previous, limits }: { source: string; listed: Listed[]; previous: Boundary | null; limits: Limits },
): Promise<Chosen> {
  const chosen: Chosen = { segments: [], kept: null, first: null }
  const { segments } = chosen
  const expired = previous?.segments.length ?? 0
  let at = previous?.end ?? 0
  let chain = previous?.chain ?? source
  for (let from = 0; from < listed.length; from += headersAtOnce) {
    const some = listed.slice(from, from + headersAtOnce)
    const headers = await Promise.all(some.map(({ key }) => headerOrReason(store, key)))
    for (const [index, header] of headers.entries()) {
      if (typeof header === 'string') return { ...chosen, kept: header }
      chosen.first ??= header
      if (!isOld(header, limits.beforeMs)) return chosen
      const { storedAtMs } = some[index] as Listed
      const isNext = header.start === at && header.previousChain === chain && chainOf(chain, header) === header.chain
      const kept = isNext
        ? whyKept(header, storedAtMs, limits)
        : 'it does not continue what is before it: run `gleaner verify`'
      if (kept !== null) return { ...chosen, kept }
      if (expired + segments.length >= boundarySegmentsMax)
        return { ...chosen, kept: `${boundarySegmentsMax} segments of it have expired, and a boundary holds no more` }
      segments.push(header)
      at = header.end
      chain = header.chain
    }
  }
  return chosen
}

async function headerOrReason(store: Store, key: string): Promise<SegmentHeader | string> {
  try {
    return (await headerAt(store, key)) ?? 'it is gone or cut short: another expiry is at work, or run `gleaner verify`'
  } catch (error) {
    if (isGleanerError(error, 'store-damaged')) return 'it is damaged: run `gleaner verify`'
    throw error
  }
}

/** The time that a segment's age goes by: RFC 3339. */
export function timeOf({ lastTime, writtenAt }: SegmentHeader): string {
  return lastTime !== null && !Number.isNaN(Date.parse(lastTime)) ? lastTime : writtenAt
}

function isOld(header: SegmentHeader, beforeMs: number): boolean {
  return Date.parse(timeOf(header)) < beforeMs
}

function whyKept(header: SegmentHeader, storedAtMs: number, limits: Limits): string | null {
  if (storedAtMs >= limits.settledMs) return 'it was stored a short while ago'
  if (!limits.isPublished(header, storedAtMs)) return 'it is not published yet'
  return limits.isProven(header, storedAtMs)
    ? null
    : 'it is not proven yet: `gleaner run`, or the next `gleaner reconcile`, reads its file once more'
}

/** Null: no collector has begun to publish, and whoever does counts what is archived by then as published. Throws `redis-*`. */
export async function epochOf(feed: Feed, root: string, archive: string): Promise<Epoch | null> {
  const epoch = await feed.epoch(root)
  if (epoch === null || epoch.archive === archive) return epoch
  const message = `it publishes ${epoch.archive}, and what expires here is ${archive}`
  throw new GleanerError('redis-other-archive', { operation: 'expire', subject: root, message })
}

/** Limits of some sources, in their order. Throws `redis-*`. */
export async function limitsOf(
  sources: readonly string[],
  given: {
    root: string
    feed: Feed | null
    epoch: Epoch | null
    proofs: Proofs
    times: Pick<Limits, 'beforeMs' | 'settledMs'>
  },
): Promise<Limits[]> {
  const { root, feed, epoch, proofs, times } = given
  const [positions, proven] = feed
    ? await Promise.all([feed.positions(root, [...sources]), feed.proven(root, [...sources])])
    : [[], []]
  return sources.map((source, index) => {
    const position = decodePosition(positions[index] ?? '')
    // The segment that ends where publishing ahead began stays: it is what a revision would name.
    const settledTo = position?.ahead ? position.ahead.at - 1 : Infinity
    const publishedTo = position && Math.min(position.published, position.announced, settledTo)
    const told = Number((proven[index] ?? '0').split(' ')[0]) || 0
    const provenTo = proofs.provenTo.get(source)
    return {
      ...times,
      isPublished({ end }, storedAtMs) {
        if (epoch === null) return true
        return epoch.state === 'open' && (publishedTo === null ? storedAtMs <= epoch.floorMs : end <= publishedTo)
      },
      isProven({ end, family }, storedAtMs) {
        if (end <= told) return true
        // What was stored after its pass began is not what the catalog knows, whatever stood there then.
        if (storedAtMs >= proofs.untilMs) return false
        return provenTo === undefined ? !proofs.unresolved.has(family) : end <= provenTo
      },
    }
  })
}
