/**
 * The tokens of one LSF record, read in order by someone who knows what comes next.
 *
 * Tokens stand between runs of blanks. A string is quoted, with `""` for a quote and no other escape; everything else is a bare word: a
 * signed integer, a decimal, or a host name. Nothing may be glued to a closing quote.
 *
 * The first token that is not what was asked for sets `error`, and nothing is read after it; what is returned then means nothing.
 *
 * Tokens are found in the bytes: where any loaded module has a class that extends String, as ioredis does, V8 14 makes charCodeAt four times
 * slower, and this with it.
 */

import { isAscii } from 'node:buffer'
import { safeText } from './text.ts'

const quote = 0x22
const blank = 0x20
const tab = 0x09
const minus = 0x2d
const point = 0x2e
const zero = 0x30

/** The count that is read where a record has ended. */
const none = -1

const powersOfTen = Array.from({ length: 23 }, (_, power) => 10 ** power)

/** An integer beyond 2^53 is a string. */
export type Integer = number | string

export class Tokens {
  error = ''
  /** Whether a string had bytes that are no text. */
  isLossy = false
  private readonly bytes: Buffer
  private readonly end: number
  /** The bytes as text, where each of them is a character. */
  private readonly ascii: string | null
  private at = 0
  /** The count that was read last: how many elements follow. */
  private counted = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.end = bytes.length
    const ascii = isAscii(bytes) ? bytes.toString('latin1') : null
    this.ascii = ascii === null || ascii.includes('\0') ? null : ascii
    this.skipBlanks()
  }

  get isDone(): boolean {
    return this.at >= this.end
  }

  get isAtString(): boolean {
    return this.at < this.end && this.bytes[this.at] === quote
  }

  /** A string. */
  string(): string {
    if (!this.isAtString) return this.refuse(this.isDone ? 'ends-early' : 'not-a-string')
    const { bytes, end } = this
    const from = this.at + 1
    let to = from
    let hasQuotes = false
    for (; to < end; to++) {
      if (bytes[to] !== quote) continue
      if (to + 1 === end || bytes[to + 1] !== quote) break
      hasQuotes = true
      to++
    }
    if (to >= end) return this.refuse('unclosed-quote')
    this.finish(to + 1)
    const text = this.text(from, to)
    return hasQuotes ? text.replaceAll('""', '"') : text
  }

  private text(from: number, to: number): string {
    if (this.ascii !== null) return this.ascii.slice(from, to)
    const { text, lossy } = safeText(this.bytes.subarray(from, to))
    if (lossy) this.isLossy = true
    return text
  }

  /** A signed integer. */
  integer(): Integer {
    const { bytes } = this
    const from = this.at
    const digits = bytes[from] === minus ? from + 1 : from
    let to = digits
    let value = 0
    for (let digit = this.digit(to); digit >= 0; digit = this.digit(++to)) value = value * 10 + digit
    if (to === digits || (to > digits + 1 && bytes[digits] === zero)) return this.refuseNumber()
    this.finish(to)
    if (to - digits > 15 && !Number.isSafeInteger(value)) return this.text(from, to)
    return digits > from ? 0 - value : value
  }

  /** A signed decimal, or an integer. */
  decimal(): Integer {
    const { bytes } = this
    const from = this.at
    const digits = bytes[from] === minus ? from + 1 : from
    let to = digits
    let value = 0
    let digit = this.digit(to)
    for (; digit >= 0; digit = this.digit(++to)) value = value * 10 + digit
    if (to >= this.end || bytes[to] !== point) return this.integer()
    const fraction = to + 1
    for (digit = this.digit(++to); digit >= 0; digit = this.digit(++to)) value = value * 10 + digit
    if (fraction === digits + 1 || to === fraction) return this.refuseNumber()
    this.finish(to)
    // Two integers that a double holds exactly: their quotient is the double nearest to the decimal.
    if (value > Number.MAX_SAFE_INTEGER || to - fraction > 22) return Number(this.text(from, to))
    const absolute = value / (powersOfTen[to - fraction] as number)
    return digits > from ? 0 - absolute : absolute
  }

  /** The digit at a place, or -1. */
  private digit(at: number): number {
    if (at >= this.end) return -1
    const digit = (this.bytes[at] as number) - zero
    return digit >= 0 && digit <= 9 ? digit : -1
  }

  /** A bare word or a string: a host name is either. */
  word(): string {
    return this.isAtString ? this.string() : this.bare()
  }

  /** Any token: a number where it is one, else text. */
  any(): Integer {
    if (this.isAtString) return this.string()
    const from = this.at
    const word = this.bare()
    if (!/^-?\d+(?:\.\d+)?$/.test(word)) return word
    this.at = from
    return this.decimal()
  }

  /** All that is left. */
  rest(): Integer[] {
    const all: Integer[] = []
    while (!this.isDone) all.push(this.any())
    return all
  }

  /** How many elements follow. */
  count(): number {
    const value = this.integer()
    this.counted = typeof value === 'number' && value >= 0 ? value : 0
    if (value !== this.counted && this.error === '') this.refuse('bad-count')
    return this.counted
  }

  /** As many elements as were counted. */
  counts<T>(read: (tokens: Tokens) => T): T[] {
    const all: T[] = []
    for (let left = this.counted; left > 0 && this.error === ''; left--) all.push(read(this))
    return all
  }

  // The same where the record may end instead: undefined then.

  moreString(): string | undefined {
    return this.isDone ? undefined : this.string()
  }

  moreInteger(): Integer | undefined {
    return this.isDone ? undefined : this.integer()
  }

  moreDecimal(): Integer | undefined {
    return this.isDone ? undefined : this.decimal()
  }

  moreCount(): number | undefined {
    if (!this.isDone) return this.count()
    this.counted = none
    return undefined
  }

  /** Undefined where the record ended instead of counting them. */
  moreCounts<T>(read: (tokens: Tokens) => T): T[] | undefined {
    return this.counted === none ? undefined : this.counts(read)
  }

  private bare(): string {
    const { bytes, end } = this
    const from = this.at
    let to = from
    for (; to < end && bytes[to] !== blank && bytes[to] !== tab; to++)
      if (bytes[to] === quote) return this.refuse('glued-token')
    if (to === from) return this.refuse('ends-early')
    this.finish(to)
    return this.text(from, to)
  }

  /** A token ends at `to`: a blank or the end must follow. */
  private finish(to: number): void {
    this.at = to
    if (to >= this.end) return
    const byte = this.bytes[to]
    if (byte !== blank && byte !== tab) this.refuse('glued-token')
    else this.skipBlanks()
  }

  private skipBlanks(): void {
    const { bytes, end } = this
    let { at } = this
    while (at < end && (bytes[at] === blank || bytes[at] === tab)) at++
    this.at = at
  }

  private refuseNumber(): string {
    return this.refuse(this.isDone ? 'ends-early' : 'not-a-number')
  }

  /** Nothing is read after this. */
  refuse(code: string): string {
    if (this.error === '') this.error = code
    this.at = this.end
    return ''
  }
}
