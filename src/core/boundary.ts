/**
 * What remains of a source's expired segments, so that the source is still recognised and what follows still proven:
 *
 *     evidence/boundaries/<root>/<source>/<end>.json     end in 16 digits; created once; the largest end counts, and holds all before it
 *
 *     {v, root, source, family, path, format, end, lines, chain, beginning {length, sha256, bytes (base64)},
 *      segments: [{start, end, sha256, witness {length, sha256}}]}
 *
 * `chain` is that of the last expired segment: the next segment's `previousChain`.
 */

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
  /** The first 4 KiB of the source, or what there was of it. */
  beginning: { length: number; sha256: string; bytes: string }
  /** Every expired segment, in order. */
  segments: { start: number; end: number; sha256: string; witness: { length: number; sha256: string } }[]
}

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
