/**
 * The tables as they lie in the derived store (CONTRACTS.md, "Tables"): columns, types and keys.
 *
 *     derived/tables/records/v=1/root=<root>/date=YYYY-MM-DD/<name>.parquet
 *     derived/tables/jobs/v=1/root=<root>/date=YYYY-MM-DD/<name>.parquet
 *     derived/tables/manifest/<root>/<n>.json.zst                          which of them count (manifest.ts)
 *
 * `root` and `date` are columns of the partition, not of the files. `date` is the UTC date of the record's `time`.
 */

export type TableName = 'records' | 'jobs'

export const tableNames: readonly TableName[] = ['records', 'jobs']

export type ColumnType =
  | 'VARCHAR'
  | 'VARCHAR[]'
  | 'JSON'
  | 'BLOB'
  | 'BOOLEAN'
  | 'INTEGER'
  | 'BIGINT'
  | 'DOUBLE'
  | 'TIMESTAMPTZ'

type Columns = readonly (readonly [name: string, type: ColumnType])[]

const named = (names: string, type: ColumnType): [string, ColumnType][] => names.split(' ').map((name) => [name, type])

const records: Columns = [
  ...named('source family path format type', 'VARCHAR'),
  ...named('offset length', 'BIGINT'),
  ...named('segment segment_sha256', 'VARCHAR'),
  ...named('time archived_at', 'TIMESTAMPTZ'),
  ...named('time_text time_zone', 'VARCHAR'),
  ...named('time_ambiguous incomplete lossy', 'BOOLEAN'),
  ['revision', 'INTEGER'],
  ['raw', 'BLOB'],
  ['fields', 'JSON'],
  ...named('error duplicate_of', 'VARCHAR'),
  ['parser', 'INTEGER'],
]

const jobs: Columns = [
  ['source', 'VARCHAR'],
  ['offset', 'BIGINT'],
  ['duplicate_of', 'VARCHAR'],
  ...named(
    'cluster job_id array_index array_range step user account project job_group queue job_name command submit_host',
    'VARCHAR',
  ),
  ['uid', 'BIGINT'],
  ...named('submit_time start_time end_time logged_time', 'TIMESTAMPTZ'),
  ...named('wait_s wall_s cpu_user_s cpu_system_s', 'DOUBLE'),
  ...named('slots nodes gpus elements', 'INTEGER'),
  ['exec_hosts', 'VARCHAR[]'],
  ...named('memory_max_bytes memory_requested_bytes', 'BIGINT'),
  ...named('state state_raw exit_reason', 'VARCHAR'),
  ...named('exit_code signal', 'INTEGER'),
]

export const columnsOf: Readonly<Record<TableName, Columns>> = { records, jobs }

/** The columns whose least and greatest value the manifest keeps for each file. */
export const timeColumnsOf: Readonly<Record<TableName, readonly string[]>> = {
  records: ['time'],
  jobs: ['submit_time', 'start_time', 'end_time', 'logged_time'],
}

/**
 * A job id as the number that the manifest keeps the extents of: ids that count up lie close together in a file, so one that is asked for is
 * in few of them. Null for any other text, and for what two texts could stand for.
 */
export function idNumber(id: string | null): number | null {
  return id !== null && /^(?:0|[1-9]\d{0,14})$/.test(id) ? Number(id) : null
}

/** Where the rows without a time are. */
export const noDate = '__HIVE_DEFAULT_PARTITION__'

/** Below it lie all files of one table of one root. */
export function tablePrefix(table: TableName, root: string): string {
  return `derived/tables/${table}/v=1/root=${root}/`
}

/** `date`: YYYY-MM-DD, or null for rows without a time. */
export function tableKey(table: TableName, root: string, file: { date: string | null; name: string }): string {
  return `${tablePrefix(table, root)}date=${file.date ?? noDate}/${file.name}.parquet`
}

/** The columns of a table with those of its partition, as `CREATE TABLE` takes them. */
export function columnsSql(table: TableName): string {
  const own = columnsOf[table].map(([name, type]) => `"${name}" ${type}`)
  return [...own, 'root VARCHAR', '"date" DATE'].join(', ')
}

/** Their names, for a SELECT. */
export function columnNamesSql(table: TableName): string {
  return [...columnsOf[table].map(([name]) => `"${name}"`), 'root', '"date"'].join(', ')
}
