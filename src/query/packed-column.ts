/**
 * One column of some rows, packed: out of the garbage collector's sight, a few bytes per value, and as DuckDB's vectors want it. Rows that
 * wait as objects take ten times their text, and are copied from one generation to the next while they wait.
 *
 *   same      one value in all rows, NULL above all: of the 59 columns of both tables that is most
 *   numbers   doubles
 *   flags     booleans
 *   bytes     texts in UTF-8 and blobs, one behind the other
 *   lists     lists of texts: how many each row has, and all of them as `bytes`
 *
 * NULL is a bit of `valid` that is not set, or a length or count of -1.
 */

/** What a row has in a column. */
export type Value = string | number | boolean | Uint8Array | readonly string[] | null

export interface PackedBytes {
  kind: 'bytes'
  bytes: Uint8Array
  lengths: Int32Array
}

export type PackedColumn =
  | { kind: 'same'; value: string | number | boolean | null }
  | { kind: 'numbers'; numbers: Float64Array; valid: Uint8Array | null }
  | { kind: 'flags'; flags: Uint8Array; valid: Uint8Array | null }
  | { kind: 'lists'; counts: Int32Array; texts: PackedBytes }
  | PackedBytes

/** What a column may hold beside NULL. */
export type ColumnKind = 'number' | 'flag' | 'text' | 'document' | 'blob' | 'texts'

const none = -1

/** `values` are of the kind, or null; a `document` is a text of some KB, or its UTF-8. */
export function packColumn(kind: ColumnKind, values: readonly Value[]): PackedColumn {
  const [first = null] = values
  const isScalar = first === null || typeof first !== 'object'
  if (isScalar && values.every((value) => value === first)) return { kind: 'same', value: first }
  if (kind === 'number') return packNumbers(values as (number | null)[])
  if (kind === 'flag') return packFlags(values as (boolean | null)[])
  if (kind === 'blob') return packBlobs(values as (Uint8Array | null)[])
  if (kind === 'document') return packDocuments(values as (string | Uint8Array | null)[])
  return kind === 'text' ? packTexts(values as (string | null)[]) : packLists(values as (readonly string[] | null)[])
}

function packNumbers(values: readonly (number | null)[]): PackedColumn {
  const numbers = new Float64Array(values.length)
  for (let row = 0; row < values.length; row++) numbers[row] = values[row] ?? 0
  return { kind: 'numbers', numbers, valid: validOf(values) }
}

function packFlags(values: readonly (boolean | null)[]): PackedColumn {
  const flags = new Uint8Array(values.length)
  for (let row = 0; row < values.length; row++) flags[row] = values[row] === true ? 1 : 0
  return { kind: 'flags', flags, valid: validOf(values) }
}

/** A bit for each row, as DuckDB has them: in whole words of 64, the first row the lowest. Null where all rows have a value. */
function validOf(values: readonly unknown[]): Uint8Array | null {
  if (!values.includes(null)) return null
  const valid = new Uint8Array(Math.ceil(values.length / 64) * 8).fill(0xff)
  for (let row = 0; row < values.length; row++) if (values[row] === null) valid[row >> 3]! &= ~(1 << (row & 7))
  return valid
}

function packBlobs(values: readonly (Uint8Array | null)[]): PackedBytes {
  const lengths = lengthsOf(values)
  const bytes = borrow(sumOf(lengths))
  let at = 0
  for (const value of values) {
    if (value === null) continue
    bytes.set(value, at)
    at += value.length
  }
  return { kind: 'bytes', bytes, lengths }
}

/** Each by itself: joined first they would be copied once more. */
function packDocuments(values: readonly (string | Uint8Array | null)[]): PackedBytes {
  return packBlobs(values.map((text) => (typeof text === 'string' ? Buffer.from(text) : text)))
}

/**
 * Space of columns that were given back, to be used again: most of what is packed is a few large blobs, and memory that is asked for anew
 * each time is there two or three times before the garbage collector sees it.
 */
const spare: ArrayBuffer[] = []
const spareBytesMin = 64 * 1024
const spareMax = 512

function borrow(length: number): Uint8Array {
  if (length < spareBytesMin) return new Uint8Array(length)
  const index = spare.findIndex(({ byteLength }) => byteLength >= length && byteLength <= length * 4)
  const [found] = index < 0 ? [] : spare.splice(index, 1)
  // In steps, so that what one column had will do for the next.
  const step = 2 ** Math.ceil(Math.log2(length))
  return new Uint8Array(found ?? new ArrayBuffer(step), 0, length)
}

/** Nobody looks at the column any more. */
export function giveBack(column: PackedColumn): void {
  if (column.kind !== 'bytes' || column.bytes.length < spareBytesMin || spare.length >= spareMax) return
  const { buffer } = column.bytes
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= spareBytesMin) spare.push(buffer)
}

/** Joined, and encoded at once: a call for each of a row's thirty texts costs more than all else here. */
function packTexts(values: readonly (string | null)[]): PackedBytes {
  const joined = values.join('')
  const bytes = Buffer.from(joined)
  if (bytes.length === joined.length) return { kind: 'bytes', bytes, lengths: lengthsOf(values) }
  const lengths = new Int32Array(values.length)
  for (const [row, text] of values.entries()) lengths[row] = text === null ? none : Buffer.byteLength(text)
  // Halves of a character that meet where two texts join are one when they are encoded.
  if (sumOf(lengths) === bytes.length) return { kind: 'bytes', bytes, lengths }
  return packBlobs(values.map((text) => (text === null ? null : Buffer.from(text))))
}

function lengthsOf(values: readonly ({ length: number } | null)[]): Int32Array {
  const lengths = new Int32Array(values.length)
  for (let row = 0; row < values.length; row++) lengths[row] = values[row]?.length ?? none
  return lengths
}

function packLists(values: readonly (readonly string[] | null)[]): PackedColumn {
  const counts = lengthsOf(values)
  return { kind: 'lists', counts, texts: packTexts(values.flatMap((texts) => texts ?? [])) }
}

/** The same value in `count` rows, each for itself. */
export function repeated(value: string | number | boolean, count: number): Exclude<PackedColumn, { kind: 'same' }> {
  if (typeof value === 'number') return { kind: 'numbers', numbers: new Float64Array(count).fill(value), valid: null }
  if (typeof value === 'boolean')
    return { kind: 'flags', flags: new Uint8Array(count).fill(Number(value)), valid: null }
  return packTexts(Array.from({ length: count }, () => value))
}

function sumOf(lengths: Int32Array): number {
  let sum = 0
  for (let row = 0; row < lengths.length; row++) sum += Math.max(lengths[row] as number, 0)
  return sum
}
