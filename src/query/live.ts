/**
 * What the tables do not hold yet: the segments that came since, parsed in this process into tables of DuckDB. With no tables built that
 * is the whole archive of a root, which then takes as long as a build would.
 */

import { isGleanerError, messageOf } from '../errors.ts'
import type { RootContext } from '../roles/context.ts'
import { openLedger } from '../roles/ledger.ts'
import type { Duck } from './duckdb.ts'
import { literal } from './duckdb.ts'
import type { Stored } from './duplicates.ts'
import { openDuplicates, storedIn } from './duplicates.ts'
import type { TableSet } from './manifest.ts'
import { coverageOf } from './manifest.ts'
import { bytesIn } from './expected.ts'
import { openRowReader, pendingOf } from './pending.ts'
import type { RecordRow } from './rows.ts'
import type { TableFiles } from './table-files.ts'
import { openTableRows } from './table-rows.ts'
import { columnsSql, tableNames } from './table-schema.ts'

/** Bytes of a source that were read from segments, not from tables. */
export interface LiveRange {
  source: string
  from: number
  to: number
}

export interface Live {
  ranges: LiveRange[]
  /** Sources that could not be read to their end: the answer lacks what they hold beyond it. */
  failed: { source: string; error: string }[]
}

export interface LiveRows {
  /** Adds what `set` does not cover of a root. Throws `store-*`, `table-missing`. */
  add(context: Pick<RootContext, 'root' | 'store'>, from: LiveFrom): Promise<Live>
}

export interface LiveFrom {
  set: TableSet | null
  /** Only what was stored by then; null: all. */
  asOfMs: number | null
  progress: (bytes: number) => void
  /** Raw bytes that will be parsed. */
  expected: (bytes: number) => void
}

const batchBytesMax = 16 * 1024 * 1024
const none: TableSet = { parser: { format: '', version: 0, timezone: null }, batches: [], files: [] }

/** Makes the empty tables `live_records` and `live_jobs`. */
export async function openLive(duck: Duck, files: TableFiles): Promise<LiveRows> {
  for (const table of tableNames) await duck.connection.run(`CREATE TABLE live_${table} (${columnsSql(table)})`)
  const source = openTableRows(duck.connection)
  const markDuplicates = openDuplicates(duck.connection)
  const insert = async (root: string, rows: readonly RecordRow[]): Promise<void> => {
    for (const [date, some] of Map.groupBy(rows, (row) => row.date)) {
      const partition = `, ${literal(root)}, ${dateLiteral(date)}`
      for (const table of tableNames) {
        const rowsOf = table === 'jobs' ? some.filter(({ job }) => job !== null) : some
        await duck.connection.run(`INSERT INTO live_${table} ${source.select(table, rowsOf, partition)}`)
        source.select(table, [])
      }
    }
  }
  return {
    async add({ root, store }, { set, asOfMs, progress, expected }) {
      const ledger = openLedger(store, root.name)
      const read = openRowReader(root, ledger)
      const covered = coverageOf(set)
      const live: Live = { ranges: [], failed: [] }
      const stored = withLive(storedIn(set ?? none, files), root.name)
      let [rows, bytes]: [RecordRow[], number] = [[], 0]
      const flush = async (): Promise<void> => {
        await markDuplicates(rows, stored)
        await insert(root.name, rows)
        stored.added(rows)
        ;[rows, bytes] = [[], 0]
      }
      const pending = await pendingOf({ root, store }, ledger, { covered, asOfMs })
      expected(bytesIn(pending, covered))
      for (const { source: id, floor, end } of pending) {
        if (live.failed.some((one) => one.source === id)) continue
        const start = Math.max(floor, covered.get(id) ?? 0)
        try {
          for await (const part of read({ source: id, start, end })) {
            for (const row of part.rows) rows.push(row)
            bytes += part.bytes
            progress(part.bytes)
            covered.set(id, part.to)
            if (bytes >= batchBytesMax) await flush()
          }
        } catch (error) {
          if (!isGleanerError(error, 'store-damaged')) throw error
          live.failed.push({ source: id, error: messageOf(error) ?? '' })
        }
        const to = covered.get(id) ?? start
        if (to > start) live.ranges.push({ source: id, from: start, to })
      }
      await flush()
      return live
    },
  }
}

/** What the files hold, and what has been added here. */
function withLive(stored: Stored, root: string): Stored & { added(rows: readonly RecordRow[]): void } {
  const sources = new Map<string, Set<string>>()
  return {
    sources: (date, family) => new Set([...stored.sources(date, family), ...(sources.get(`${date} ${family}`) ?? [])]),
    async from(table, date) {
      const own = `SELECT * FROM live_${table} WHERE root = ${literal(root)} AND "date" IS NOT DISTINCT FROM ${dateLiteral(date)}`
      const files = await stored.from(table, date)
      return files === null ? `(${own})` : `(SELECT * FROM ${files} UNION ALL BY NAME ${own})`
    },
    added(rows) {
      for (const { date, place, job } of rows) {
        if (job === null) continue
        const key = `${date} ${place.family}`
        sources.set(key, (sources.get(key) ?? new Set()).add(place.source))
      }
    },
  }
}

function dateLiteral(date: string | null): string {
  return date === null ? 'NULL' : `DATE ${literal(date)}`
}
