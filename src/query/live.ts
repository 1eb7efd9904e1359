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
import type { DateRows } from './row-batch.ts'
import { chunksOf, forget, openRowBatch } from './row-batch.ts'
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
  const insert = async (root: string, dates: readonly DateRows[]): Promise<void> => {
    for (const rows of dates) {
      const partition = `, ${literal(root)}, ${dateLiteral(rows.date)}`
      for (const table of tableNames) {
        const select = source.select(table, chunksOf(table, rows), partition)
        await duck.connection.run(`INSERT INTO live_${table} ${select}`)
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
      const batch = openRowBatch()
      const flush = async (): Promise<void> => {
        const dates = batch.take()
        await markDuplicates(dates, stored)
        await insert(root.name, dates)
        stored.added(dates)
        forget(dates)
      }
      const pending = await pendingOf({ root, store }, ledger, { covered, asOfMs })
      expected(bytesIn(pending, covered))
      for (const { source: id, floor, end } of pending) {
        if (live.failed.some((one) => one.source === id)) continue
        const start = Math.max(floor, covered.get(id) ?? 0)
        try {
          for await (const part of read({ source: id, start, end })) {
            for (const row of part.rows) batch.add(row)
            progress(part.bytes)
            covered.set(id, part.to)
            if (batch.bytes >= batchBytesMax) await flush()
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
function withLive(stored: Stored, root: string): Stored & { added(dates: readonly DateRows[]): void } {
  const sources = new Map<string, Set<string>>()
  return {
    sources: (date, family) => new Set([...stored.sources(date, family), ...(sources.get(`${date} ${family}`) ?? [])]),
    async from(table, date) {
      const own = `SELECT * FROM live_${table} WHERE root = ${literal(root)} AND "date" IS NOT DISTINCT FROM ${dateLiteral(date)}`
      const files = await stored.from(table, date)
      return files === null ? `(${own})` : `(SELECT * FROM ${files} UNION ALL BY NAME ${own})`
    },
    added(dates) {
      for (const { date, chunks } of dates) {
        for (const { place, isJob } of chunks.flatMap(({ keys }) => keys)) {
          if (!isJob) continue
          const key = `${date} ${place.family}`
          sources.set(key, (sources.get(key) ?? new Set()).add(place.source))
        }
      }
    },
  }
}

function dateLiteral(date: string | null): string {
  return date === null ? 'NULL' : `DATE ${literal(date)}`
}
