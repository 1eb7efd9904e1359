/** Merges the small files of a date into one, where builds have left many: a query opens every file of the dates it needs. */

import { join } from 'node:path'
import type { Duck } from './duckdb.ts'
import { listLiteral, literal } from './duckdb.ts'
import type { BuildContext } from './build.ts'
import type { TableFile } from './manifest.ts'
import type { Draft } from './table-draft.ts'
import type { TableFiles } from './table-files.ts'
import type { TableName } from './table-schema.ts'
import { columnsOf, tableKey, tableNames } from './table-schema.ts'
import { parquetOptions } from './table-writer.ts'

/** So many small files of a date and table are left alone. */
export const smallFilesMax = 16
const smallBytesMax = 32 * 1024 * 1024
const mergedBytesMax = 64 * 1024 * 1024

export interface Compaction {
  context: BuildContext
  duck: Duck
  files: TableFiles
  draft: Draft
}

/** Throws `table-missing`, `store-*`. */
export async function compactDates(work: Compaction, dates: ReadonlySet<string | null>): Promise<void> {
  for (const date of dates) {
    for (const table of tableNames) {
      for (let small = smallOf(work, table, date); small.length > smallFilesMax; small = smallOf(work, table, date))
        await merge(work, table, withinBytes(small))
    }
  }
}

function smallOf({ draft }: Compaction, table: TableName, date: string | null): TableFile[] {
  return draft.set.files.filter((file) => file.table === table && file.date === date && file.bytes < smallBytesMax)
}

/** From the first on, as many as make one file of bounded size. */
function withinBytes(files: readonly TableFile[]): TableFile[] {
  let sum = 0
  return files.filter(({ bytes }) => (sum += bytes) <= mergedBytesMax)
}

async function merge(work: Compaction, table: TableName, small: readonly TableFile[]): Promise<void> {
  const { context, duck, files, draft } = work
  const name = context.random()
  const date = small[0]?.date ?? null
  const path = join(duck.directory, `${name}.parquet`)
  const columns = columnsOf[table].map(([column]) => `"${column}"`).join(', ')
  const from = `read_parquet(${listLiteral(await files.paths(small))}, hive_partitioning = false)`
  const batches = [...new Set(small.flatMap((file) => file.batches))].sort((a, b) => a - b)
  const ranges = draft.set.batches.filter(({ id }) => batches.includes(id)).flatMap((batch) => batch.ranges)
  const metadata = { gleaner_parser: JSON.stringify(draft.set.parser), gleaner_ranges: JSON.stringify(ranges) }
  await duck.connection.run(
    `COPY (SELECT ${columns} FROM ${from}) TO ${literal(path)} ${parquetOptions(table, metadata)}`,
  )
  const key = tableKey(table, context.root.name, { date, name })
  const bytes = await files.put(path, key)
  const merged: TableFile = {
    table,
    date,
    key,
    bytes,
    rows: small.reduce((sum, file) => sum + file.rows, 0),
    batches,
    archived: [Math.min(...small.map((file) => file.archived[0])), Math.max(...small.map((file) => file.archived[1]))],
    times: Object.fromEntries(knownColumns(small).map((column) => [column, extentOf(small, column)])),
  }
  draft.add([merged], small)
}

/** What one file does not know, the merged one does not. */
function knownColumns(files: readonly TableFile[]): string[] {
  return Object.keys(files[0]?.times ?? {}).filter((column) => files.every(({ times }) => times[column] !== undefined))
}

function extentOf(files: readonly TableFile[], column: string): [number, number] | null {
  const known = files.flatMap(({ times }) => times[column] ?? [])
  return known.length === 0 ? null : [Math.min(...known), Math.max(...known)]
}
