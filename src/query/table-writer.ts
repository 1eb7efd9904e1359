/**
 * Rows → Parquet files in the derived store, a file per table and date. Rows wait until `batchBytesMax` of their raw bytes are there;
 * so memory is bounded whatever a day holds; of the many files of a day of 50 GB some hundred are made in the end (compact.ts).
 */

import { join } from 'node:path'
import type { Duck } from './duckdb.ts'
import { literal } from './duckdb.ts'
import type { CoveredRange, Parser, TableFile } from './manifest.ts'
import type { RecordRow } from './rows.ts'
import type { TableFiles } from './table-files.ts'
import type { TableRows } from './table-rows.ts'
import { openTableRows } from './table-rows.ts'
import type { TableName } from './table-schema.ts'
import { idNumber, tableKey, timeColumnsOf } from './table-schema.ts'

/**
 * Small row groups: with 1 KB of text per row larger ones cost twice the CPU (measured), and memory. A job's row is small, and its
 * statistics decide what a look-up reads.
 */
const rowGroupRows: Record<TableName, number> = { records: 20_480, jobs: 61_440 }
const compression = 'COMPRESSION zstd, COMPRESSION_LEVEL 1'

/** How a file of a table is written: the options of COPY. */
export function parquetOptions(table: TableName, metadata: Record<string, string>): string {
  const pairs = Object.entries(metadata).map(([name, value]) => `${name}: ${literal(value)}`)
  return `(FORMAT parquet, ${compression}, ROW_GROUP_SIZE ${rowGroupRows[table]}, KV_METADATA {${pairs.join(', ')}})`
}

export interface TableWriter {
  /** Writes the rows of one batch; gives the files. They count once a manifest names them. Throws `store-*`. */
  write(rows: readonly RecordRow[], batches: number[]): Promise<TableFile[]>
}

export function openTableWriter(
  duck: Duck,
  files: TableFiles,
  { root, parser, random }: { root: string; parser: Parser; random: () => string },
): TableWriter {
  const source: TableRows = openTableRows(duck.connection)
  const writeOne = async (table: TableName, date: string | null, rows: readonly RecordRow[]): Promise<TableFile> => {
    const name = random()
    const key = tableKey(table, root, { date, name })
    const path = join(duck.directory, `${name}.parquet`)
    await duck.connection.run(
      `COPY (${source.select(table, rows)}) TO ${literal(path)} ${parquetOptions(table, metadataOf(parser, rows))}`,
    )
    source.select(table, [])
    const bytes = await files.put(path, key)
    return {
      table,
      date,
      key,
      bytes,
      rows: rows.length,
      batches: [],
      archived: archivedOf(rows),
      times: timesOf(table, rows),
    }
  }
  return {
    async write(rows, batches) {
      const written: TableFile[] = []
      for (const [date, some] of Map.groupBy(rows, (row) => row.date)) {
        written.push({ ...(await writeOne('records', date, some)), batches })
        const jobs = some.filter(({ job }) => job !== null)
        if (jobs.length > 0) written.push({ ...(await writeOne('jobs', date, jobs)), batches })
      }
      return written
    },
  }
}

/** What stands in the Parquet file: by what and from which bytes it was made. */
function metadataOf(parser: Parser, rows: readonly RecordRow[]): Record<string, string> {
  const ranges = new Map<string, CoveredRange>()
  for (const { place, offset, length } of rows) {
    const { source, family } = place
    const known = ranges.get(source)
    ranges.set(source, [source, family, known?.[2] ?? offset, offset + length])
  }
  return { gleaner_parser: JSON.stringify(parser), gleaner_ranges: JSON.stringify([...ranges.values()]) }
}

function archivedOf(rows: readonly RecordRow[]): [number, number] {
  return extent(rows.map(({ place }) => place.archivedMs)) ?? [0, 0]
}

function timesOf(table: TableName, rows: readonly RecordRow[]): TableFile['times'] {
  const valueOf = (row: RecordRow, column: string): number | null =>
    table === 'records' ? row.timeMs : (row.job?.[column as 'end_time'] ?? null)
  const times = Object.fromEntries(
    timeColumnsOf[table].map((column) => [column, extent(rows.map((row) => valueOf(row, column)))]),
  )
  if (table === 'records') return times
  const ids = rows.map(({ job }) => job?.job_id ?? null).filter((id) => id !== null)
  const numbers = ids.map(idNumber)
  return numbers.includes(null) ? times : { ...times, job_id: extent(numbers) }
}

/** The least and the greatest; null where there is no number. */
function extent(values: readonly (number | null)[]): [number, number] | null {
  let found: [number, number] | null = null
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue
    found = found === null ? [value, value] : [Math.min(found[0], value), Math.max(found[1], value)]
  }
  return found
}
