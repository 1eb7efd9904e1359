/**
 * Where records of `lsb.acct` end. The writer appends each record with one newline, doubles the quotes within its strings, and lets every
 * other byte of a string through, newlines among them. A writer that dies leaves a torn record, and the next one goes on in the same line.
 *
 * So a record ends
 * - after a newline outside quotes, and
 * - before a head, `"TYPE" "digits[.digits]" 10-digit-epoch `, wherever it stands: no whole record holds one unescaped.
 *
 * Quotes are trusted while each stands where one can: opening after a blank, closing before one. From the first that does not, and in
 * what begins with none, the record is malformed whatever follows, and ends at the next newline of any kind, so that a lost quote costs one
 * record. A line that begins with `#` is a comment up to its newline.
 */

import { endOfLine } from './lines.ts'

/** What follows the end of a record is looked at up to here. */
export const headBytesMax = 110

const typeBytesMax = 64
const digitsMax = 10

const quote = 0x22
const blank = 0x20
const tab = 0x09
const newline = 0x0a
const carriageReturn = 0x0d
const hash = 0x23
const point = 0x2e

export function endOfRecord(bytes: Buffer, start: number, final: boolean): number | null {
  if (bytes[start] === hash) return endOfLine(bytes, start, final)
  // Where the next line begins with a head, the record ends before it, whether this newline is in quotes or not.
  const line = bytes.indexOf(newline, start) + 1
  if (line > 0 && bytes[line] === quote && isHeadAt(bytes, line)) return headWithin(bytes, start, line) ?? line
  return endByQuotes(bytes, start, final)
}

/**
 * Where a head stands after `start` and before `end`, a line's end. A head ends with ten digits: looking at every tenth byte, none of them is
 * passed over.
 */
function headWithin(bytes: Buffer, start: number, end: number): number | null {
  for (let seen = start; seen < end; seen += digitsMax) {
    if (!isDigit(bytes[seen])) continue
    let epoch = seen
    while (isDigit(bytes[epoch - 1]) && seen - epoch < digitsMax) epoch--
    const at = bytes[epoch - 1] === blank && bytes[epoch - 2] === quote ? headBefore(bytes, epoch - 2) : start
    if (at > start && isHeadAt(bytes, at)) return at
  }
  return null
}

/** Where the head would begin whose version ends with the quote at `to`; -1 where no quote begins one. */
function headBefore(bytes: Buffer, to: number): number {
  let at = to - 1
  while (isDigit(bytes[at]) || bytes[at] === point) at--
  if (bytes[at] !== quote || bytes[at - 1] !== blank || bytes[at - 2] !== quote) return -1
  at -= 3
  while (isTypeByte(bytes[at])) at--
  return bytes[at] === quote ? at : -1
}

function endByQuotes(bytes: Buffer, start: number, final: boolean): number | null {
  const { length } = bytes
  let isTrusted = bytes[start] === quote
  let isInside = false
  for (let at = start; at < length; at++) {
    const byte = bytes[at]
    if (byte === newline && !(isInside && isTrusted)) return at + 1
    if (byte !== quote) continue
    if (at > start && isHeadAt(bytes, at)) return at
    isInside = !isInside
    isTrusted &&= isInside ? at === start || mayOpenAfter(bytes[at - 1]) : mayFollowClose(bytes[at + 1])
  }
  return final ? length : null
}

/** A quote that follows one is the second half of a doubled one. */
function mayOpenAfter(byte: number | undefined): boolean {
  return byte === blank || byte === quote || byte === tab
}

function mayFollowClose(byte: number | undefined): boolean {
  return (
    byte === blank ||
    byte === quote ||
    byte === newline ||
    byte === tab ||
    byte === carriageReturn ||
    byte === undefined
  )
}

/**
 * Whether a record's head begins at the quote at `at`. Where the bytes end within one it is none yet, and as it holds no newline, neither is
 * anything after it the end of a record.
 */
export function isHeadAt(bytes: Buffer, at: number): boolean {
  let to = at + 1
  if (!isCapital(bytes[to])) return false
  while (to <= at + typeBytesMax && isTypeByte(bytes[to])) to++
  if (bytes[to] !== quote || bytes[to + 1] !== blank || bytes[to + 2] !== quote) return false
  const version = to + 3
  to = afterDigits(bytes, version)
  if (to === version) return false
  if (bytes[to] === point) {
    const minor = to + 1
    to = afterDigits(bytes, minor)
    if (to === minor) return false
  }
  if (bytes[to] !== quote || bytes[to + 1] !== blank) return false
  const epoch = to + 2
  to = afterDigits(bytes, epoch)
  return to === epoch + digitsMax && bytes[to] === blank
}

function isCapital(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a
}

function isTypeByte(byte: number | undefined): boolean {
  return isCapital(byte) || isDigit(byte) || byte === 0x5f
}

function afterDigits(bytes: Buffer, from: number): number {
  let to = from
  while (to < from + digitsMax && isDigit(bytes[to])) to++
  return to
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}
