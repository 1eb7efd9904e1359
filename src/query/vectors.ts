/**
 * Packed columns → DuckDB's vectors, a column at a time. The binding's own way is a call for each text, which was a third of what a build
 * cost.
 *
 * Of a column of texts all bytes go into the vector's memory as one text, by one call. Then every row gets a `duckdb_string_t`, the 16 bytes
 * that DuckDB's C interface (duckdb.h) has for a text: its length in 4 bytes; then up to 12 bytes of text, the rest zeros, or else its first
 * four bytes and the address of all. Those addresses lie within the one text, whose memory lives as long as the vector does.
 */

import duckdb from '@duckdb/node-bindings'
import type { DataChunk, Vector } from '@duckdb/node-bindings'
import type { PackedBytes, PackedColumn } from './packed-column.ts'
import { repeated } from './packed-column.ts'

const stringBytes = 16
const inlineBytesMax = 12
const wordMax = 2 ** 32

/** Fills a column of a chunk of DuckDB that has `count` rows; `column` has as many. */
export function fillVector(chunk: DataChunk, index: number, { column, count }: FilledColumn): void {
  const vector = duckdb.data_chunk_get_vector(chunk, index)
  if (column.kind !== 'same') fill(vector, column)
  else if (column.value !== null) fill(vector, repeated(column.value, count))
  else setValid(vector, new Uint8Array(Math.ceil(count / 64) * 8))
}

export interface FilledColumn {
  column: PackedColumn
  count: number
}

function fill(vector: Vector, column: Exclude<PackedColumn, { kind: 'same' }>): void {
  if (column.kind === 'bytes') return fillStrings(vector, column)
  if (column.kind === 'lists') return fillLists(vector, column)
  copy(vector, column.kind === 'numbers' ? column.numbers : column.flags)
  setValid(vector, column.valid)
}

function fillStrings(vector: Vector, texts: PackedBytes): void {
  const { bytes, lengths } = texts
  if (lengths.length === 0) return
  let address = 0
  if (bytes.length > inlineBytesMax) {
    duckdb.vector_assign_string_element_len(vector, 0, bytes)
    address = addressIn(duckdb.vector_get_data(vector, stringBytes))
  }
  copy(vector, stringsOf(texts, address))
  setValid(vector, validOf(lengths))
}

/** Where the bytes of the one text lie. */
function addressIn(string: Uint8Array): number {
  return Number(new DataView(string.buffer, string.byteOffset).getBigUint64(8, true))
}

/** Those of one column: DuckDB copies them. */
let space = new ArrayBuffer(0)

function stringsOf({ bytes, lengths }: PackedBytes, address: number): Uint8Array {
  if (space.byteLength < lengths.length * stringBytes) space = new ArrayBuffer(lengths.length * stringBytes)
  const strings = new Uint8Array(space, 0, lengths.length * stringBytes).fill(0)
  const words = new Uint32Array(space)
  let from = 0
  for (let row = 0; row < lengths.length; row++) {
    const length = lengths[row] as number
    if (length <= 0) continue
    const word = row * 4
    words[word] = length
    const held = length <= inlineBytesMax ? length : 4
    const to = row * stringBytes + 4
    for (let at = 0; at < held; at++) strings[to + at] = bytes[from + at] as number
    if (length > inlineBytesMax) {
      words[word + 2] = (address + from) % wordMax
      words[word + 3] = Math.floor((address + from) / wordMax)
    }
    from += length
  }
  return strings
}

/** A list is a `duckdb_list_entry`: where it begins among the texts of all, and how many are its own, in 8 bytes each. */
function fillLists(vector: Vector, { counts, texts }: Extract<PackedColumn, { kind: 'lists' }>): void {
  const entries = new BigUint64Array(counts.length * 2)
  let from = 0
  for (const [row, count] of counts.entries()) {
    entries[row * 2] = BigInt(from)
    entries[row * 2 + 1] = BigInt(Math.max(count, 0))
    from += Math.max(count, 0)
  }
  duckdb.list_vector_reserve(vector, from)
  duckdb.list_vector_set_size(vector, from)
  fillStrings(duckdb.list_vector_get_child(vector), texts)
  copy(vector, entries)
  setValid(vector, validOf(counts))
}

/** The rows whose length or count is not -1; null for all. */
function validOf(lengths: Int32Array): Uint8Array | null {
  if (!lengths.includes(-1)) return null
  const valid = new Uint8Array(Math.ceil(lengths.length / 64) * 8)
  for (let row = 0; row < lengths.length; row++) if ((lengths[row] as number) >= 0) valid[row >> 3]! |= 1 << (row & 7)
  return valid
}

function setValid(vector: Vector, valid: Uint8Array | null): void {
  if (valid === null) return
  duckdb.vector_ensure_validity_writable(vector)
  duckdb.copy_data_to_vector_validity(vector, 0, valid.buffer as ArrayBuffer, valid.byteOffset, valid.byteLength)
}

function copy(vector: Vector, values: ArrayBufferView): void {
  duckdb.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset, values.byteLength)
}
