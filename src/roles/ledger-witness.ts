/** Evidence beyond a source's last segment: earlier witnesses, and what a shorter file must hold. It outlives the segments' expiry. */

import { createHash } from 'node:crypto'
import { expiredBefore, expiredWitnesses } from '../core/boundary.ts'
import { sha256 } from '../core/hash.ts'
import type { Prefix, Witness } from '../core/identity.ts'
import { beginningBytes } from '../core/identity.ts'
import { parseSegmentKey, revisionPrefix, segmentBytesMax } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import { boundaryOf } from './boundaries.ts'
import { besideExpiry, firstBytes, read } from './ledger-read.ts'
import type { Known, Mark } from './ledger-segments.ts'
import { headerOf, lastSegment, listAll, segmentsFrom } from './ledger-segments.ts'

/** How many earlier segments are asked for their witness when the last one's does not fit. */
const earlierMax = 64

export async function revisionsOf(
  { store, root }: Known,
  source: string,
): Promise<{ key: string; start: number; n: number }[]> {
  const listed = await listAll(store, revisionPrefix(root, source))
  return listed.flatMap(({ key }) => {
    const match = /\/(\d{16})-(\d+)\.zst$/.exec(key)
    return match ? [{ key, start: Number(match[1]), n: Number(match[2]) }] : []
  })
}

/** Longest first. */
export async function earlierWitnesses(known: Known, source: string): Promise<Witness[]> {
  const head = known.heads.get(source)?.mark ?? (await lastSegment(known, source, 0))
  if (!head) return []
  const recent = await segmentsFrom(known, source, Math.max(0, head.start - 4 * segmentBytesMax))
  const revisions = (await revisionsOf(known, source)).map(({ key }) => ({ key, storedAtMs: 0 }))
  const objects = [...recent.slice(-earlierMax), ...revisions.slice(-earlierMax)]
  const marks = await Promise.all(objects.map(({ key, storedAtMs }) => revisionOrHeader(known, key, storedAtMs)))
  const boundary = await boundaryOf(known.store, known.root, source)
  const expired = boundary ? expiredWitnesses(boundary, earlierMax) : []
  return [...marks.flatMap((mark) => (mark ? [mark.witness] : [])), ...expired].sort((a, b) => b.end - a.end)
}

/** Null for a revision that has expired since it was listed: its witness is in the boundary. */
async function revisionOrHeader(known: Known, key: string, storedAtMs: number): Promise<Mark | null> {
  try {
    return await headerOf(known, key, storedAtMs)
  } catch (error) {
    if (isGleanerError(error, 'store-damaged') && !parseSegmentKey(key) && !(await known.store.get(key))) return null
    throw error
  }
}

/** What a file of `size` bytes, shorter than the head, must hold to be a prefix. */
export async function prefixOf(known: Known, source: string, size: number): Promise<Prefix> {
  const beginning = sha256(await firstBytes(known, source, Math.min(beginningBytes, size)))
  const fits = await lastWithin(known, source, size)
  const start = fits?.end ?? 0
  const hash = createHash('sha256')
  try {
    for await (const piece of read(known, source, { start, end: size })) hash.update(piece.bytes)
    return { size, start, sha256: hash.digest('hex'), witness: fits?.witness ?? null, beginning }
  } catch (error) {
    if (!isGleanerError(error, 'expired')) throw error
    return besideExpiry(() => expiredPrefix(known, source, { size, beginning }))
  }
}

/** The last segment that ends at or before `size`. */
async function lastWithin(known: Known, source: string, size: number): Promise<Mark | null> {
  const listed = await segmentsFrom(known, source, Math.max(0, size - segmentBytesMax))
  let fits: Mark | null = null
  for (const { key, storedAtMs } of listed.filter((one) => (parseSegmentKey(one.key)?.start ?? 0) <= size)) {
    const mark = await headerOf(known, key, storedAtMs)
    if (mark.end <= size) fits = mark
  }
  return fits
}

/**
 * For a file that ends where the archive has expired. Behind the boundary the rest is compared as ever; within, what follows the last
 * expired segment that fits is gone, so the beginning and that segment's witness must do: to take such a file for another one would
 * collect again what has expired.
 */
async function expiredPrefix(
  known: Known,
  source: string,
  { size, beginning }: { size: number; beginning: string },
): Promise<Prefix> {
  const boundary = await boundaryOf(known.store, known.root, source)
  const last = boundary && expiredBefore(boundary, size)
  const witness = last ? { ...last.witness, end: last.end } : null
  const start = boundary && size >= boundary.end ? boundary.end : size
  const hash = createHash('sha256')
  for await (const piece of read(known, source, { start, end: size })) hash.update(piece.bytes)
  return { size, start, sha256: hash.digest('hex'), witness, beginning }
}
