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

/** Each by its name: one function for all of them would look the name up in every row. */
const jobValues: Record<string, Getter> = {
  source: ({ place }) => place.source,
  offset: ({ offset }) => offset,
  duplicate_of: unknownYet,
  cluster: ({ job }) => (job as Job).cluster,
  job_id: ({ job }) => (job as Job).job_id,
  array_index: ({ job }) => (job as Job).array_index,
  array_range: ({ job }) => (job as Job).array_range,
  step: ({ job }) => (job as Job).step,
  user: ({ job }) => (job as Job).user,
  account: ({ job }) => (job as Job).account,
  project: ({ job }) => (job as Job).project,
  job_group: ({ job }) => (job as Job).job_group,
  queue: ({ job }) => (job as Job).queue,
  job_name: ({ job }) => (job as Job).job_name,
  command: ({ job }) => (job as Job).command,
  submit_host: ({ job }) => (job as Job).submit_host,
  uid: ({ job }) => (job as Job).uid,
  submit_time: ({ job }) => time((job as Job).submit_time),
  start_time: ({ job }) => time((job as Job).start_time),
  end_time: ({ job }) => time((job as Job).end_time),
  logged_time: ({ job }) => time((job as Job).logged_time),
  wait_s: ({ job }) => (job as Job).wait_s,
  wall_s: ({ job }) => (job as Job).wall_s,
  cpu_user_s: ({ job }) => (job as Job).cpu_user_s,
  cpu_system_s: ({ job }) => (job as Job).cpu_system_s,
  slots: ({ job }) => (job as Job).slots,
  nodes: ({ job }) => (job as Job).nodes,
  gpus: ({ job }) => (job as Job).gpus,
  elements: ({ job }) => (job as Job).elements,
  exec_hosts: ({ job }) => (job as Job).exec_hosts,
  memory_max_bytes: ({ job }) => (job as Job).memory_max_bytes,
  memory_requested_bytes: ({ job }) => (job as Job).memory_requested_bytes,
  state: ({ job }) => (job as Job).state,
  state_raw: ({ job }) => (job as Job).state_raw,
  exit_reason: ({ job }) => (job as Job).exit_reason,
  exit_code: ({ job }) => (job as Job).exit_code,
  signal: ({ job }) => (job as Job).signal,
}

const valuesOf = { records: recordValues, jobs: jobValues }

function time(ms: number | null): number | null {
  return ms !== null && ms >= timeMsRange[0] && ms <= timeMsRange[1] ? ms : null
}

/** The columns of a table, packed. `rows` are those that belong into it: of `jobs`, those with a job. */
export function packRows(table: TableName, rows: readonly RecordRow[]): GivenChunk {
  const place = rows[0]?.place
  const isOnePlace = rows.every((row) => row.place === place)
  const columns = columnsOf[table].map(([name, type]) => {
    const some = isOnePlace && ofPlace.has(name) ? rows.slice(0, 1) : rows
    return packColumn(carriers[type].kind, some.map(valuesOf[table][name] as Getter))
  })
  return { count: rows.length, columns }
}

/** What all rows of a place have in common, or all rows. */
const ofPlace = new Set(
  'source family path format segment segment_sha256 archived_at revision parser duplicate_of'.split(' '),
)

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

/** What Gleaner itself has named. The name of a file is no text for SQL, however it is quoted. */
const ownTexts = ['source', 'format', 'segment', 'segment_sha256']

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
