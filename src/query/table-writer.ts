/**
 * Rows → Parquet files in the derived store, a file per table and date. Rows wait until `batchBytesMax` of their raw bytes are there;
 * so memory is bounded whatever a day holds; of the many files of a day of 50 GB some hundred are made in the end (compact.ts).
 */

import { join } from 'node:path'
import type { Duck } from './duckdb.ts'
import { literal } from './duckdb.ts'
import type { Parser, TableFile } from './manifest.ts'
import type { DateRows } from './row-batch.ts'
import { chunksOf } from './row-batch.ts'
import type { TableFiles } from './table-files.ts'
import type { TableRows } from './table-rows.ts'
import { openTableRows } from './table-rows.ts'
import type { TableName } from './table-schema.ts'
import { tableKey } from './table-schema.ts'

/**
 * Small row groups: with 1 KB of text per row larger ones cost twice the CPU (measured), and memory. A job's row is small, and its
 * statistics decide what a look-up reads.
 */
const rowGroupRows: Record<TableName, number> = { records: 2048, jobs: 61_440 }
const compression = 'COMPRESSION zstd, COMPRESSION_LEVEL 1'

/** How a file of a table is written: the options of COPY. */
export function parquetOptions(table: TableName, metadata: Record<string, string>): string {
  const pairs = Object.entries(metadata).map(([name, value]) => `${name}: ${literal(value)}`)
  return `(FORMAT parquet, ${compression}, ROW_GROUP_SIZE ${rowGroupRows[table]}, KV_METADATA {${pairs.join(', ')}})`
}

export interface TableWriter {
  /** Writes the rows of one batch; gives the files. They count once a manifest names them. Throws `store-*`. */
  write(dates: readonly DateRows[], batches: number[]): Promise<TableFile[]>
}

export function openTableWriter(
  duck: Duck,
  files: TableFiles,
  { root, parser, random }: { root: string; parser: Parser; random: () => string },
): TableWriter {
  const source: TableRows = openTableRows(duck.connection)
  const writeOne = async (table: TableName, rows: DateRows): Promise<Omit<TableFile, 'batches'>> => {
    const name = random()
    const { date, ranges, archived, tables } = rows
    const key = tableKey(table, root, { date, name })
    const path = join(duck.directory, `${name}.parquet`)
    // By what and from which bytes it was made.
    const metadata = { gleaner_parser: JSON.stringify(parser), gleaner_ranges: JSON.stringify([...ranges.values()]) }
    const select = source.select(table, chunksOf(table, rows))
    await duck.connection.run(`COPY (${select}) TO ${literal(path)} ${parquetOptions(table, metadata)}`)
    source.select(table, [])
    const bytes = await files.put(path, key)
    return { table, date, key, bytes, archived: archived ?? [0, 0], ...tables[table] }
  }
  return {
    async write(dates, batches) {
      const written: TableFile[] = []
      for (const rows of dates) {
        written.push({ ...(await writeOne('records', rows)), batches })
        if (rows.tables.jobs.rows > 0) written.push({ ...(await writeOne('jobs', rows)), batches })
      }
      return written
    },
  }
}
