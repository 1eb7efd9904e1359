/**
 * How far a source is published, as text beside it in Redis:
 *
 *     1 <published> <announced> [<start>:<end>:<digest> ...]
 *
 * published: offset of the next record. announced: end of the last segment announced in the segments stream.
 * Each `start:end:digest` is a range published ahead of the archive. Its digest folds the records one by one,
 *
 *     digest(none) = ""      digest(next) = SHA-256(digest, SHA-256(record bytes))
 *
 * so that a range can grow batch by batch, in any process, and still be compared with the archived bytes later: framing
 * the same bytes from the same start gives the same records. A range grows until a segment reaches into it; then the next begins, so
 * a position stays short.
 */

import { sha256 } from './hash.ts'

export interface Position {
  published: number
  announced: number
  ahead: Ahead[]
}

export interface Ahead {
  start: number
  end: number
  digest: string
}

export function encodePosition(position: Position): string {
  const ahead = position.ahead.map((range) => ` ${range.start}:${range.end}:${range.digest}`).join('')
  return `1 ${position.published} ${position.announced}${ahead}`
}

/** Text → position; null for text that is none (another program's, or a later version's). */
export function decodePosition(text: string): Position | null {
  const [version, published, announced, ...ahead] = text.split(' ')
  if (version !== '1' || !isOffset(published) || !isOffset(announced)) return null
  const ranges: Ahead[] = []
  for (const word of ahead) {
    const [start, end, digest] = word.split(':')
    if (!isOffset(start) || !isOffset(end) || !/^[0-9a-f]{64}$/.test(digest ?? '')) return null
    ranges.push({ start: Number(start), end: Number(end), digest: digest as string })
  }
  return { published: Number(published), announced: Number(announced), ahead: ranges }
}

/** The digest after one more record. */
export function foldRecord(digest: string, record: Uint8Array): string {
  return sha256(digest + sha256(record))
}

/**
 * The position after records [published, end) with the given bytes were published ahead of `head`.
 */
export function publishedAhead(position: Position, head: number, records: { end: number; bytes: Uint8Array }[]): Position {
  const end = records.at(-1)?.end ?? position.published
  const last = position.ahead.at(-1)
  const grows = last !== undefined && last.end === position.published && last.start >= head
  const fold = (digest: string): string => records.reduce((sum, record) => foldRecord(sum, record.bytes), digest)
  const range = grows
    ? { start: last.start, end, digest: fold(last.digest) }
    : { start: position.published, end, digest: fold('') }
  const before = grows ? position.ahead.slice(0, -1) : position.ahead
  return { ...position, published: end, ahead: [...before, range] }
}

function isOffset(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))
}
