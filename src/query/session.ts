/**
 * A query session: DuckDB in memory with the views `records` and `jobs` over the tables that the manifests name and the segments that came
 * since, complete as of the last commit that it saw when it was opened.
 *
 *   plan     what the query needs (prune.ts); without a query, everything
 *   tables   of each root that is needed: the files of its manifest that may hold a wanted row, in place or fetched
 *   live     what the manifest does not cover, from the segments (live.ts)
 *   lock     from here on DuckDB opens no file but these, and its settings stay
 *
 * `jobs` leaves out proven duplicates; `records` has them, with `duplicate_of`. With `asOfMs` both are as they were known then: rows of
 * segments that were stored by then. A duplicate is never archived before what it repeats, so what is left out was known as one then.
 */

import type { Store } from '../ports/store.ts'
import type { RootContext } from '../roles/context.ts'
import type { Answers, Values } from './answers.ts'
import { askedDuck, openAnswers, prepareSelect } from './answers.ts'
import type { Duck } from './duckdb.ts'
import { lockDuck, openDuck } from './duckdb.ts'
import type { Live } from './live.ts'
import { openLive } from './live.ts'
import type { Parser, TableFile } from './manifest.ts'
import { coverageOf, latestManifest } from './manifest.ts'
import type { Plan } from './prune.ts'
import { isFileWanted, isRootWanted, planOf, wholePlan } from './prune.ts'
import type { TableFiles } from './table-files.ts'
import { openTableFiles } from './table-files.ts'
import type { ChosenFile } from './views.ts'
import { createViews } from './views.ts'

export interface SessionOptions {
  /** The roots that the views hold. */
  roots: readonly Pick<RootContext, 'root' | 'store'>[]
  derived: Store
  /** As it was known then, by the store's clock; null: now. */
  asOfMs: number | null
  /** The one query that will be asked, so that no more than it needs is read; null: any. */
  query: Asked | null
  /** Raw bytes that were parsed from segments so far, and that will have been, as far as that is known by now. */
  progress?: (bytes: number, expected: number) => void
}

export interface Asked {
  sql: string
  values: Values
  /** `records` is only joined to `jobs`, by root, date, source and offset: of records, the dates of the wanted jobs are needed. */
  joined?: boolean
}

/** What an answer rests on, for one root that the query needs. */
export interface RootCoverage extends Live {
  root: string
  /** The number of the manifest, 0 without tables; when it was written; what the tables were made by. */
  manifest: number
  writtenAt: string
  parser: Parser | null
  /** How far each source is covered by tables, in bytes. */
  inTables: ReadonlyMap<string, number>
  /** Table files that were opened, of how many. */
  files: number
  filesOf: number
}

export interface Session extends Answers {
  coverage: readonly RootCoverage[]
  close(): Promise<void>
}

const threads = 4
const memory = '2GiB'

/** Throws `query-failed` where the query is wrong, `table-missing`, `archive-newer`, `store-*`. */
export async function openSession(options: SessionOptions): Promise<Session> {
  const plan = options.query === null ? wholePlan : await planned(options.query)
  const duck = await openDuck({ threads, memory })
  try {
    const { coverage, check } = await fill(duck, plan, options)
    return { coverage, ...openAnswers(duck, check), close: () => duck.close() }
  } catch (error) {
    await duck.close()
    throw error
  }
}

/** In a database of its own, where there is nothing to reach. */
async function planned(query: Asked): Promise<Plan> {
  const duck = await openDuck({ threads: 1, memory })
  try {
    return await askedDuck(() => planOf(duck, query, (sql) => prepareSelect(duck.connection, sql)))
  } finally {
    await duck.close()
  }
}

interface Filled {
  coverage: RootCoverage[]
  /** Throws `table-missing` where a file is gone since. */
  check: () => Promise<unknown>
}

async function fill(duck: Duck, plan: Plan, options: SessionOptions): Promise<Filled> {
  const opened = openTableFiles(options.derived, duck.directory)
  const live = await openLive(duck, opened)
  const coverage: RootCoverage[] = []
  const chosen: ChosenFile[] = []
  let [parsed, expectedBytes] = [0, 0]
  for (const context of options.roots.filter(({ root }) => isRootWanted(plan, root.name))) {
    const { name } = context.root
    const manifest = await latestManifest(options.derived, name)
    const set = manifest.current
    const files = set?.files ?? []
    const some = files.filter((file) => isFileWanted(plan, name, file))
    const wanted = withRecords(files, options.query?.joined ? joinedOf(some) : some, options.asOfMs)
    chosen.push(...(await located(opened, wanted)))
    const progress = (bytes: number): void => options.progress?.((parsed += bytes), expectedBytes)
    const expected = (bytes: number): void => void (expectedBytes += bytes)
    const added = await live.add(context, { set, asOfMs: options.asOfMs, progress, expected })
    coverage.push({
      ...added,
      root: name,
      manifest: manifest.n,
      writtenAt: manifest.writtenAt,
      parser: set?.parser ?? null,
      inTables: coverageOf(set),
      files: wanted.length,
      filesOf: files.length,
    })
  }
  await askedDuck(() => createViews(duck, chosen, options.asOfMs))
  await lockDuck(
    duck,
    chosen.map(({ path }) => path),
  )
  return { coverage, check: () => opened.paths(chosen) }
}

/** A record lies in its job's date. */
function joinedOf(files: readonly TableFile[]): TableFile[] {
  const dates = new Set(files.filter(({ table }) => table === 'jobs').map(({ date }) => date))
  return files.filter(({ date }) => dates.has(date))
}

/** A job's age stands in its record: where a file holds younger jobs as well, the records of its date are needed too. */
function withRecords(files: readonly TableFile[], some: readonly TableFile[], asOfMs: number | null): TableFile[] {
  const wanted = new Set(some)
  if (asOfMs === null) return [...wanted]
  const parted = [...wanted].filter(
    ({ table, archived }) => table === 'jobs' && archived[0] <= asOfMs && archived[1] > asOfMs,
  )
  const dates = new Set(parted.map(({ date }) => date))
  return files.filter((file) => wanted.has(file) || (file.table === 'records' && dates.has(file.date)))
}

async function located(files: TableFiles, wanted: readonly TableFile[]): Promise<ChosenFile[]> {
  const paths = await files.paths(wanted)
  return wanted.map((file, index) => ({ ...file, path: paths[index] as string }))
}
