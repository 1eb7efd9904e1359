/**
 * Rows as SQL sees them: `SELECT`s over the row sources, with the columns and types of CONTRACTS.md. Numbers travel as doubles and are
 * cast here, so that a value that does not fit its column becomes NULL and stops nothing.
 */

import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { BLOB, BOOLEAN, blobValue, DOUBLE, DuckDBVarCharType, LIST, listValue, VARCHAR } from '@duckdb/node-api'
import type { Job } from '../formats/job.ts'
import type { RecordRow } from './rows.ts'
import { registerRows } from './row-source.ts'
import type { SourceColumn } from './row-source.ts'
import type { TableName } from './table-schema.ts'
import { columnsOf } from './table-schema.ts'

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

/** What the two row sources of a connection give next. */
export interface TableRows {
  give(table: TableName, rows: readonly RecordRow[]): void
}

export function openTableRows(connection: DuckDBConnection): TableRows {
  const given: Record<TableName, readonly RecordRow[]> = { records: [], jobs: [] }
  for (const table of ['records', 'jobs'] as const) {
    const columns = columnsOf[table].map(([name, type]): SourceColumn<RecordRow> => {
      return { name, type: carrier(type), value: valuesOf[table][name] as Getter }
    })
    registerRows(connection, functionOf(table), { columns, rows: () => given[table] })
  }
  return { give: (table, rows) => void (given[table] = rows) }
}

function carrier(type: string): DuckDBType {
  if (type === 'VARCHAR') return VARCHAR
  if (type === 'JSON') return DuckDBVarCharType.create('JSON')
  if (type === 'VARCHAR[]') return LIST(VARCHAR)
  if (type === 'BLOB') return BLOB
  return type === 'BOOLEAN' ? BOOLEAN : DOUBLE
}

/** The rows that were given last, cast to the types of the table. `more` are further columns. */
export function selectRows(table: TableName, more = ''): string {
  const columns = columnsOf[table].map(([name, type]) => {
    if (type === 'TIMESTAMPTZ') return `make_timestamptz(TRY_CAST("${name}" * 1000 AS BIGINT)) AS "${name}"`
    if (type === 'BIGINT' || type === 'INTEGER') return `TRY_CAST("${name}" AS ${type}) AS "${name}"`
    return `"${name}"`
  })
  return `SELECT ${columns.join(', ')}${more} FROM ${functionOf(table)}()`
}

function functionOf(table: TableName): string {
  return `gleaner_rows_${table}`
}
