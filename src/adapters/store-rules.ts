import { GleanerError } from '../errors.ts'
import type { Body, ByteRange } from '../ports/store.ts'

/**
 * What all stores have in common: which keys they take, and what a range means.
 *
 * A key is accepted by every store or by none, so that an archive can move between them: names of printable ASCII joined by
 * `/`, none empty, none beginning with a dot (a directory keeps its drafts under such names), none longer than 255 bytes
 * (NAME_MAX), at most 900 bytes in all (S3 allows 1,024 with the prefix).
 */
const shape = /^(?!\.)[\x21-\x2e\x30-\x7e]{1,255}(?:\/(?!\.)[\x21-\x2e\x30-\x7e]{1,255})*$/

export function isKey(key: string): boolean {
  return key.length <= 900 && shape.test(key)
}

/** Gives the key back. Throws `internal` for anything else: keys are made by Gleaner, never taken from outside. */
export function checkedKey(operation: string, key: string): string {
  if (isKey(key)) return key
  throw new GleanerError('internal', { operation, subject: JSON.stringify(key), message: 'not a key of a store' })
}

/** As `checkedKey`, for a key that will be replaced: evidence is only ever created. */
export function replaceableKey(operation: string, key: string): string {
  if (!key.startsWith('evidence/')) return checkedKey(operation, key)
  throw new GleanerError('internal', { operation, subject: key, message: 'evidence is never replaced' })
}

export function partsOf(body: Body): readonly Uint8Array[] {
  return Buffer.isBuffer(body) ? [body] : body
}

/** The bytes [start, end) that `range` names in an object of `size` bytes; empty where it lies past the end. */
export function rangeWithin(size: number, range: ByteRange | undefined): { start: number; end: number } {
  if (range === undefined) return { start: 0, end: size }
  if ('suffix' in range) return { start: Math.max(0, size - range.suffix), end: size }
  const start = Math.min(range.start, size)
  return { start, end: Math.max(start, Math.min(range.end ?? size, size)) }
}

/** Index of the first of the sorted strings that is greater than `key`. */
export function firstAfter(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? '') > key) high = middle
    else low = middle + 1
  }
  return low
}
