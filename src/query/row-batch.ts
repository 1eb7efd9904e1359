/**
 * Rows that wait to be written, by date, and packed (packed-column.ts) as soon as a few hundred of a date are there: what they were parsed
 * into is garbage while it is young, and a batch takes four times its raw bytes whatever its records hold.
 */

import type { CoveredRange } from './manifest.ts'
import type { PackedBytes } from './packed-column.ts'
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
const packedRowsMin = 512
const packedBytesMin = 512 * 1024

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

/** The raw bytes of each record of a chunk. */
export function rawsOf({ records }: RowChunk): Uint8Array[] {
  const { bytes, lengths } = records.columns[columnsOf.records.findIndex(([name]) => name === 'raw')] as PackedBytes
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
  one.chunks.push({
    records: packRows('records', rows),
    jobs: jobs.length > 0 ? packRows('jobs', jobs) : null,
    keys: rows.map(keyOf),
  })
  cover(one, rows)
  one.tables.records.rows += rows.length
  one.tables.jobs.rows += jobs.length
  widenTimes(one, rows, jobs)
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

function widenTimes(one: Waiting, rows: readonly RecordRow[], jobs: readonly RecordRow[]): void {
  const { records, jobs: ofJobs } = one.tables
  one.archived = widened(
    one.archived,
    rows.map(({ place }) => place.archivedMs),
  )
  records.times['time'] = widened(
    records.times['time'] ?? null,
    rows.map(({ timeMs }) => timeMs),
  )
  for (const name of timeColumnsOf.jobs)
    ofJobs.times[name] = widened(
      ofJobs.times[name] ?? null,
      jobs.map(({ job }) => job?.[name as 'end_time'] ?? null),
    )
  const ids = jobs.flatMap(({ job }) => job?.job_id ?? [])
  const numbers = ids.map(idNumber)
  // Left out for good where some id is no plain number.
  if (numbers.includes(null)) delete ofJobs.times['job_id']
  if ('job_id' in ofJobs.times) ofJobs.times['job_id'] = widened(ofJobs.times['job_id'] ?? null, numbers)
}

function widened(extent: Extent, values: readonly (number | null)[]): Extent {
  let [least, greatest] = extent ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue
    if (value < least) least = value
    if (value > greatest) greatest = value
  }
  return least <= greatest ? [least, greatest] : null
}
