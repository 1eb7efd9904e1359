/**
 * How far a source is published, as text beside it in Redis:
 *
 *     1 <published> <announced>
 *     1 <published> <announced> <at>:<digest> <end>:<digest> ... <length>:<witness>
 *
 * published: offset of the next record. announced: end of the last segment announced in the segments stream. The longer form
 * says what was published ahead of the archive, from `at` to `published`. A digest folds the records one by one,
 *
 *     digest("") = SHA-256(SHA-256(record bytes))      digest(next) = SHA-256(digest, SHA-256(record bytes))
 *
 * so that the range can grow batch by batch, in any process, and still be compared with the archived bytes later: framing the same
 * bytes from the same start gives the same records. A few digests on the way are kept, so that a difference is found as soon as a segment
 * covers the first of them. `x` in place of the first digest: what was published from there on is known to be false.
 *
 * The witness is the SHA-256 of the `length` bytes (4 KiB or fewer) before `published`: a file that does not hold them is not the one that
 * was published, however well it fits what is archived (two files may begin alike).
 */

import { sha256 } from './hash.ts'
import { witnessBytes } from './identity.ts'

export interface Position {
  published: number
  announced: number
  ahead: Ahead | null
}

export interface Ahead {
  /** Up to `at` all is known to be as archived, or not to be (`isFalse`); the digest goes on from here. */
  at: number
  digest: string
  isFalse: boolean
  /** The digest at some record ends after `at`, in order; the last is at `published`. */
  marks: { end: number; digest: string }[]
  witness: { length: number; sha256: string }
}

const marksMax = 6

export function encodePosition({ published, announced, ahead }: Position): string {
  const text = `1 ${published} ${announced}`
  if (!ahead) return text
  const marks = ahead.marks.map(({ end, digest }) => ` ${end}:${digest}`).join('')
  return `${text} ${ahead.at}:${ahead.isFalse ? 'x' : ahead.digest}${marks} ${ahead.witness.length}:${ahead.witness.sha256}`
}

/** Text → position; null for text that is none (another program's, or a later version's). */
export function decodePosition(text: string): Position | null {
  const [version, published, announced, ...words] = text.split(' ')
  if (version !== '1' || !isOffset(published) || !isOffset(announced)) return null
  const place = { published: Number(published), announced: Number(announced) }
  if (words.length === 0) return { ...place, ahead: null }
  const pairs = words.map((word) => word.split(':'))
  if (words.length < 2 || !pairs.every(([number, hash]) => isOffset(number) && /^(|x|[0-9a-f]{64})$/.test(hash ?? '-')))
    return null
  const [first, ...rest] = pairs.map(([number, hash]) => ({ number: Number(number), hash: hash as string }))
  const last = rest.pop()
  if (!first || !last) return null
  const ahead = {
    at: first.number,
    digest: first.hash === 'x' ? '' : first.hash,
    isFalse: first.hash === 'x',
    marks: rest.map(({ number, hash }) => ({ end: number, digest: hash })),
    witness: { length: last.number, sha256: last.hash },
  }
  return { ...place, ahead }
}

/** The digest after one more record. */
export function foldRecord(digest: string, record: Uint8Array): string {
  return sha256(digest + sha256(record))
}

/** The position after records from `published` on, with the given bytes, were published ahead of the archive. */
export function publishedAhead(position: Position, records: { end: number; bytes: Buffer }[]): Position {
  const end = records.at(-1)?.end ?? position.published
  const before = position.ahead ?? { at: position.published, digest: '', isFalse: false, marks: [] }
  const digest = records.reduce(
    (sum, record) => foldRecord(sum, record.bytes),
    before.marks.at(-1)?.digest ?? before.digest,
  )
  const marks = thinned([...before.marks, { end, digest }], before.at)
  return { ...position, published: end, ahead: { ...before, marks, witness: witnessOf(records) } }
}

/** At most so many marks: the one that is closest to the one before it goes, but never the last. */
function thinned(marks: { end: number; digest: string }[], at: number): { end: number; digest: string }[] {
  if (marks.length <= marksMax) return marks
  const gaps = marks.slice(0, -1).map((mark, index) => mark.end - (marks[index - 1]?.end ?? at))
  const least = gaps.indexOf(Math.min(...gaps))
  return marks.filter((_, index) => index !== least)
}

/** Of the last 4 KiB of these records, or of all if they are fewer. */
function witnessOf(records: { bytes: Buffer }[]): { length: number; sha256: string } {
  const tail: Buffer[] = []
  let length = 0
  for (let at = records.length - 1; at >= 0 && length < witnessBytes; at--) {
    const { bytes } = records[at] as { bytes: Buffer }
    const part = bytes.subarray(Math.max(0, bytes.length - (witnessBytes - length)))
    tail.unshift(part)
    length += part.length
  }
  return { length, sha256: sha256(Buffer.concat(tail)) }
}

/**
 * Whether a file that fits the archive up to `head` also holds what was published last, ahead of the archive. `bytes` are the file's, from
 * `start` on.
 *
 *   unread    they do not reach that far, or begin too late
 *   stale     more is archived than `head` says
 *   doubtful  the archive has come into the range, which may or may not be as published
 */
export function agreement(
  position: Position,
  head: number,
  file: { start: number; bytes: Buffer } | null,
): 'agrees' | 'differs' | 'unread' | 'stale' | 'doubtful' {
  const { ahead, published } = position
  if (position.announced > head || (ahead === null && published > head)) return 'stale'
  if (ahead === null || published <= head) return 'agrees'
  const from = published - ahead.witness.length
  const isRead = file !== null && from >= file.start && published <= file.start + file.bytes.length
  if (
    isRead &&
    !ahead.isFalse &&
    sha256(file.bytes.subarray(from - file.start, published - file.start)) === ahead.witness.sha256
  )
    return 'agrees'
  if (ahead.isFalse || head > ahead.at) return 'doubtful'
  return isRead ? 'differs' : 'unread'
}

function isOffset(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text))
}
