/**
 * What remains of a source's expired segments, so that the source is still recognised and what follows still proven:
 *
 *     evidence/boundaries/<root>/<source>/<end>.json     end in 16 digits; created once; the largest end counts, and holds all before it
 *
 *     {v, root, source, family, path, format, end, lines, chain, beginning {length, sha256, bytes (base64)},
 *      segments: [{start, end, sha256, witness {length, sha256}}], revisions: [{start, end, n, sha256, witness}], before, writtenAt}
 *
 * `chain` is that of the last expired segment: the next segment's `previousChain`. One segment takes about 230 bytes, and a source of
 * `boundarySegmentsMax` segments some 230 MB: 64 TB, or a segment every five minutes for nine years.
 *
 * Segments that begin before `end` may still be there: an expiry was cut short, and the next one finishes it. They are not to be counted on.
 */

import { chainOf } from './chain.ts'
import type { Witness } from './identity.ts'
import { GleanerError } from '../errors.ts'

export interface Boundary {
  v: 1
  root: string
  source: string
  family: string
  path: string
  format: string
  /** Raw bytes [0, end) are expired. */
  end: number
  lines: number
  chain: string
  /** The first 4 KiB of what is expired, or all of it if that is less. */
  beginning: { length: number; sha256: string; bytes: string }
  /** Every expired segment, in order. */
  segments: ExpiredSegment[]
  /** Every expired revision: a file may hold it, and its witness counts for the source's. */
  revisions?: (ExpiredSegment & { n: number })[]
  /** What it was asked for, and when it was made: RFC 3339. */
  before?: string
  writtenAt?: string
}

export interface ExpiredSegment {
  start: number
  end: number
  sha256: string
  witness: { length: number; sha256: string }
}

/** A source with more expired segments than this expires no further. */
export const boundarySegmentsMax = 1_000_000

export function boundaryPrefix(root: string, source?: string): string {
  return `evidence/boundaries/${root}/${source === undefined ? '' : `${source}/`}`
}

export function boundaryKey(root: string, source: string, end: number): string {
  return `${boundaryPrefix(root, source)}${String(end).padStart(16, '0')}.json`
}

/** Boundary key → its parts, or null for anything else. */
export function parseBoundaryKey(key: string): { root: string; source: string; end: number } | null {
  const match = /^evidence\/boundaries\/([^/]+)\/([^/]+)\/(\d{16})\.json$/.exec(key)
  return match ? { root: match[1] as string, source: match[2] as string, end: Number(match[3]) } : null
}

/** Throws `store-damaged`, `archive-newer`. */
export function readBoundary(body: Buffer, key: string): Boundary {
  const damaged = (message: string): GleanerError =>
    new GleanerError('store-damaged', { operation: 'read', subject: key, message })
  let boundary: Boundary
  try {
    boundary = JSON.parse(body.toString('utf8')) as Boundary
  } catch {
    throw damaged('it is not the JSON that was written')
  }
  if (boundary === null || typeof boundary !== 'object') throw damaged('it is not the JSON that was written')
  if (boundary.v !== 1) {
    const message = `boundary version ${String(boundary.v)}, this Gleaner knows 1`
    throw new GleanerError('archive-newer', { operation: 'read', subject: key, message })
  }
  const { end, chain, beginning, segments } = boundary
  const isWhole =
    Number.isSafeInteger(end) &&
    typeof chain === 'string' &&
    typeof beginning?.bytes === 'string' &&
    Array.isArray(segments)
  if (!isWhole) throw damaged('it lacks fields')
  return boundary
}

/** The object. */
export function boundaryObject(boundary: Boundary): Buffer {
  return Buffer.from(`${JSON.stringify(boundary)}\n`)
}

/** The expired segment that begins at `start`, with its chain; null: none does. */
export function expiredAt(boundary: Boundary, start: number): (ExpiredSegment & { chain: string }) | null {
  let chain = boundary.source
  for (const segment of boundary.segments) {
    chain = chainOf(chain, segment)
    if (segment.start === start) return { ...segment, chain }
  }
  return null
}

/** The last expired segment that ends at or before `size`; null: none does. */
export function expiredBefore(boundary: Boundary, size: number): ExpiredSegment | null {
  return boundary.segments.findLast(({ end }) => end <= size) ?? null
}

/** The witnesses of the last `max` expired segments, and of the last `max` expired revisions. */
export function expiredWitnesses({ segments, revisions = [] }: Boundary, max: number): Witness[] {
  return [...segments.slice(-max), ...revisions.slice(-max)].map(({ end, witness }) => ({ ...witness, end }))
}
