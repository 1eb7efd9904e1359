/**
 * Builds the tables of one root from its segments, incrementally. It reads what is archived and not covered (pending.ts), parses it, and
 * writes a file per table and date for every 16 MiB; late records go into new files of their own date. Then it merges small files.
 *
 *   die at any point      the last manifest stands; the next build begins there, and sweeps what was written for nothing
 *   another builder       of two commits one wins (manifest.ts); the loser begins again from there
 *   a file is gone        its date is made again from the byte ranges that the manifest says were in it
 *   another parser        all is built anew beside the old tables, which readers use until it is complete
 *   a damaged source      is named in the report; the others are built
 */

import { parseSegmentKey } from '../core/segment.ts'
import { isGleanerError, messageOf } from '../errors.ts'
import type { RootContext } from '../roles/context.ts'
import { listAll, openLedger } from '../roles/ledger.ts'
import { compactDates } from './compact.ts'
import { openDuck } from './duckdb.ts'
import type { Duck } from './duckdb.ts'
import type { MarkDuplicates } from './duplicates.ts'
import { openDuplicates, storedIn } from './duplicates.ts'
import type { CoveredRange, Parser, TableFile, TableSet } from './manifest.ts'
import { latestManifest } from './manifest.ts'
import type { RowReader } from './pending.ts'
import { openRowReader, pendingOf } from './pending.ts'
import type { DateRows } from './row-batch.ts'
import { forget, openRowBatch } from './row-batch.ts'
import { sweepTables } from './sweep.ts'
import type { Draft } from './table-draft.ts'
import { openDraft, Overtaken } from './table-draft.ts'
import type { TableFiles } from './table-files.ts'
import { bytesIn } from './expected.ts'
import { openTableFiles } from './table-files.ts'
import type { TableName } from './table-schema.ts'
import { tableNames, tablePrefix } from './table-schema.ts'
import type { TableWriter } from './table-writer.ts'
import { openTableWriter } from './table-writer.ts'

export type BuildContext = Pick<RootContext, 'root' | 'store' | 'derived' | 'clock' | 'random'>

export interface BuildOptions {
  /** Make this date again, whatever is there; null: build what is new. YYYY-MM-DD. */
  date: string | null
  /** `expected`: raw bytes to be read in all, as far as that is known by now. */
  progress?: (done: BuildReport, expected: number) => void
  /** How much may be lost by dying: a manifest is committed so often. */
  commitEveryMs?: number
}

export interface BuildReport {
  root: string
  /** Raw bytes that were read, records and jobs that were written, the files they are in. */
  bytes: number
  records: number
  jobs: number
  files: number
  /** Sources that could not be read to their end. */
  failed: { source: string; error: string }[]
}

/** Raw bytes; what waits packed takes four times as much memory. */
const batchBytesMax = 16 * 1024 * 1024
const commitEveryMsDefault = 120_000

interface Work {
  context: BuildContext
  options: BuildOptions
  report: BuildReport
  expectedBytes: number
  duck: Duck
  files: TableFiles
  writer: TableWriter
  read: RowReader
  markDuplicates: MarkDuplicates
  draft: Draft
}

export function parserOf({ format, parse }: BuildContext['root']): Parser {
  return { format: format.name, version: format.parser, timezone: parse.timezone ?? null }
}

/** Throws `store-*`, `archive-newer`, `table-missing`. */
export async function buildTables(context: BuildContext, options: BuildOptions): Promise<BuildReport> {
  const { root, derived } = context
  for (;;) {
    const report: BuildReport = { root: root.name, bytes: 0, records: 0, jobs: 0, files: 0, failed: [] }
    // A second thread would spin while rows are made here: a quarter more CPU, measured.
    const duck = await openDuck({ threads: 1, memory: '1GiB' })
    try {
      const draft = openDraft(context, await latestManifest(derived, root.name), parserOf(root))
      const files = openTableFiles(derived, duck.directory)
      const parser = parserOf(root)
      const writer = openTableWriter(duck, files, { root: root.name, parser, random: context.random })
      const read = openRowReader(root, openLedger(context.store, root.name))
      const markDuplicates = openDuplicates(duck.connection)
      await build({ context, options, report, expectedBytes: 0, duck, files, writer, read, markDuplicates, draft })
      return report
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error
    } finally {
      await duck.close()
    }
  }
}

async function build(work: Work): Promise<void> {
  const { context, options, draft } = work
  const days = options.date === null ? await missingDates(work) : new Set([options.date])
  for (const date of days) {
    try {
      await rebuildDate(work, date)
    } catch (error) {
      // What stood for the date stays as it is.
      if (!isGleanerError(error, 'store-damaged')) throw error
      work.report.failed.push({ source: error.subject, error: error.message })
    }
  }
  if (options.date === null) {
    const touched = await buildPending(work)
    await compactDates(work, touched)
  }
  await draft.commit({ complete: options.date === null })
  await sweepTables(context, context.root.name)
}

/** Gives the dates that got new files. */
async function buildPending(work: Work): Promise<Set<string | null>> {
  const { context, options, draft, report } = work
  const { clock } = context
  const ledger = openLedger(context.store, context.root.name)
  const touched = new Set<string | null>()
  const batch = openRowBatch()
  const ranges = new Map<string, CoveredRange>()
  let committedMs = clock.monotonicMs()
  const flush = async (): Promise<void> => {
    const id = draft.nextBatch()
    const written = await writeRows(work, batch.take(), { batches: [id], set: draft.set })
    draft.add(written)
    draft.set.batches.push({ id, ranges: [...ranges.values()] })
    ranges.clear()
    for (const { date } of written) touched.add(date)
    if (clock.monotonicMs() - committedMs < (options.commitEveryMs ?? commitEveryMsDefault)) return
    await draft.commit()
    committedMs = clock.monotonicMs()
  }
  const pending = await pendingOf(context, ledger, { covered: draft.covered, asOfMs: null })
  work.expectedBytes += bytesIn(pending, draft.covered)
  for (const { source, floor, end } of pending) {
    if (report.failed.some((one) => one.source === source)) continue
    const start = Math.max(floor, draft.covered.get(source) ?? 0)
    try {
      for await (const { rows, bytes, family, from, to } of work.read({ source, start, end })) {
        for (const row of rows) batch.add(row)
        report.bytes += bytes
        ranges.set(source, [source, family, ranges.get(source)?.[2] ?? from, to])
        draft.covered.set(source, to)
        options.progress?.(report, work.expectedBytes)
        if (batch.bytes >= batchBytesMax) await flush()
      }
    } catch (error) {
      if (!isGleanerError(error, 'store-damaged')) throw error
      report.failed.push({ source, error: messageOf(error) ?? '' })
    }
  }
  if (batch.bytes > 0) await flush()
  return touched
}

async function writeRows(
  { writer, files, report, markDuplicates }: Work,
  rows: readonly DateRows[],
  { batches, set }: { batches: number[]; set: TableSet },
): Promise<TableFile[]> {
  await markDuplicates(rows, storedIn(set, files))
  const written = await writer.write(rows, batches)
  forget(rows)
  const sum = (table: TableName): number =>
    written.reduce((total, file) => total + (file.table === table ? file.rows : 0), 0)
  report.records += sum('records')
  report.jobs += sum('jobs')
  report.files += written.length
  return written
}

/** Dates of which a file is not there, or has another size. */
async function missingDates({ context, draft }: Work): Promise<Set<string | null>> {
  const there = new Map<string, number>()
  if (draft.set.files.length === 0) return new Set()
  for (const table of tableNames) {
    for (const { key, size } of await listAll(context.derived, tablePrefix(table, context.root.name)))
      there.set(key, size)
  }
  return new Set(draft.set.files.filter(({ key, bytes }) => there.get(key) !== bytes).map(({ date }) => date))
}

/** All files of a date anew, from the ranges of the batches that were in it. What has expired since is not in them any more. */
async function rebuildDate(work: Work, date: string | null): Promise<void> {
  const { context, draft, options, report } = work
  const { batches, files: all } = draft.set
  const old = all.filter((file) => file.date === date)
  const ids = [...new Set(old.flatMap((file) => file.batches))].sort((a, b) => a - b)
  const made: TableFile[] = []
  const ledger = openLedger(context.store, context.root.name)
  const batch = openRowBatch()
  const flush = async (): Promise<void> => {
    const set = { ...draft.set, files: [...all.filter((file) => file.date !== date), ...made] }
    made.push(...(await writeRows(work, batch.take(), { batches: ids, set })))
  }
  const ranges = ids.flatMap((id) => batches.find((batch) => batch.id === id)?.ranges ?? [])
  work.expectedBytes += ranges.reduce((sum, [, , from, end]) => sum + end - from, 0)
  for (const [source, , from, end] of ranges) {
    const [first] = await ledger.segmentsFrom(source, 0)
    const start = Math.max(from, first === undefined ? end : (parseSegmentKey(first.key)?.start ?? 0))
    for await (const read of work.read({ source, start, end })) {
      for (const row of read.rows) if (row.date === date) batch.add(row)
      report.bytes += read.bytes
      options.progress?.(report, work.expectedBytes)
      if (batch.bytes >= batchBytesMax) await flush()
    }
  }
  if (batch.bytes > 0) await flush()
  draft.add(made, old)
}
