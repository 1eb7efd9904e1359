/**
 * What a query can need at most, told by DuckDB itself: it plans the query over empty tables of the same names, and each scan in the plan
 * lists the comparisons that its optimizer pushed into it, through views, joins and CTEs. Those on `root`, `date`, the time columns and,
 * for equality with a number, `job_id` say which roots are read and which files cannot hold a row that counts. All filters of a scan must hold, so one that is not understood
 * here is left out, and more is read than needed; never less.
 */

import type { DuckDBValue } from '@duckdb/node-api'
import type { Duck } from './duckdb.ts'
import { lockDuck } from './duckdb.ts'
import type { TableFile } from './manifest.ts'
import type { TableName } from './table-schema.ts'
import { columnsSql, idNumber, tableNames, timeColumnsOf } from './table-schema.ts'

/** What one scan of a table wants. */
export interface Scan {
  /** Null: any. */
  roots: ReadonlySet<string> | null
  /** Inclusive bounds by column, ms since 1970; of `date`, of the day's first moment; of `job_id`, as a number. */
  bounds: ReadonlyMap<string, readonly [from: number, to: number]>
}

/** The scans of each table; of a table that is not read, none. */
export type Plan = Record<TableName, readonly Scan[]>

const anything: Scan = { roots: null, bounds: new Map() }

/** All of both tables. */
export const wholePlan: Plan = { records: [anything], jobs: [anything] }

interface PlanNode {
  children?: PlanNode[]
  extra_info?: { Table?: string; Filters?: string | string[] }
}

/**
 * Plans a query. `check` is called where the tables are there, before anything is planned, and throws what is no SELECT. Throws what
 * DuckDB throws where the SQL is wrong.
 */
export async function planOf(
  duck: Duck,
  query: { sql: string; values: Record<string, DuckDBValue> },
  check: (sql: string) => Promise<void>,
): Promise<Plan> {
  const { connection } = duck
  for (const table of tableNames) await connection.run(`CREATE TABLE ${table} (${columnsSql(table)})`)
  // It would find that nothing comes of empty tables.
  await connection.run(`SET disabled_optimizers = 'statistics_propagation'`)
  await lockDuck(duck, [])
  await check(query.sql)
  const explained = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${query.sql}`, query.values)
  const nodes = JSON.parse(String(explained.getRows()[0]?.[1])) as PlanNode[]
  return { records: scansOf(nodes, 'records'), jobs: scansOf(nodes, 'jobs') }
}

function scansOf(nodes: readonly PlanNode[], table: TableName): Scan[] {
  return nodes.flatMap(({ children = [], extra_info: facts }) => {
    const own = facts?.Table === `memory.main.${table}` ? [scanOf([facts.Filters ?? []].flat(), table)] : []
    return [...own, ...scansOf(children, table)]
  })
}

/** Filters as the plan prints them. */
export function scanOf(filters: readonly string[], table: TableName): Scan {
  // The plan parts its lines at newlines, also at those in a literal: what follows is then no filter.
  if (filters.some((filter) => (filter.match(/'/g) ?? []).length % 2 !== 0)) return anything
  const bounds = new Map<string, readonly [number, number]>()
  let roots: ReadonlySet<string> | null = null
  for (const filter of filters) {
    const wanted = rootsOf(filter)
    if (wanted !== null) roots = roots === null ? wanted : wanted.intersection(roots)
    for (const part of [...comparisons(filter, table), ...jobComparison(filter)]) {
      const known = bounds.get(part.column) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
      bounds.set(part.column, [Math.max(known[0], part.from), Math.min(known[1], part.to)])
    }
  }
  return { roots, bounds }
}

const comparison =
  /^"?(\w+)"?(>=|<=|>|<|=)'(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2}:\d{2}(?:\.\d+)?)\+00)?'::(DATE|TIMESTAMP WITH TIME ZONE)$/

/** The comparisons that a filter is made of, if it is made of nothing else. */
function comparisons(filter: string, table: TableName): { column: string; from: number; to: number }[] {
  const parts = filter.split(' AND ').map((text) => {
    const [, column = '', operator, date = '', time, type] = comparison.exec(text) ?? []
    const isKnown = column === 'date' ? type === 'DATE' : timeColumns(table).includes(column) && type !== 'DATE'
    if (operator === undefined || !isKnown) return null
    const ms = Date.parse(`${date}T${time ?? '00:00:00'}Z`)
    // Microseconds are cut off: half open to the next millisecond.
    const from = operator.startsWith('<') ? Number.NEGATIVE_INFINITY : ms
    const to = operator.startsWith('>') ? Number.POSITIVE_INFINITY : ms + 1
    return Number.isNaN(ms) ? null : { column, from, to }
  })
  return parts.every((part) => part !== null) ? parts : []
}

/** `job_id='123'`. What is no plain number says nothing. */
function jobComparison(filter: string): { column: string; from: number; to: number }[] {
  const id = idNumber(/^job_id='(\d+)'$/.exec(filter)?.[1] ?? null)
  return id === null ? [] : [{ column: 'job_id', from: id, to: id }]
}

function timeColumns(table: TableName): readonly string[] {
  return table === 'records' ? [...timeColumnsOf.records, 'archived_at'] : timeColumnsOf.jobs
}

/** `root='a'` and `root IN ('a', 'b')`: names hold neither quotes nor blanks. */
function rootsOf(filter: string): Set<string> | null {
  const one = /^root='([^' ]+)'$/.exec(filter)
  if (one) return new Set([one[1] as string])
  const some = /^(?:optional: )?root IN \(('[^' ]+'(?:, '[^' ]+')*)\)$/.exec(filter)
  return some ? new Set((some[1] as string).split(', ').map((text) => text.slice(1, -1))) : null
}

export function isRootWanted(plan: Plan, root: string): boolean {
  return tableNames.some((table) => plan[table].some(({ roots }) => roots === null || roots.has(root)))
}

/** Whether a file of this root may hold a row that some scan wants. */
export function isFileWanted(plan: Plan, root: string, file: TableFile): boolean {
  return plan[file.table].some(
    ({ roots, bounds }) =>
      (roots === null || roots.has(root)) &&
      [...bounds].every(([column, [from, to]]) => {
        const extent = extentOf(file, column)
        return extent === undefined || (extent !== null && extent[0] <= to && extent[1] >= from)
      }),
  )
}

/** What a file's column holds; null: only NULLs, which no comparison counts; undefined: not known. */
function extentOf(file: TableFile, column: string): readonly [number, number] | null | undefined {
  if (column === 'archived_at') return file.archived
  if (column !== 'date') return file.times[column]
  if (file.date === null) return null
  const ms = Date.parse(`${file.date}T00:00:00Z`)
  return [ms, ms]
}
