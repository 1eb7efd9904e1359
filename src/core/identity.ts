/**
 * Who a file is. A source is known by its content; paths and inode numbers only save work. DESIGN.md section 4.
 *
 *  id       `<c0>-<n>`: c0 hashes root, family and first complete record; n counts the files that begin alike
 *  verdict  what one look at a file says about one candidate: same, prefix, different, or which evidence is missing
 *
 * Everything here is a pure function of one look and of what the archive says.
 */

import { sha256 } from './hash.ts'

/** How many bytes of the beginning are compared. */
export const beginningBytes = 4096
/** How many bytes before a segment's end make its witness. */
export const witnessBytes = 4096
/** A first record is cut here. */
export const firstRecordBytes = 65_536

/** Lines at the head of a file that are no record. */
export type Header = 'none' | { lines: number } | { prefix: string }

/**
 * The first 16 bytes, in hex, of SHA-256 over root name, 0, family path as bytes, 0, first record.
 * `first` is the first record without its newline, cut at 64 KiB; empty for a final file without any complete record. That id stays a
 * candidate for every file of the family: such a file may grow after all, and then begins with another record.
 */
export function contentId(root: string, family: Uint8Array, first: Uint8Array): string {
  const zero = Buffer.of(0)
  return sha256(Buffer.concat([Buffer.from(root), zero, family, zero, first.subarray(0, firstRecordBytes)])).slice(
    0,
    32,
  )
}

export function sourceId(c0: string, n: number): string {
  return `${c0}-${n}`
}

/** `<c0>-<n>` → its parts, or null. */
export function parseSourceId(id: string): { c0: string; n: number } | null {
  const match = /^([0-9a-f]{32})-(0|[1-9]\d{0,8})$/.exec(id)
  return match ? { c0: match[1] as string, n: Number(match[2]) } : null
}

/**
 * The first complete line after the header, without its newline, cut at 64 KiB; null where `bytes` (the first 64 KiB plus whatever of the
 * header) hold none.
 */
export function firstLine(bytes: Buffer, header: Header): Buffer | null {
  const start = afterHeader(bytes, header)
  if (start === null) return null
  const newline = bytes.indexOf(10, start)
  if (newline >= 0) return bytes.subarray(start, Math.min(newline, start + firstRecordBytes))
  return bytes.length - start >= firstRecordBytes ? bytes.subarray(start, start + firstRecordBytes) : null
}

function afterHeader(bytes: Buffer, header: Header): number | null {
  if (header === 'none') return 0
  let at = 0
  for (let line = 0; line < 1000; line++) {
    const skip =
      'lines' in header
        ? line < header.lines
        : bytes.subarray(at, at + header.prefix.length).toString('latin1') === header.prefix
    if (!skip) return at
    const newline = bytes.indexOf(10, at)
    if (newline < 0) return null
    at = newline + 1
  }
  return at
}

/** What the archive says of one candidate, as far as it was fetched. */
export interface Candidate {
  id: string
  /** How far it is archived. */
  head: number
  /** The first 4 KiB of the source, or what there was of it when the last segment was made. */
  beginning: { length: number; sha256: string }
  /** The last segment's witness. */
  witness: Witness
  /** Witnesses of earlier segments and of revisions, longest first; null: not fetched yet. Never needed while `heldElsewhere`. */
  earlier: Witness[] | null
  /** Whether another member of the family has the last witness; null: not asked yet. */
  heldElsewhere: boolean | null
  /** What a file of `prefix.size` bytes, shorter than the head, must hold; null: not fetched. */
  prefix: Prefix | null
}

/** SHA-256 of [end − length, end). */
export interface Witness {
  end: number
  length: number
  sha256: string
}

/** What a file of `size` bytes must hold to be a prefix: `sha256` over [start, size), and the witness at `start` (if > 0). */
export interface Prefix {
  size: number
  start: number
  sha256: string
  witness: Witness | null
  /** SHA-256 of the first `min(4096, size)` archived bytes. */
  beginning: string
}

/** What one look says. `hash` answers for the ranges that were probed; undefined where one was not. */
export interface Seen {
  size: number
  beginning: Buffer
  hash(start: number, end: number): string | null | undefined
}

export type Verdict =
  | { verdict: 'same'; matched: Witness }
  | { verdict: 'prefix' }
  | { verdict: 'different' }
  /** The archive must be asked for this first. */
  | { verdict: 'need'; evidence: 'earlier' | 'holder' | 'prefix' }

/** The ranges that a look at a file of `size` must probe for `judge` to have its answers. */
export function probesFor(candidate: Candidate, size: number): { start: number; end: number }[] {
  const { prefix, head, witness, earlier } = candidate
  const ranges: { start: number; end: number }[] = []
  if (prefix !== null && prefix.size <= size) {
    ranges.push({ start: prefix.start, end: prefix.size }, ...(prefix.witness ? [rangeOf(prefix.witness)] : []))
  }
  if (size >= head) ranges.push(...[witness, ...(earlier ?? [])].map(rangeOf))
  return ranges
}

/** The table of DESIGN.md section 4, resolving. */
export function judge(candidate: Candidate, seen: Seen): Verdict {
  const { prefix } = candidate
  // Bytes that differ stay different, however far the file has grown since this evidence was fetched.
  if (prefix !== null && prefix.size <= seen.size && !fitsPrefix(prefix, seen)) return { verdict: 'different' }
  if (seen.size < candidate.head) {
    return prefix?.size === seen.size ? { verdict: 'prefix' } : { verdict: 'need', evidence: 'prefix' }
  }
  if (!beginsAlike(candidate, seen)) return { verdict: 'different' }
  if (isEqual(candidate.witness, seen)) return { verdict: 'same', matched: candidate.witness }
  if (candidate.heldElsewhere === null) return { verdict: 'need', evidence: 'holder' }
  if (candidate.heldElsewhere) return { verdict: 'different' }
  if (candidate.earlier === null) return { verdict: 'need', evidence: 'earlier' }
  const matched = candidate.earlier.find((earlier) => isEqual(earlier, seen))
  return matched ? { verdict: 'same', matched } : { verdict: 'different' }
}

function fitsPrefix(prefix: Prefix, seen: Seen): boolean {
  return (
    sha256(seen.beginning.subarray(0, Math.min(beginningBytes, prefix.size))) === prefix.beginning &&
    seen.hash(prefix.start, prefix.size) === prefix.sha256 &&
    (prefix.witness === null || isEqual(prefix.witness, seen))
  )
}

function beginsAlike(candidate: Candidate, seen: Seen): boolean {
  const { length, sha256: expected } = candidate.beginning
  return seen.beginning.length >= length && sha256(seen.beginning.subarray(0, length)) === expected
}

function isEqual(witness: Witness, seen: Seen): boolean {
  return seen.hash(witness.end - witness.length, witness.end) === witness.sha256
}

function rangeOf(witness: Witness): { start: number; end: number } {
  return { start: witness.end - witness.length, end: witness.end }
}

/** One candidate with its verdict. */
export interface Judged<C extends Candidate = Candidate> {
  candidate: C
  verdict: Exclude<Verdict, { verdict: 'need' }>
}

/**
 * Of all candidates that fit, the one with the longest head; else one that the file is a prefix of; else none (a new source).
 */
export function choose<C extends Candidate>(judged: Judged<C>[]): Judged<C> | null {
  const byHead = [...judged].sort((a, b) => b.candidate.head - a.candidate.head)
  return (
    byHead.find((one) => one.verdict.verdict === 'same') ??
    byHead.find((one) => one.verdict.verdict === 'prefix') ??
    null
  )
}
