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
import { packColumn } from './packed-column.ts'
import type { DateRows, RowKey } from './row-batch.ts'
import { rawsOf } from './row-batch.ts'
import type { GivenChunk } from './row-source.ts'
import { registerRows } from './row-source.ts'
import type { TableFiles } from './table-files.ts'
import type { TableName } from './table-schema.ts'

/** A record that may repeat another. */
interface Occurrence {
  source: string
  offset: number
  hash: string
  /** Null where it is stored already. */
  key: RowKey | null
}

/** A new record, and its bytes. */
interface Comparable {
  key: RowKey & { jobId: string }
  raw: Uint8Array
}

/** The rows that are there already, those of one date at a time. */
export interface Stored {
  /** The sources of a family that may have rows of this date. */
  sources(date: string | null, family: string): ReadonlySet<string>
  /** What to select the rows of a table from; null where there are none. */
  from(table: TableName, date: string | null): Promise<string | null>
}

export type MarkDuplicates = (dates: readonly DateRows[], stored: Stored) => Promise<void>

/** Sets `duplicateOf` of the new rows, given what is there. Throws `table-missing`, `store-*`. */
export function openDuplicates(connection: DuckDBConnection): MarkDuplicates {
  let wanted: GivenChunk[] = []
  const columns = [{ name: 'job_id', type: VARCHAR }]
  registerRows(connection, 'gleaner_job_ids', () => ({ columns, chunks: wanted }))
  return async (dates, stored) => {
    for (const rows of dates) {
      for (const [family, own] of sourcesOf(rows)) {
        const sources = stored.sources(rows.date, family)
        if (new Set([...sources, ...own]).size < 2) continue
        const group = comparableOf(rows, family)
        wanted = chunksOfIds(group)
        const there =
          sources.size === 0 ? [] : await storedOccurrences(connection, stored, { date: rows.date, sources })
        const ids = new Set([...there.map(({ jobId }) => jobId), ...idsInSeveral(group)])
        mark([...there, ...group.filter(({ key }) => ids.has(key.jobId)).map(occurrenceOf)])
      }
    }
  }
}

/** The rows in the files of a set. */
export function storedIn(set: TableSet, files: TableFiles): Stored {
  const batches = sourcesOfBatches(set)
  const ofDate = (date: string | null): TableFile[] => set.files.filter((file) => file.date === date)
  return {
    sources(date, family) {
      const ids = new Set(ofDate(date).flatMap((file) => file.batches))
      return new Set([...ids].flatMap((id) => [...(batches.get(id)?.get(family) ?? [])]))
    },
    async from(table, date) {
      const paths = await files.paths(ofDate(date).filter((file) => file.table === table))
      return paths.length === 0 ? null : `read_parquet(${listLiteral(paths)}, hive_partitioning = false)`
    },
  }
}

/** Family → the sources that have rows that can be compared. */
function sourcesOf({ chunks }: DateRows): Map<string, Set<string>> {
  const families = new Map<string, Set<string>>()
  for (const { keys } of chunks) {
    for (const { place, jobId } of keys) {
      if (jobId === null) continue
      const sources = families.get(place.family)
      if (sources === undefined) families.set(place.family, new Set([place.source]))
      else sources.add(place.source)
    }
  }
  return families
}

function comparableOf({ chunks }: DateRows, family: string): Comparable[] {
  return chunks.flatMap((chunk) => {
    const raws = rawsOf(chunk)
    return chunk.keys.flatMap((key, index) =>
      key.jobId !== null && key.place.family === family
        ? [{ key: key as Comparable['key'], raw: raws[index] as Uint8Array }]
        : [],
    )
  })
}

const chunkIds = 1024

function chunksOfIds(group: readonly Comparable[]): GivenChunk[] {
  const ids = [...new Set(group.map(({ key }) => key.jobId))]
  return Array.from({ length: Math.ceil(ids.length / chunkIds) }, (_, n) => {
    const some = ids.slice(n * chunkIds, (n + 1) * chunkIds)
    return { count: some.length, columns: [packColumn('text', some)] }
  })
}

/** The job ids that several sources of the group tell of. */
function idsInSeveral(group: readonly Comparable[]): Set<string> {
  const several = new Set<string>()
  const first = new Map<string, string>()
  for (const { key } of group) {
    const source = first.get(key.jobId)
    if (source === undefined) first.set(key.jobId, key.place.source)
    else if (source !== key.place.source) several.add(key.jobId)
  }
  return several
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

/** The records that tell of the wanted jobs, in the order in which they were archived. */
async function storedOccurrences(
  connection: DuckDBConnection,
  stored: Stored,
  { date, sources }: { date: string | null; sources: ReadonlySet<string> },
): Promise<(Occurrence & { jobId: string })[]> {
  const [jobs, records] = [await stored.from('jobs', date), await stored.from('records', date)]
  if (jobs === null || records === null) return []
  await connection.run(`CREATE OR REPLACE TEMP TABLE gleaner_candidates AS
    SELECT source, "offset", job_id FROM ${jobs} WHERE job_id IN (SELECT job_id FROM gleaner_job_ids())
    AND source IN (${[...sources].map(literal).join(', ')})`)
  const counted = await connection.runAndReadAll('SELECT count(*) FROM gleaner_candidates')
  if (Number(counted.getRows()[0]?.[0]) === 0) return []
  const found = await connection.runAndReadAll(`
    SELECT c.source, c."offset", c.job_id, sha256(r.raw) FROM ${records} r
    JOIN gleaner_candidates c ON r.source = c.source AND r."offset" = c."offset"
    ORDER BY r.archived_at, c.source, c."offset"`)
  return found.getRows().map(([source, offset, jobId, hash]) => {
    return { source: String(source), offset: Number(offset), jobId: String(jobId), hash: String(hash), key: null }
  })
}

function occurrenceOf({ key, raw }: Comparable): Occurrence {
  return { source: key.place.source, offset: key.offset, hash: sha256(raw), key }
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
    else if (one.key !== null) one.key.duplicateOf = `${original.source}:${original.offset}`
  }
}
