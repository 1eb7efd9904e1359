/**
 * The tokens of one LSF record, read in order by someone who knows what comes next.
 *
 * Tokens stand between runs of blanks. A string is quoted, with `""` for a quote and no other escape; everything else is a bare word: a
 * signed integer, a decimal, or a host name. Nothing may be glued to a closing quote.
 *
 * The first token that is not what was asked for sets `error`, and nothing is read after it; what is returned then means nothing. The text
 * ends with a newline, which stands for its end.
 */

const quote = 0x22
const blank = 0x20
const tab = 0x09
const minus = 0x2d
const point = 0x2e
const zero = 0x30

/** The count that is read where a record has ended. */
const none = -1

/** So far a string's end is looked for by hand: cheaper than a call for the short ones, which most are. */
const nearBytes = 24

const powersOfTen = Array.from({ length: 23 }, (_, power) => 10 ** power)

/** An integer beyond 2^53 is a string. */
export type Integer = number | string

export class Tokens {
  error = ''
  private readonly text: string
  private readonly end: number
  private at = 0
  /** The count that was read last: how many elements follow. */
  private counted = 0

  /** `text` ends with a newline. */
  constructor(text: string) {
    this.text = text
    this.end = text.length - 1
    this.skipBlanks()
  }

  get isDone(): boolean {
    return this.at >= this.end
  }

  get isAtString(): boolean {
    return this.text.charCodeAt(this.at) === quote
  }

  /** A string. */
  string(): string {
    const { text } = this
    const from = this.at + 1
    if (text.charCodeAt(this.at) !== quote) return this.refuse(this.isDone ? 'ends-early' : 'not-a-string')
    let to = from
    const near = from + nearBytes < this.end ? from + nearBytes : this.end
    while (to < near && text.charCodeAt(to) !== quote) to++
    if (text.charCodeAt(to) !== quote) {
      to = text.indexOf('"', to)
      if (to < 0) return this.refuse('unclosed-quote')
    }
    if (text.charCodeAt(to + 1) === quote) return this.stringWithQuotes(from, to)
    this.finish(to + 1)
    return text.slice(from, to)
  }

  private stringWithQuotes(from: number, firstQuote: number): string {
    const { text } = this
    let to = firstQuote
    while (text.charCodeAt(to + 1) === quote) {
      to = text.indexOf('"', to + 2)
      if (to < 0) return this.refuse('unclosed-quote')
    }
    this.finish(to + 1)
    return text.slice(from, to).replaceAll('""', '"')
  }

  /** A signed integer. */
  integer(): Integer {
    const { text } = this
    const from = this.at
    const first = text.charCodeAt(from)
    const digits = first === minus ? from + 1 : from
    let to = digits
    let value = 0
    for (let code = text.charCodeAt(to); code >= zero && code <= zero + 9; code = text.charCodeAt(++to))
      value = value * 10 + (code - zero)
    if (to === digits || (to > digits + 1 && text.charCodeAt(digits) === zero)) return this.refuseNumber()
    this.finish(to)
    if (to - digits > 15 && !Number.isSafeInteger(value)) return text.slice(from, to)
    return first === minus ? 0 - value : value
  }

  /** A signed decimal, or an integer. */
  decimal(): Integer {
    const { text } = this
    const from = this.at
    const first = text.charCodeAt(from)
    const digits = first === minus ? from + 1 : from
    let to = digits
    let value = 0
    let code = text.charCodeAt(to)
    for (; code >= zero && code <= zero + 9; code = text.charCodeAt(++to)) value = value * 10 + (code - zero)
    if (code !== point) return this.integer()
    const fraction = to + 1
    for (code = text.charCodeAt(++to); code >= zero && code <= zero + 9; code = text.charCodeAt(++to))
      value = value * 10 + (code - zero)
    if (fraction === digits + 1 || to === fraction) return this.refuseNumber()
    this.finish(to)
    // Two integers that a double holds exactly: their quotient is the double nearest to the decimal.
    if (value > Number.MAX_SAFE_INTEGER || to - fraction > 22) return Number(text.slice(from, to))
    const absolute = value / (powersOfTen[to - fraction] as number)
    return first === minus ? 0 - absolute : absolute
  }

  /** A bare word or a string: a host name is either. */
  word(): string {
    if (this.text.charCodeAt(this.at) === quote) return this.string()
    return this.bare()
  }

  /** Any token: a number where it is one, else text. */
  any(): Integer {
    if (this.text.charCodeAt(this.at) === quote) return this.string()
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
    const { text } = this
    const from = this.at
    let to = from
    for (let code = text.charCodeAt(to); code !== blank && code !== tab && to < this.end; code = text.charCodeAt(++to))
      if (code === quote) return this.refuse('glued-token')
    if (to === from) return this.refuse('ends-early')
    this.finish(to)
    return text.slice(from, to)
  }

  /** A token ends at `to`: a blank or the end must follow. */
  private finish(to: number): void {
    this.at = to
    const code = this.text.charCodeAt(to)
    if (code === blank) {
      this.at++
      const next = this.text.charCodeAt(this.at)
      if (next === blank || next === tab) this.skipBlanks()
    } else if (code === tab) this.skipBlanks()
    else if (to < this.end) this.refuse('glued-token')
  }

  private skipBlanks(): void {
    for (let code = this.text.charCodeAt(this.at); code === blank || code === tab; ) {
      code = this.text.charCodeAt(++this.at)
    }
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
