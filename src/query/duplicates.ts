/**
 * Proven duplicates: records that are in the archive twice because a file was collected under two identities, as after LSF's failover copies
 * lsb.acct back, or a crash between copying a log and removing it.
 *
 * The k-th record with certain bytes in a source is a duplicate of the k-th record with the same bytes in another source of the same
 * family that was archived earlier, if it tells of a job with an id and has a time. Equal lines within one source are two facts, and
 * stay two: a copy of that source then holds two duplicates. Lines that tell of no job are never duplicates: they may well be equal.
 *
 * Equal bytes have equal times, so duplicates lie in one date. What is compared is the new rows with each other and with the files of
 * their dates, and there only if a date has rows of several sources of a family, and of those only jobs with an id in several sources:
 * `jobs` gives these cheaply, `records` their bytes (SHA-256). Rows are given in the order in which they were archived, after those of
 * the files; so a duplicate is never archived before what it repeats.
 */

import type { DuckDBConnection } from '@duckdb/node-api'
import { VARCHAR } from '@duckdb/node-api'
import { sha256 } from '../core/hash.ts'
import { listLiteral, literal } from './duckdb.ts'
import type { TableFile, TableSet } from './manifest.ts'
import type { RecordRow } from './rows.ts'
import { registerRows } from './row-source.ts'
import type { TableFiles } from './table-files.ts'

/** A record that may repeat another. */
interface Occurrence {
  source: string
  offset: number
  hash: string
  row: RecordRow | null
}

interface JobKey {
  jobId: string
}

export type MarkDuplicates = (rows: readonly RecordRow[], set: TableSet) => Promise<void>

/** Sets `duplicateOf` of the new rows, given what is in the tables. Throws `table-missing`, `store-*`. */
export function openDuplicates(connection: DuckDBConnection, files: TableFiles): MarkDuplicates {
  let wanted: JobKey[] = []
  const columns = [{ name: 'job_id', type: VARCHAR, value: ({ jobId }: JobKey) => jobId }]
  registerRows(connection, 'gleaner_job_ids', { columns, rows: () => wanted })
  return async (rows, set) => {
    const groups = Map.groupBy(rows.filter(isComparable), ({ place, date }) => `${date} ${place.family}`)
    if (groups.size === 0) return
    const sources = sourcesOfBatches(set)
    for (const some of groups.values()) {
      const { date, place } = some[0] as RecordRow
      const tables = set.files.filter((file) => file.date === date)
      const stored = storedSources(tables, place.family, sources)
      const all = new Set([...stored, ...some.map((row) => row.place.source)])
      if (all.size < 2) continue
      wanted = uniqueIds(some)
      const there = stored.size === 0 ? [] : await storedOccurrences(connection, files, { tables, sources: stored })
      const ids = new Set(there.map(({ jobId }) => jobId))
      const candidates = some.filter((row) => ids.has(idOf(row)) || isInSeveral(row, some))
      mark([...there, ...candidates.map(occurrenceOf)])
    }
  }
}

function isComparable({ job, timeMs }: RecordRow): boolean {
  return job !== null && job.job_id !== null && timeMs !== null
}

function idOf({ job }: RecordRow): string {
  return job?.job_id ?? ''
}

function uniqueIds(rows: readonly RecordRow[]): JobKey[] {
  return [...new Set(rows.map(idOf))].map((jobId) => ({ jobId }))
}

const severalOf = new WeakMap<readonly RecordRow[], Set<string>>()

/** Whether this row's job id is in several sources of the group. */
function isInSeveral(row: RecordRow, group: readonly RecordRow[]): boolean {
  let several = severalOf.get(group)
  if (!several) {
    several = new Set()
    const first = new Map<string, string>()
    for (const one of group) {
      const source = first.get(idOf(one))
      if (source === undefined) first.set(idOf(one), one.place.source)
      else if (source !== one.place.source) several.add(idOf(one))
    }
    severalOf.set(group, several)
  }
  return several.has(idOf(row))
}

/** Batch → family → sources. */
type BatchSources = Map<number, Map<string, Set<string>>>

function sourcesOfBatches(set: TableSet): BatchSources {
  return new Map(
    set.batches.map(({ id, ranges }) => {
      const families = new Map<string, Set<string>>()
      for (const [source, family] of ranges) {
        const some = families.get(family) ?? new Set()
        families.set(family, some.add(source))
      }
      return [id, families]
    }),
  )
}

function storedSources(tables: readonly TableFile[], family: string, sources: BatchSources): Set<string> {
  const batches = new Set(tables.flatMap((file) => file.batches))
  return new Set([...batches].flatMap((id) => [...(sources.get(id)?.get(family) ?? [])]))
}

/** The records in the files that tell of the wanted jobs, in the order in which they were archived. */
async function storedOccurrences(
  connection: DuckDBConnection,
  files: TableFiles,
  { tables, sources }: { tables: readonly TableFile[]; sources: ReadonlySet<string> },
): Promise<(Occurrence & { jobId: string })[]> {
  const from = async (table: string): Promise<string> => {
    const paths = await files.paths(tables.filter((file) => file.table === table))
    return `read_parquet(${listLiteral(paths)}, hive_partitioning = false)`
  }
  if (!tables.some(({ table }) => table === 'jobs')) return []
  const jobs = `SELECT source, "offset", job_id FROM ${await from('jobs')} WHERE job_id IN (SELECT job_id FROM gleaner_job_ids())
    AND source IN (${[...sources].map(literal).join(', ')})`
  await connection.run(`CREATE OR REPLACE TEMP TABLE gleaner_candidates AS ${jobs}`)
  const counted = await connection.runAndReadAll('SELECT count(*) FROM gleaner_candidates')
  if (Number(counted.getRows()[0]?.[0]) === 0) return []
  const found = await connection.runAndReadAll(`
    SELECT c.source, c."offset", c.job_id, sha256(r.raw) FROM ${await from('records')} r
    JOIN gleaner_candidates c ON r.source = c.source AND r."offset" = c."offset"
    ORDER BY r.archived_at, c.source, c."offset"`)
  return found.getRows().map(([source, offset, jobId, hash]) => {
    return { source: String(source), offset: Number(offset), jobId: String(jobId), hash: String(hash), row: null }
  })
}

function occurrenceOf(row: RecordRow): Occurrence {
  return { source: row.place.source, offset: row.offset, hash: sha256(row.raw), row }
}

/** The k-th in a source repeats the first k-th of any source. */
function mark(occurrences: readonly Occurrence[]): void {
  const seen = new Map<string, number>()
  const originals = new Map<string, Occurrence>()
  for (const one of occurrences) {
    const inSource = `${one.hash} ${one.source}`
    const k = seen.get(inSource) ?? 0
    seen.set(inSource, k + 1)
    const original = originals.get(`${one.hash} ${k}`)
    if (!original) originals.set(`${one.hash} ${k}`, one)
    else if (one.row !== null) one.row.duplicateOf = `${original.source}:${original.offset}`
  }
}
