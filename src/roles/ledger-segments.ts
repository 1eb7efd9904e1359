/**
 * The segments of one root, as the ledger knows them: listed from the store, their headers cached.
 *
 * What has expired is known by its source's boundary, which is always there before the first segment goes. So a segment that is missing is
 * looked for there, once the store was asked for the segment itself and never before.
 */

import type { Boundary } from '../core/boundary.ts'
import { boundaryKey, expiredAt, parseBoundaryKey } from '../core/boundary.ts'
import type { LruMap } from '../core/lru.ts'
import type { Candidate, Witness } from '../core/identity.ts'
import type { SegmentHeader } from '../core/segment.ts'
import {
  headerBytesNeeded,
  parseSegmentKey,
  readHeader,
  segmentBytesMax,
  segmentKey,
  segmentPrefix,
} from '../core/segment.ts'
import { GleanerError } from '../errors.ts'
import type { Listed, Store, StoredObject } from '../ports/store.ts'
import { boundaryOf } from './boundaries.ts'

/** A segment, as its header and the store tell it; or an expired one, as its source's boundary does. */
export interface Mark {
  key: string
  source: string
  start: number
  end: number
  lines: number
  sha256: string
  chain: string
  witness: Witness
  beginning: { length: number; sha256: string }
  tail: 'complete' | 'incomplete' | 'cut'
  path: string
  family: string
  writeId: string
  /** 0 for a boundary: what has expired counts as stored before any floor. */
  storedAtMs: number
  /** No object holds its bytes any more. */
  expired: boolean
}

/** What the ledger remembers of the store. */
export interface Known {
  store: Store
  root: string
  /** The last segment of each source, and when the store last said so, ms of `nowMs`. */
  heads: LruMap<string, { mark: Mark; atMs: number }>
  headers: LruMap<string, Mark>
  /** The last object that was read whole, if it was not too large: records are published from it batch by batch. */
  whole: { key: string; object: StoredObject } | null
  nowMs: () => number
  /** A source's boundary, for one whose segments the store was just asked for. */
  boundaryAfter: (source: string) => Promise<Boundary | null>
}

const headerGuessBytes = 4096

export function learn({ heads, nowMs }: Known, mark: Mark): void {
  const before = heads.get(mark.source)
  if (!before || before.mark.end <= mark.end) heads.set(mark.source, { mark, atMs: nowMs() })
}

/** Of a segment, there or expired, or of a boundary: then the last segment that it holds. Throws `store-damaged` where neither is. */
export async function headerOf(known: Known, key: string, storedAtMs: number): Promise<Mark> {
  const { store, root, headers } = known
  const cached = headers.get(key)
  if (cached) return cached
  const boundarySource = parseBoundaryKey(key)?.source
  if (boundarySource !== undefined) {
    const boundary = await boundaryOf(store, root, boundarySource)
    if (boundary) return boundaryMark(boundary)
  }
  const header = await headerAt(store, key)
  const mark = header ? markOf(header, key, storedAtMs) : await expiredMark(known, key, storedAtMs)
  if (!mark)
    throw new GleanerError('store-damaged', { operation: 'read', subject: key, message: 'it is missing or cut short' })
  headers.set(key, mark)
  return mark
}

/** What the boundary says of a segment that is not there; null: it has not expired. */
async function expiredMark({ store, root }: Known, key: string, storedAtMs: number): Promise<Mark | null> {
  const place = parseSegmentKey(key)
  const boundary = place && (await boundaryOf(store, root, place.source))
  const segment = boundary && expiredAt(boundary, place.start)
  if (!segment) return null
  const { start, end, sha256, chain } = segment
  const witness = { ...segment.witness, end }
  return { ...boundaryMark(boundary), key, start, end, sha256, chain, witness, storedAtMs }
}

export function segmentsFrom({ store, root }: Known, source: string, from: number): Promise<Listed[]> {
  return listAll(store, `${segmentPrefix(root)}${source}/`, from > 0 ? segmentKey(root, source, from - 1) : undefined)
}

/**
 * List from size − 64 MiB, then gallop backwards: a source's last segment starts within 64 MiB of its end. A source without any may have
 * expired whole.
 */
export async function lastSegment(known: Known, source: string, sizeHint: number): Promise<Mark | null> {
  const near = Math.max(sizeHint, known.heads.get(source)?.mark.end ?? 0)
  for (let back = segmentBytesMax; ; back *= 8) {
    const from = Math.max(0, near - back)
    const object = (await segmentsFrom(known, source, from)).at(-1)
    const mark = object ? await headerOf(known, object.key, object.storedAtMs) : null
    if (mark || from === 0) {
      const last = mark ?? (await lastExpired(known, source))
      if (last) learn(known, last)
      return last
    }
  }
}

async function lastExpired({ boundaryAfter }: Known, source: string): Promise<Mark | null> {
  const boundary = await boundaryAfter(source)
  return boundary && boundaryMark(boundary)
}

/** The last expired segment of a source, which is its head once nothing else is left. */
function boundaryMark(boundary: Boundary): Mark {
  const { root, source, end, lines, chain, beginning, path, family, segments } = boundary
  const last = segments.at(-1)
  const key = boundaryKey(root, source, end)
  if (last?.end !== end) {
    const message = `its segments end at ${last?.end ?? 0}, it says ${end}`
    throw new GleanerError('store-damaged', { operation: 'read', subject: key, message })
  }
  return {
    key,
    source,
    start: last.start,
    end,
    lines,
    sha256: last.sha256,
    chain,
    witness: { ...last.witness, end },
    beginning: { length: beginning.length, sha256: beginning.sha256 },
    tail: 'complete',
    path,
    family,
    writeId: '',
    storedAtMs: 0,
    expired: true,
  }
}

/** A candidate's evidence as far as its last segment gives it. */
export function candidateOf(mark: Mark): Candidate {
  return {
    id: mark.source,
    head: mark.end,
    beginning: mark.beginning,
    witness: mark.witness,
    earlier: null,
    heldElsewhere: null,
    prefix: null,
  }
}

export function markOf(header: SegmentHeader, key: string, storedAtMs: number): Mark {
  const { source, start, end, lines, sha256: hash, chain, beginning, tail, path, family, writeId } = header
  const witness = { ...header.witness, end }
  return {
    key,
    source,
    start,
    end,
    lines,
    sha256: hash,
    chain,
    witness,
    beginning,
    tail,
    path,
    family,
    writeId,
    storedAtMs,
    expired: false,
  }
}

/** All objects below a prefix, page by page. */
export async function listAll(store: Store, prefix: string, after?: string): Promise<Listed[]> {
  const all: Listed[] = []
  for (;;) {
    const page = await store.list(prefix, after === undefined ? {} : { after })
    all.push(...page.objects)
    after = page.objects.at(-1)?.key
    if (!page.more || after === undefined) return all
  }
}

/**
 * The header of a segment or revision; null where there is no such object. One range read for a header of usual length, a second for a long
 * one. Throws `store-damaged`, `archive-newer`.
 */
export async function headerAt(store: Store, key: string): Promise<SegmentHeader | null> {
  let bytes = headerGuessBytes
  for (let attempt = 0; attempt < 2; attempt++) {
    const object = await store.get(key, { start: 0, end: bytes })
    if (!object) return null
    const header = readHeader(object.body, key)
    if (header) return header
    bytes = headerBytesNeeded(object.body, key) ?? bytes
  }
  throw new GleanerError('store-damaged', { operation: 'read', subject: key, message: 'it is cut short' })
}
