/**
 * A record format: bytes → records. Pure, byte-based, and total: any bytes give records, at worst malformed ones, and their
 * ranges cover the input without gap or overlap.
 */

import type { Header } from '../core/identity.ts'
import type { Job } from './job.ts'
import { fitting } from './job.ts'

export interface Format {
  name: string
  /** Raised whenever the same bytes would give other fields. */
  parser: number
  /** Default for the root's `header`. */
  header: Header
  /** Default rotation suffixes. */
  rotation: string[]
  /** NULs in such a file are a hole that has not arrived. */
  text: boolean
  /**
   * The end of the record that begins at `start`, exclusive, its newline included; null while `bytes` do not hold the end. With `final`
   * the input ends with `bytes`, and what is left is a record.
   */
  endOf(bytes: Buffer, start: number, final: boolean): number | null
  /** How many bytes beyond its end `endOf` may need to know it; none if left out. */
  aheadBytes?: number
  /** What one record says. `raw` as it is in the source, newline included where there is one. */
  parse(raw: Buffer, context: ParseContext): Parsed
  /** For formats whose sources begin with a line of column names: those names, from a source's first bytes; null if it has none. */
  columns?(beginning: Buffer): string[] | null
  /** What separates those columns, where the line itself shows it: from the same bytes. */
  delimiter?(beginning: Buffer): string
  /** The finished job that a record tells of, for batch systems; null where it tells of none. `parsed` is what `parse` gave. */
  job?(parsed: Parsed, context: ParseContext): Job | null
  /**
   * For formats whose records are large: what `parse` and `job` say of a regular record, without making its fields. Null where it takes
   * those to say it; else nothing about it is different.
   */
  direct?(raw: Buffer): Direct | null
}

/** A record without error or flag. */
export interface Direct {
  type: string
  /** Seconds since 1970, of a year up to 9999. */
  timeS: number
  /** The JSON of its fields, in UTF-8. */
  fields: Uint8Array
  job: Job | null
}

export interface ParseContext {
  /** IANA zone for text times without one. */
  timezone?: string
  /** Column names, where the format has a header line: what its `columns` gave for this source. */
  columns?: string[]
  /** What its `delimiter` gave, where it has one. */
  delimiter?: string
}

/** How a source's records are read: as its root says, and as the source's first bytes say where the format looks there. */
export function sourceContext(format: Format, root: ParseContext, beginning: Buffer): ParseContext {
  const columns = format.columns?.(beginning) ?? null
  if (columns === null) return root
  return format.delimiter ? { ...root, columns, delimiter: format.delimiter(beginning) } : { ...root, columns }
}

export interface Parsed {
  /** The format's record type; empty if it has none. */
  type: string
  /** Event time, RFC 3339 UTC; empty if none. */
  time: string
  /** Where `time` was made from a text without a zone: that text, the zone assumed, and whether the clock showed it twice. */
  local?: { text: string; zone: string; ambiguous: boolean }
  /** JSON-compatible values. */
  fields: Record<string, unknown>
  flags: RecordFlag[]
  /** Why it could not be parsed; the record is then `malformed`. */
  error: string
}

export type RecordFlag = 'incomplete' | 'malformed' | 'cut' | 'lossy'

/** One record with its place in the source. */
export interface Framed {
  start: number
  end: number
  /** The source's own bytes, newline included. */
  raw: Buffer
  flags: RecordFlag[]
}

export interface FrameOptions {
  /** Where `bytes` begin in the source; a record boundary. */
  offset: number
  recordBytesMax: number
  /** What follows the last whole record is a record too (the tail of a rotated or final source). */
  final: boolean
  /** With `final`: the source ended before its last record did, which is incomplete even where a newline ends it. */
  torn?: boolean
}

/**
 * The whole records in `bytes`, in order. One that ends without a newline although more follows was torn in the middle of a line: it is
 * malformed, and nothing that it says in its last field can be trusted. A record that does not end within `recordBytesMax` is cut there, and what follows is
 * framed anew; this is the rule by which segments are cut as well, so both find the same boundaries.
 */
export function frame(format: Format, bytes: Buffer, options: FrameOptions): Framed[] {
  const records: Framed[] = []
  const ahead = format.aheadBytes ?? 0
  let at = 0
  while (at < bytes.length) {
    const limit = at + options.recordBytesMax
    // What comes after the longest record, and after what tells of its end, must not matter, nor whether anything does.
    const seen = bytes.length > limit + ahead ? bytes.subarray(0, limit + ahead) : bytes
    const end = format.endOf(seen, at, options.final && seen.length < limit + ahead)
    const cut = end === null ? seen.length === limit + ahead : end > limit || (end === limit && seen[end - 1] !== 10)
    if (end === null && !cut) break
    const stop = cut ? limit : (end as number)
    const raw = bytes.subarray(at, stop)
    const last: RecordFlag[] = stop < bytes.length ? ['malformed'] : ['incomplete']
    const flags: RecordFlag[] = cut ? ['cut'] : raw[raw.length - 1] === 10 ? [] : last
    if (options.torn && flags.length === 0 && format.endOf(seen, at, false) === null) flags.push('incomplete')
    records.push({ start: options.offset + at, end: options.offset + stop, raw, flags })
    at = stop
  }
  return records
}

/** What a framed record says: as `parse` does, and nothing but its type and time if it was torn. */
export function parseFramed(format: Format, framed: Framed, context: ParseContext): Parsed {
  const parsed = format.parse(framed.raw, context)
  const flags = [...new Set([...framed.flags, ...parsed.flags])]
  if (parsed.error !== '' || !framed.flags.includes('malformed')) return { ...parsed, flags }
  return { ...parsed, fields: {}, flags, error: 'torn' }
}

/** The same and its job, where the format can tell it directly. */
export function directOf(format: Format, { raw, flags }: Framed): Direct | null {
  const direct = flags.length === 0 ? (format.direct?.(raw) ?? null) : null
  return direct?.job ? { ...direct, job: fitting(direct.job) } : direct
}

/** The finished job that a record tells of, as the columns of `jobs` hold it; null where it tells of none. */
export function jobOf(format: Format, parsed: Parsed, context: ParseContext): Job | null {
  const job = format.job?.(parsed, context) ?? null
  return job === null ? null : fitting(job)
}
