/** Archived bytes, piece by piece. Where they have expired, that is said: a gap in the archive is something else. */

import { boundaryKey } from '../core/boundary.ts'
import { framesOf, parseSegmentKey, segmentBytesMax, segmentKey } from '../core/segment.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { StoredObject } from '../ports/store.ts'
import { boundaryOf } from './boundaries.ts'
import type { Known, Mark } from './ledger-segments.ts'
import { headerOf, segmentsFrom } from './ledger-segments.ts'

export interface Piece {
  offset: number
  bytes: Buffer
  mark: Mark
  /** Whether these are the segment's last bytes. */
  last: boolean
}

const attemptsMax = 3
const wholeBytesMax = 24 * 1024 * 1024

/** Throws `expired` where a part of the range has, `store-damaged` at a gap. */
export async function* read(
  known: Known,
  source: string,
  range: { start: number; end: number },
): AsyncGenerator<Piece> {
  if (range.end <= range.start) return
  let at = range.start
  for (const listed of await segmentsFrom(known, source, Math.max(0, range.start - segmentBytesMax))) {
    const start = parseSegmentKey(listed.key)?.start ?? 0
    if (start >= range.end) break
    const mark = await headerOf(known, listed.key, listed.storedAtMs)
    if (mark.end <= at) continue
    if (start > at) throw await absent(known, source, at)
    const object = await fetchWhole(known, listed.key)
    if (!object) throw await absent(known, source, at)
    for (const piece of framesOf(object.body, listed.key, { start: at, end: range.end })) {
      const from = Math.max(at, piece.offset)
      const to = Math.min(range.end, piece.offset + piece.bytes.length)
      yield {
        offset: from,
        bytes: piece.bytes.subarray(from - piece.offset, to - piece.offset),
        mark,
        last: to === mark.end,
      }
      at = to
    }
  }
  if (at < range.end) throw await absent(known, source, at)
}

/** The first bytes of a source, at most `bytesMax` of what its first segment or its boundary holds; empty where it has neither. */
export async function beginningOf(known: Known, source: string, bytesMax: number): Promise<Buffer> {
  const key = segmentKey(known.root, source, 0)
  const object = await known.store.get(key)
  if (!object) return expiredBeginning(known, source, bytesMax)
  for (const { bytes } of framesOf(object.body, key, { start: 0, end: bytesMax })) return bytes.subarray(0, bytesMax)
  return Buffer.alloc(0)
}

/**
 * The bytes [0, end), end ≤ 4096, some of which may have expired; an expiry that broke off may have left the first segment and not the next.
 * Throws `store-damaged`.
 */
export async function firstBytes(known: Known, source: string, end: number): Promise<Buffer> {
  const continued = async (kept: Buffer): Promise<Buffer> => {
    const pieces = [kept]
    for await (const { bytes } of read(known, source, { start: kept.length, end })) pieces.push(bytes)
    return Buffer.concat(pieces)
  }
  return besideExpiry(async () => {
    try {
      return await continued(await beginningOf(known, source, end))
    } catch (error) {
      if (!isGleanerError(error, 'expired')) throw error
      return await continued(await expiredBeginning(known, source, end))
    }
  })
}

/** What its boundary holds of a source's first bytes. */
async function expiredBeginning({ store, root }: Known, source: string, bytesMax: number): Promise<Buffer> {
  const boundary = await boundaryOf(store, root, source)
  return Buffer.from(boundary?.beginning.bytes ?? '', 'base64').subarray(0, bytesMax)
}

/** More may expire between a look at the boundary and the read behind it: then the next boundary tells. Throws what `attempt` throws. */
export async function besideExpiry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt()
    } catch (error) {
      if (!isGleanerError(error, 'expired') || count === attemptsMax) throw error
    }
  }
}

/** The whole object; null where it is not there. */
async function fetchWhole(known: Known, key: string): Promise<StoredObject | null> {
  if (known.whole?.key === key) return known.whole.object
  const object = await known.store.get(key)
  known.whole = object && object.size <= wholeBytesMax ? { key, object } : null
  return object
}

/** Why nothing is there at an offset. */
async function absent({ store, root }: Known, source: string, at: number): Promise<GleanerError> {
  const facts = { operation: 'read', subject: `${root}/${source}` }
  const boundary = await boundaryOf(store, root, source)
  if (!boundary || boundary.end <= at)
    return new GleanerError('store-damaged', { ...facts, message: `the archive has a gap at offset ${at}` })
  return expiredError(facts, boundary)
}

export function expiredError(
  facts: { operation: string; subject: string },
  { root, source, end, before }: { root: string; source: string; end: number; before?: string },
): GleanerError {
  const asked = before === undefined ? '' : ` (expire --before ${before})`
  const message = `its first ${end} bytes have expired${asked}; what remains of them is ${boundaryKey(root, source, end)}`
  return new GleanerError('expired', { ...facts, message })
}
