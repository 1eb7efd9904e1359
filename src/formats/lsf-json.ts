/**
 * The tokens of an LSF record (lsf-tokens.ts), read in order and written as JSON at once, from bytes to bytes.
 *
 * Every method reads one token and the blanks behind it, and writes its JSON, the same as `JSON.stringify` writes for what `Tokens` reads. It
 * gives false, and what it wrote means nothing, for whatever is not plain: what is no such token; a control character; a number that
 * JavaScript would write in another way, or hold as text.
 */

const quote = 0x22
const backslash = 0x5c
const blank = 0x20
const tab = 0x09
const minus = 0x2d
const point = 0x2e
const zero = 0x30

/** So many digits are the same after being a double. */
const digitsMax = 15
/** A smaller number is written with an exponent. */
const decimalMin = 1e-6

const powersOfTen = Array.from({ length: digitsMax + 1 }, (_, power) => 10 ** power)

/** Text that is written often, in words of four bytes: what follows its last byte is written over. */
export interface JsonPiece {
  words: Uint32Array
  length: number
}

/** ASCII. */
export function pieceOf(text: string): JsonPiece {
  const bytes = new Uint8Array(Math.ceil(text.length / 4) * 4)
  bytes.set(Buffer.from(text))
  return { words: new Uint32Array(bytes.buffer), length: text.length }
}

/** Words are as this machine has them. */
const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

export class JsonTokens {
  /** How far is read, and written. */
  at = 0
  to: number
  readonly bytes: Uint8Array
  readonly end: number
  readonly out: Uint8Array
  private readonly view: DataView
  /** The number that was read last. */
  value = 0
  /** Where the string that was read last stands, without its quotes. */
  from = 0
  until = 0

  /** Text that is ASCII or valid UTF-8. `out` has room for its JSON from `to` on. */
  constructor(bytes: Uint8Array, out: Uint8Array, to: number) {
    this.bytes = bytes
    this.end = bytes.length
    this.out = out
    this.view = new DataView(out.buffer, out.byteOffset, out.byteLength)
    this.to = to
  }

  get isDone(): boolean {
    return this.at >= this.end
  }

  /** JSON as it is. */
  write({ words, length }: JsonPiece): void {
    const { view, to } = this
    for (let index = 0; index < words.length; index++)
      view.setUint32(to + index * 4, words[index] as number, isLittleEndian)
    this.to = to + length
  }

  string(): boolean {
    const { bytes, end, out } = this
    let { at, to } = this
    if (bytes[at++] !== quote) return false
    this.from = at
    out[to++] = quote
    for (; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === quote) {
        if (bytes[at + 1] !== quote) break
        out[to++] = backslash
        at++
      } else if (byte === backslash) out[to++] = backslash
      else if (byte < blank) return false
      out[to++] = byte
    }
    this.until = at
    out[to++] = quote
    this.to = to
    return at < end && this.finish(at + 1)
  }

  integer(): boolean {
    const { bytes, end } = this
    const from = this.at
    const digits = bytes[from] === minus ? from + 1 : from
    let at = digits
    let value = 0
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const count = at - digits
    const hasZero = bytes[digits] === zero && (count > 1 || digits > from)
    if (count === 0 || count > digitsMax || hasZero) return false
    this.value = digits > from ? -value : value
    this.copy(from, at)
    return this.finish(at)
  }

  decimal(): boolean {
    const { bytes, end } = this
    const from = this.at
    let whole = bytes[from] === minus ? from + 1 : from
    let value = 0
    let fraction = 0
    let last = whole
    let at = whole
    for (; at < end; at++) {
      const byte = bytes[at] as number
      if (byte === point && fraction === 0) fraction = at + 1
      else if (byte < zero || byte > 0x39) break
      else {
        value = value * 10 + byte - zero
        if (byte !== zero || fraction === 0) last = at + 1
      }
    }
    if (fraction === 0) return this.integer()
    const isPlain = fraction > whole + 1 && at > fraction && at - whole <= digitsMax + 1
    if (!isPlain || (bytes[whole] === zero && fraction > whole + 2)) return false
    const absolute = value / (powersOfTen[at - fraction] as number)
    if (absolute < decimalMin && (absolute > 0 || whole > from)) return false
    this.value = whole > from ? -absolute : absolute
    this.copy(from, last)
    return this.finish(at)
  }

  /** A bare word or a string: text. */
  word(): boolean {
    return this.bytes[this.at] === quote ? this.string() : this.bare()
  }

  /** Any token: a number where it is one, else text. */
  any(): boolean {
    const byte = this.bytes[this.at] as number
    if (byte === quote) return this.string()
    return byte === minus || (byte >= zero && byte <= 0x39) ? this.decimal() : this.bare()
  }

  private bare(): boolean {
    const { bytes, end } = this
    const from = this.at
    let at = from
    for (; at < end && bytes[at] !== blank && bytes[at] !== tab; at++) {
      const byte = bytes[at] as number
      if (byte < blank || byte === quote || byte === backslash) return false
    }
    if (at === from) return false
    this.out[this.to++] = quote
    this.copy(from, at)
    this.out[this.to++] = quote
    return this.finish(at)
  }

  private copy(from: number, until: number): void {
    const { bytes, out } = this
    let { to } = this
    for (let at = from; at < until; at++) out[to++] = bytes[at] as number
    this.to = to
  }

  /** A blank or the end must follow. */
  private finish(token: number): boolean {
    const { bytes, end } = this
    let at = token
    while (at < end && (bytes[at] === blank || bytes[at] === tab)) at++
    this.at = at
    return at > token || at >= end
  }
}
