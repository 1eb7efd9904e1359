/**
 * Rows as SQL sees them: `SELECT`s over the row sources, with the columns and types of CONTRACTS.md. Numbers travel as doubles and are
 * cast here, so that a value that does not fit its column becomes NULL and stops nothing.
 *
 * A column that has one value in all rows, NULL above all, stands in the SELECT and does not travel: of the 57 that is most.
 */

import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { BLOB, BOOLEAN, blobValue, DOUBLE, DuckDBVarCharType, LIST, listValue, VARCHAR } from '@duckdb/node-api'
import type { Job } from '../formats/job.ts'
import type { RecordRow } from './rows.ts'
import { literal } from './duckdb.ts'
import { registerRows } from './row-source.ts'
import type { Given } from './row-source.ts'
import type { TableName } from './table-schema.ts'
import { columnsOf, tableNames } from './table-schema.ts'

type Getter = (row: RecordRow) => DuckDBValue
/** Years 1 to 9999, ms. */
const timeMsRange = [-62_135_596_800_000, 253_402_300_799_999] as const

const recordValues: Record<string, Getter> = {
  source: ({ place }) => place.source,
  family: ({ place }) => place.family,
  path: ({ place }) => place.path,
  format: ({ place }) => place.format,
  type: ({ type }) => type,
  offset: ({ offset }) => offset,
  length: ({ length }) => length,
  segment: ({ place }) => place.segment,
  segment_sha256: ({ place }) => place.sha256,
  time: ({ timeMs }) => time(timeMs),
  archived_at: ({ place }) => time(place.archivedMs),
  time_text: ({ timeText }) => timeText,
  time_zone: ({ timeZone }) => timeZone,
  time_ambiguous: ({ isAmbiguous }) => isAmbiguous,
  incomplete: ({ isIncomplete }) => isIncomplete,
  lossy: ({ isLossy }) => isLossy,
  revision: () => 0,
  raw: ({ raw }) => blobValue(raw),
  fields: ({ fields }) => fields,
  error: ({ error }) => error,
  duplicate_of: ({ duplicateOf }) => duplicateOf,
  parser: ({ place }) => place.parser,
}

const jobValues: Record<string, Getter> = {
  ...Object.fromEntries(columnsOf.jobs.map(([name, type]) => [name, jobValue(name as keyof Job, type)])),
  source: ({ place }) => place.source,
  offset: ({ offset }) => offset,
  duplicate_of: ({ duplicateOf }) => duplicateOf,
}

const valuesOf = { records: recordValues, jobs: jobValues }

function jobValue(name: keyof Job, type: string): Getter {
  if (type === 'TIMESTAMPTZ') return ({ job }) => time((job as Job)[name] as number | null)
  if (type === 'VARCHAR[]') {
    return ({ job }) => {
      const texts = (job as Job)[name] as string[] | null
      return texts === null ? null : listValue(texts)
    }
  }
  return ({ job }) => (job as Job)[name] as string | number | null
}

function time(ms: number | null): number | null {
  return ms !== null && ms >= timeMsRange[0] && ms <= timeMsRange[1] ? ms : null
}

export interface TableRows {
  /** The `SELECT` of these rows, cast to the types of the table; they are held until others are given. `more` are further columns. */
  select(table: TableName, rows: readonly RecordRow[], more?: string): string
}

export function openTableRows(connection: DuckDBConnection): TableRows {
  const nothing: Given<RecordRow> = { columns: [], rows: [] }
  const given: Record<TableName, Given<RecordRow>> = { records: nothing, jobs: nothing }
  for (const table of tableNames) registerRows(connection, functionOf(table), () => given[table])
  return {
    select(table, rows, more = '') {
      const shared = sharedOf(table, rows)
      const columns = columnsOf[table]
        .filter(([name]) => !shared.has(name))
        .map(([name, type]) => ({ name, type: carrier(type), value: valuesOf[table][name] as Getter }))
      given[table] = { columns, rows }
      const cast = columnsOf[table].map(([name, type]) => castOf(name, type, shared.get(name) ?? `"${name}"`))
      return `SELECT ${cast.join(', ')}${more} FROM ${functionOf(table)}()`
    },
  }
}

/** Columns that have one value in all rows, and that value in SQL. Texts only where they are our own. */
function sharedOf(table: TableName, rows: readonly RecordRow[]): Map<string, string> {
  const shared = new Map<string, string>()
  const [first] = rows
  if (first === undefined) return shared
  for (const [name, type] of columnsOf[table]) {
    const get = valuesOf[table][name] as Getter
    const value = get(first)
    const sql = constantOf(value, type, ownTexts.includes(name))
    // One column is left, at least.
    if (sql !== null && name !== 'offset' && rows.every((row) => get(row) === value)) shared.set(name, sql)
  }
  return shared
}

/** What Gleaner itself has named; paths are percent-encoded. */
const ownTexts = ['source', 'family', 'path', 'format', 'segment', 'segment_sha256']

function constantOf(value: DuckDBValue, type: string, isOwn: boolean): string | null {
  if (value === null) return `CAST(NULL AS ${carrier(type) === DOUBLE ? 'DOUBLE' : type})`
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return `CAST('${value}' AS DOUBLE)`
  return typeof value === 'string' && isOwn ? literal(value) : null
}

function carrier(type: string): DuckDBType {
  if (type === 'VARCHAR') return VARCHAR
  if (type === 'JSON') return DuckDBVarCharType.create('JSON')
  if (type === 'VARCHAR[]') return LIST(VARCHAR)
  if (type === 'BLOB') return BLOB
  return type === 'BOOLEAN' ? BOOLEAN : DOUBLE
}

function castOf(name: string, type: string, value: string): string {
  if (type === 'TIMESTAMPTZ') return `make_timestamptz(TRY_CAST(${value} * 1000 AS BIGINT)) AS "${name}"`
  if (type === 'BIGINT' || type === 'INTEGER') return `TRY_CAST(${value} AS ${type}) AS "${name}"`
  return `${value} AS "${name}"`
}

function functionOf(table: TableName): string {
  return `gleaner_rows_${table}`
}
