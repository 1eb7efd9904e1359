/**
 * How far a source is published, as text beside it in Redis:
 *
 *     1 <published> <announced> [<start>:<end>:<digest>:<length>:<witness> ...]
 *
 * published: offset of the next record. announced: end of the last segment announced in the segments stream.
 * Each further word is a range published ahead of the archive. Its digest folds the records one by one,
 *
 *     digest(none) = ""      digest(next) = SHA-256(digest, SHA-256(record bytes))
 *
 * so that a range can grow batch by batch, in any process, and still be compared with the archived bytes later: framing
 * the same bytes from the same start gives the same records. A range grows until a segment reaches into it; then the next begins, so
 * a position stays short. The witness is the SHA-256 of the `length` bytes (4 KiB or fewer) before the range's end: a file that does not hold
 * them is not the one that was published, however well it fits what is archived (two files may begin alike).
 */

import { sha256 } from './hash.ts'
import { witnessBytes } from './identity.ts'

export interface Position {
  published: number
  announced: number
  ahead: Ahead[]
}

export interface Ahead {
  start: number
  end: number
  digest: string
  witness: { length: number; sha256: string }
}

export function encodePosition(position: Position): string {
  const words = position.ahead.map(({ start, end, digest, witness }) => ` ${start}:${end}:${digest}:${witness.length}:${witness.sha256}`)
  return `1 ${position.published} ${position.announced}${words.join('')}`
}

/** Text → position; null for text that is none (another program's, or a later version's). */
export function decodePosition(text: string): Position | null {
  const [version, published, announced, ...words] = text.split(' ')
  if (version !== '1' || !isOffset(published) || !isOffset(announced)) return null
  const ahead = words.map(decodeAhead)
  if (ahead.includes(null)) return null
  return { published: Number(published), announced: Number(announced), ahead: ahead as Ahead[] }
}

function decodeAhead(word: string): Ahead | null {
  const [start, end, digest, length, witness] = word.split(':')
  if (!isOffset(start) || !isOffset(end) || !isOffset(length) || !isHash(digest) || !isHash(witness)) return null
  return { start: Number(start), end: Number(end), digest, witness: { length: Number(length), sha256: witness } }
}

/** The digest after one more record. */
export function foldRecord(digest: string, record: Uint8Array): string {
  return sha256(digest + sha256(record))
}

/**
 * The position after records from `published` on, with the given bytes, were published ahead of `head`.
 */
export function publishedAhead(position: Position, head: number, records: { end: number; bytes: Buffer }[]): Position {
  const end = records.at(-1)?.end ?? position.published
  const last = position.ahead.at(-1)
  const grows = last !== undefined && last.end === position.published && last.start >= head
  const digest = records.reduce((sum, record) => foldRecord(sum, record.bytes), grows ? last.digest : '')
  const range = { start: grows ? last.start : position.published, end, digest, witness: witnessOf(records) }
  const before = grows ? position.ahead.slice(0, -1) : position.ahead
  return { ...position, published: end, ahead: [...before, range] }
}

/** Of the last 4 KiB of these records, or of all if they are fewer. */
function witnessOf(records: { bytes: Buffer }[]): { length: number; sha256: string } {
  const tail: Buffer[] = []
  let length = 0
  for (let at = records.length - 1; at >= 0 && length < witnessBytes; at--) {
    const bytes = (records[at] as { bytes: Buffer }).bytes
    const part = bytes.subarray(Math.max(0, bytes.length - (witnessBytes - length)))
    tail.unshift(part)
    length += part.length
  }
  return { length, sha256: sha256(Buffer.concat(tail)) }
}

/** The range that reaches to `published`, if it was published ahead. */
export function lastAhead(position: Position): Ahead | null {
  const last = position.ahead.at(-1)
  return last !== undefined && last.end === position.published ? last : null
}

function isOffset(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))
}

function isHash(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{64}$/.test(text)
}
