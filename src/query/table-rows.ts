/**
 * Rows as SQL sees them: `SELECT`s over the row sources, with the columns and types of CONTRACTS.md. Numbers travel as doubles and are
 * cast here, so that a value that does not fit its column becomes NULL and stops nothing.
 *
 * A column that has one value in all rows stands in the SELECT and does not travel.
 */

import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { BLOB, BOOLEAN, DOUBLE, DuckDBVarCharType, LIST, VARCHAR } from '@duckdb/node-api'
import type { Job } from '../formats/job.ts'
import { literal } from './duckdb.ts'
import type { ColumnKind, PackedColumn, Value } from './packed-column.ts'
import { packColumn } from './packed-column.ts'
import type { Given, GivenChunk } from './row-source.ts'
import { registerRows } from './row-source.ts'
import type { RecordRow } from './rows.ts'
import type { ColumnType, TableName } from './table-schema.ts'
import { columnsOf, tableNames } from './table-schema.ts'

type Getter = (row: RecordRow) => Value
/** Years 1 to 9999, ms. */
const timeMsRange = [-62_135_596_800_000, 253_402_300_799_999] as const

/** `duplicate_of` is known only when rows are written: what it will be comes with them. */
const unknownYet: Getter = () => null

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
  raw: ({ raw }) => raw,
  fields: ({ fields }) => fields,
  error: ({ error }) => error,
  duplicate_of: unknownYet,
  parser: ({ place }) => place.parser,
}

const jobValues: Record<string, Getter> = {
  ...Object.fromEntries(columnsOf.jobs.map(([name, type]) => [name, jobValue(name as keyof Job, type)])),
  source: ({ place }) => place.source,
  offset: ({ offset }) => offset,
  duplicate_of: unknownYet,
}

const valuesOf = { records: recordValues, jobs: jobValues }

function jobValue(name: keyof Job, type: string): Getter {
  if (type === 'TIMESTAMPTZ') return ({ job }) => time((job as Job)[name] as number | null)
  return ({ job }) => (job as Job)[name]
}

function time(ms: number | null): number | null {
  return ms !== null && ms >= timeMsRange[0] && ms <= timeMsRange[1] ? ms : null
}

/** The columns of a table, packed. `rows` are those that belong into it: of `jobs`, those with a job. */
export function packRows(table: TableName, rows: readonly RecordRow[]): GivenChunk {
  const columns = columnsOf[table].map(([name, type]) =>
    packColumn(carriers[type].kind, rows.map(valuesOf[table][name] as Getter)),
  )
  return { count: rows.length, columns }
}

/** The same rows with what they repeat. */
export function withDuplicates(
  table: TableName,
  chunk: GivenChunk,
  duplicateOf: readonly (string | null)[],
): GivenChunk {
  const columns = columnsOf[table].map(([name], index) =>
    name === 'duplicate_of' ? packColumn('text', duplicateOf) : (chunk.columns[index] as PackedColumn),
  )
  return { count: chunk.count, columns }
}

export interface TableRows {
  /** The `SELECT` of these rows, cast to the types of the table; they are held until others are given. `more` are further columns. */
  select(table: TableName, chunks: readonly GivenChunk[], more?: string): string
}

export function openTableRows(connection: DuckDBConnection): TableRows {
  const nothing: Given = { columns: [], chunks: [] }
  const given: Record<TableName, Given> = { records: nothing, jobs: nothing }
  for (const table of tableNames) registerRows(connection, functionOf(table), () => given[table])
  return {
    select(table, chunks, more = '') {
      const shared = sharedOf(table, chunks)
      const travels = columnsOf[table].map(([name]) => !shared.has(name))
      given[table] = {
        columns: columnsOf[table]
          .map(([name, type]) => ({ name, type: carriers[type].type }))
          .filter((_, index) => travels[index]),
        chunks: chunks.map(({ count, columns }) => ({ count, columns: columns.filter((_, index) => travels[index]) })),
      }
      const cast = columnsOf[table].map(([name, type]) => castOf(name, type, shared.get(name) ?? `"${name}"`))
      return `SELECT ${cast.join(', ')}${more} FROM ${functionOf(table)}()`
    },
  }
}

/** Columns that have one value in all rows, and that value in SQL. Texts only where they are our own. */
function sharedOf(table: TableName, chunks: readonly GivenChunk[]): Map<string, string> {
  const shared = new Map<string, string>()
  for (const [index, [name, type]] of columnsOf[table].entries()) {
    const [first] = chunks
    const column = first?.columns[index]
    if (column?.kind !== 'same') continue
    const sql = constantOf(column.value, type, ownTexts.includes(name))
    const isShared = chunks.every(({ columns }) => {
      const other = columns[index]
      return other?.kind === 'same' && other.value === column.value
    })
    // One column is left, at least.
    if (sql !== null && name !== 'offset' && isShared) shared.set(name, sql)
  }
  return shared
}

/** What Gleaner itself has named; paths are percent-encoded. */
const ownTexts = ['source', 'family', 'path', 'format', 'segment', 'segment_sha256']

function constantOf(value: string | number | boolean | null, type: ColumnType, isOwn: boolean): string | null {
  if (value === null) return `CAST(NULL AS ${carriers[type].kind === 'number' ? 'DOUBLE' : type})`
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return `CAST('${value}' AS DOUBLE)`
  return isOwn ? literal(value) : null
}

/** How the values of a type travel. */
const carriers: Record<ColumnType, { kind: ColumnKind; type: DuckDBType }> = {
  VARCHAR: { kind: 'text', type: VARCHAR },
  JSON: { kind: 'document', type: DuckDBVarCharType.create('JSON') },
  'VARCHAR[]': { kind: 'texts', type: LIST(VARCHAR) },
  BLOB: { kind: 'blob', type: BLOB },
  BOOLEAN: { kind: 'flag', type: BOOLEAN },
  BIGINT: { kind: 'number', type: DOUBLE },
  INTEGER: { kind: 'number', type: DOUBLE },
  DOUBLE: { kind: 'number', type: DOUBLE },
  TIMESTAMPTZ: { kind: 'number', type: DOUBLE },
}

function castOf(name: string, type: ColumnType, value: string): string {
  if (type === 'TIMESTAMPTZ') return `make_timestamptz(TRY_CAST(${value} * 1000 AS BIGINT)) AS "${name}"`
  if (type === 'BIGINT' || type === 'INTEGER') return `TRY_CAST(${value} AS ${type}) AS "${name}"`
  return `${value} AS "${name}"`
}

function functionOf(table: TableName): string {
  return `gleaner_rows_${table}`
}
