/**
 * Values of DuckDB as people and programs read them.
 *
 *     BIGINT and wider   a number, beyond 2^53 a text
 *     time stamps        RFC 3339 UTC, `Z`, with as many digits as needed (TIMESTAMP has no zone, and none is shown)
 *     BLOB               text where it is valid UTF-8, else `base64:` and its base64
 *     JSON               what it says
 *     list, struct, map  array, object, array of [key, value]
 *     anything else      as DuckDB writes it
 */

import { isUtf8 } from 'node:buffer'
import type { DuckDBType, DuckDBValue, Json } from '@duckdb/node-api'
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from '@duckdb/node-api'
import { formatRfc3339 } from '../core/rfc3339.ts'

/** `type` only tells JSON from text. */
export function jsonOf(value: DuckDBValue, type?: DuckDBType): Json {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') return type?.alias === 'JSON' ? (JSON.parse(value) as Json) : value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'bigint') return safeInteger(value)
  if (value instanceof DuckDBTimestampTZValue) return timeText(value.micros, 'Z')
  if (value instanceof DuckDBTimestampValue) return timeText(value.micros, '')
  if (value instanceof DuckDBBlobValue) return blobText(value.bytes)
  if (value instanceof DuckDBDecimalValue) return value.toDouble()
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue)
    return value.items.map((item) => jsonOf(item))
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, inner]) => [name, jsonOf(inner)]))
  if (value instanceof DuckDBMapValue) return value.entries.map((entry) => [jsonOf(entry.key), jsonOf(entry.value)])
  return String(value)
}

function safeInteger(value: bigint): Json {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

/** Microseconds since 1970. */
function timeText(micros: bigint, zone: string): string {
  const ms = Number(micros / 1000n - (micros % 1000n < 0n ? 1n : 0n))
  const rest = Number(micros - BigInt(ms) * 1000n)
  // The infinities, and years that RFC 3339 does not have.
  if (ms < -62_167_219_200_000 || ms > 253_402_300_799_999) return micros < 0n ? '-infinity' : 'infinity'
  const text = formatRfc3339(ms).slice(0, -1)
  if (rest === 0) return `${text}${zone}`
  return `${text}${text.includes('.') ? '' : '.000'}${String(rest).padStart(3, '0')}${zone}`
}

function blobText(bytes: Uint8Array): string {
  return isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : `base64:${Buffer.from(bytes).toString('base64')}`
}

/** One cell of a table or a CSV: empty for NULL, JSON for what has parts. */
export function cellOf(value: Json): string {
  if (value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** RFC 4180, without the line's end. An empty text is `""`, NULL is nothing. */
export function csvLine(values: readonly Json[]): string {
  return values
    .map((value) => {
      const cell = cellOf(value)
      return value === '' || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
    })
    .join(',')
}
