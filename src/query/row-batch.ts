/**
 * Rows that wait to be written, by date, and packed (packed-column.ts) as soon as a few hundred of a date are there: what they were parsed
 * into is garbage while it is young, and a batch takes four times its raw bytes whatever its records hold.
 */

import type { CoveredRange } from './manifest.ts'
import type { PackedBytes, PackedColumn } from './packed-column.ts'
import { giveBack, packColumn } from './packed-column.ts'
import type { GivenChunk } from './row-source.ts'
import type { Place, RecordRow } from './rows.ts'
import { packRows, withDuplicates } from './table-rows.ts'
import type { TableName } from './table-schema.ts'
import { columnsOf, idNumber, timeColumnsOf } from './table-schema.ts'

export type Extent = [least: number, greatest: number] | null

/** Rows of one date. */
export interface DateRows {
  /** YYYY-MM-DD; null: rows without a time. */
  date: string | null
  /** Of each source: from its first row's beginning to its last row's end. */
  ranges: Map<string, CoveredRange>
  /** Store times of their segments, ms. */
  archived: Extent
  tables: Record<TableName, { rows: number; times: Record<string, Extent> }>
  chunks: RowChunk[]
}

/** Some rows of a date in a row. */
export interface RowChunk {
  records: GivenChunk
  /** Null where no record tells of a job. */
  jobs: GivenChunk | null
  /** For each record: */
  keys: readonly RowKey[]
}

/** What it takes to tell whether a record repeats another. */
export interface RowKey {
  place: Place
  offset: number
  /** Null where the record tells of no job with an id, or has no time. */
  jobId: string | null
  isJob: boolean
  /** `<source>:<offset>` of the record that this one is proven to repeat. */
  duplicateOf: string | null
}

export interface RowBatch {
  /** Raw bytes of its rows. */
  readonly bytes: number
  add(row: RecordRow): void
  /** All that was added, once; in the order in which it was, within a date. */
  take(): DateRows[]
}

/** Less than the rows of one vector of DuckDB. */
const packedRowsMin = 256
const packedBytesMin = 256 * 1024

interface Waiting extends DateRows {
  waiting: RecordRow[]
  waitingBytes: number
}

export function openRowBatch(): RowBatch {
  const dates = new Map<string | null, Waiting>()
  let bytes = 0
  return {
    get bytes() {
      return bytes
    },
    add(row) {
      let one = dates.get(row.date)
      if (one === undefined) dates.set(row.date, (one = emptyDate(row.date)))
      one.waiting.push(row)
      one.waitingBytes += row.length
      bytes += row.length
      if (one.waiting.length >= packedRowsMin || one.waitingBytes >= packedBytesMin) pack(one)
    },
    take() {
      const taken = [...dates.values()]
      for (const one of taken) pack(one)
      dates.clear()
      bytes = 0
      return taken
    },
  }
}

/** The rows of a table, as DuckDB is given them. */
export function chunksOf(table: TableName, { chunks }: DateRows): GivenChunk[] {
  return chunks.flatMap((chunk) => {
    const packed = chunk[table]
    if (packed === null) return []
    const keys = table === 'jobs' ? chunk.keys.filter(({ isJob }) => isJob) : chunk.keys
    const duplicateOf = keys.map((key) => key.duplicateOf)
    return [withDuplicates(table, packed, duplicateOf)]
  })
}

/** Once they are written, and nobody looks at them any more. */
export function forget(dates: readonly DateRows[]): void {
  for (const { chunks } of dates) {
    for (const name of ['raw', 'fields']) for (const { records } of chunks) giveBack(columnOf('records', name, records))
  }
}

/** The raw bytes of each record of a chunk. */
export function rawsOf({ records }: RowChunk): Uint8Array[] {
  const { bytes, lengths } = columnOf('records', 'raw', records) as PackedBytes
  let to = 0
  return Array.from(lengths, (length) => bytes.subarray(to, (to += length)))
}

function emptyDate(date: string | null): Waiting {
  const empty = (table: TableName): DateRows['tables'][TableName] => {
    return { rows: 0, times: Object.fromEntries(timeColumnsOf[table].map((name) => [name, null])) }
  }
  const jobs = empty('jobs')
  jobs.times['job_id'] = null
  return {
    date,
    ranges: new Map(),
    archived: null,
    tables: { records: empty('records'), jobs },
    chunks: [],
    waiting: [],
    waitingBytes: 0,
  }
}

function pack(one: Waiting): void {
  const rows = one.waiting
  if (rows.length === 0) return
  one.waiting = []
  one.waitingBytes = 0
  const jobs = rows.filter(({ job }) => job !== null)
  const chunk: RowChunk = {
    records: packRows('records', rows),
    jobs: jobs.length > 0 ? packRows('jobs', jobs) : null,
    keys: rows.map(keyOf),
  }
  one.chunks.push(chunk)
  cover(one, rows)
  widen(one, 'records', chunk.records)
  if (chunk.jobs !== null) widen(one, 'jobs', chunk.jobs)
  widenIds(one, jobs)
}

function keyOf({ place, offset, job, timeMs }: RecordRow): RowKey {
  const jobId = timeMs === null ? null : (job?.job_id ?? null)
  return { place, offset, jobId, isJob: job !== null, duplicateOf: null }
}

function cover({ ranges }: Waiting, rows: readonly RecordRow[]): void {
  for (const { place, offset, length } of rows) {
    const { source, family } = place
    ranges.set(source, [source, family, ranges.get(source)?.[2] ?? offset, offset + length])
  }
}

function widen(one: Waiting, table: TableName, chunk: GivenChunk): void {
  const { times } = one.tables[table]
  one.tables[table].rows += chunk.count
  for (const name of timeColumnsOf[table])
    times[name] = joined(times[name] ?? null, extentOf(columnOf(table, name, chunk)))
  if (table === 'records') one.archived = joined(one.archived, extentOf(columnOf(table, 'archived_at', chunk)))
}

/** They are left out for good where some id is no plain number. */
function widenIds({ tables }: Waiting, jobs: readonly RecordRow[]): void {
  const { times } = tables.jobs
  if (!('job_id' in times)) return
  const numbers: number[] = []
  for (const { job } of jobs) {
    const id = job?.job_id ?? null
    const number = idNumber(id)
    if (number !== null) numbers.push(number)
    else if (id !== null) return void delete times['job_id']
  }
  times['job_id'] = joined(times['job_id'] ?? null, extentOf(packColumn('number', numbers)))
}

function columnOf(table: TableName, name: string, { columns }: GivenChunk): PackedColumn {
  return columns[columnsOf[table].findIndex(([own]) => own === name)] as PackedColumn
}

/** The least and the greatest number of a column; null where there is none. */
function extentOf(column: PackedColumn): Extent {
  if (column.kind === 'same') return typeof column.value === 'number' ? [column.value, column.value] : null
  if (column.kind !== 'numbers') return null
  const { numbers, valid } = column
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let row = 0; row < numbers.length; row++) {
    if (valid !== null && ((valid[row >> 3] as number) & (1 << (row & 7))) === 0) continue
    const value = numbers[row] as number
    if (value < least) least = value
    if (value > greatest) greatest = value
  }
  return least <= greatest ? [least, greatest] : null
}

function joined(one: Extent, other: Extent): Extent {
  if (one === null || other === null) return one ?? other
  return [Math.min(one[0], other[0]), Math.max(one[1], other[1])]
}
