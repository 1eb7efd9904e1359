/** The views `records` and `jobs`, over table files and over the rows that came since. */

import type { Duck } from './duckdb.ts'
import { listLiteral } from './duckdb.ts'
import type { TableFile } from './manifest.ts'
import type { TableName } from './table-schema.ts'
import { columnNamesSql, tableNames } from './table-schema.ts'

/** A table file, and where it can be opened. */
export interface ChosenFile extends TableFile {
  path: string
}

/** Files whose rows were all archived by `asOfMs` are taken whole; those of none are left out; of the others, the rows that were. */
export async function createViews(
  { connection }: Duck,
  files: readonly ChosenFile[],
  asOfMs: number | null,
): Promise<void> {
  const atMs = asOfMs ?? Number.POSITIVE_INFINITY
  for (const table of tableNames) {
    const own = files.filter((file) => file.table === table)
    const whole = own.filter(({ archived }) => archived[1] <= atMs)
    const parted = own.filter(({ archived }) => archived[0] <= atMs && archived[1] > atMs)
    const parts = [`SELECT ${columnNamesSql(table)} FROM live_${table}`]
    if (whole.length > 0) parts.push(selectFiles(table, whole))
    if (parted.length > 0) parts.push(`${selectFiles(table, parted)} WHERE ${storedBy(atMs, { table, files })}`)
    const where = table === 'jobs' ? ' WHERE duplicate_of IS NULL' : ''
    await connection.run(`CREATE VIEW ${table} AS SELECT * FROM (${parts.join(' UNION ALL ')})${where}`)
  }
}

/** `archived_at` is a column of `records` alone: a job is as old as its record. */
function storedBy(asOfMs: number, { table, files }: { table: TableName; files: readonly ChosenFile[] }): string {
  const isKnown = `archived_at <= make_timestamptz(${Math.floor(asOfMs)} * 1000)`
  if (table === 'records') return isKnown
  const records = files.filter((file) => file.table === 'records' && file.archived[0] <= asOfMs)
  return `(source, "offset") IN (SELECT (source, "offset") FROM ${reader(records)} WHERE ${isKnown})`
}

function selectFiles(table: TableName, files: readonly ChosenFile[]): string {
  const columns = columnNamesSql(table).replace('"fields"', 'CAST("fields" AS JSON) AS "fields"')
  return `SELECT ${columns} FROM ${reader(files)}`
}

/** Root and date are in the files' paths. */
function reader(files: readonly ChosenFile[]): string {
  const types = `{'root': 'VARCHAR', 'date': 'DATE', 'v': 'VARCHAR'}`
  const paths = listLiteral(files.map(({ path }) => path))
  return `read_parquet(${paths}, hive_partitioning = true, hive_types = ${types})`
}
