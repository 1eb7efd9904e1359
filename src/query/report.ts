/**
 * What `report` asks: the jobs of one user that ended in a period, each beside the record that it was told by. The user and the times go in
 * as parameters alone.
 *
 * A job without an end time (one that never started, where its batch system writes none) ended in no period.
 */

import { DuckDBTimestampTZValue } from '@duckdb/node-api'
import type { Json } from '@duckdb/node-api'
import type { Period } from '../core/period.ts'
import type { Rows, Values } from './answers.ts'
import type { Session, SessionOptions } from './session.ts'
import { openSession } from './session.ts'
import { columnsOf } from './table-schema.ts'

/** A record counts as late when it was archived so long after the period's end. */
export const lateAfterMs = 86_400_000

export interface ReportOptions extends Omit<SessionOptions, 'query'> {
  user: string
  period: Period
}

/** The records of the answer that end in one segment. */
export interface Share {
  root: string
  source: string
  family: string
  format: string
  parser: number
  segment: string
  sha256: string
  archivedAt: string
  records: number
  /** Sum of `elements`: an array element that stands with others in one record counts for itself. */
  jobs: number
  /** Records of ranges of an array whose elements are not known: they count in no sum. */
  unknown: number
  late: number
  ambiguous: number
  incomplete: number
  lossy: number
  /** Where the first one begins and the last one ends. */
  from: number
  to: number
}

export interface ReportSession extends Pick<Session, 'coverage' | 'close'> {
  /** Every job by end time, with what it was told by; the columns are the same whatever comes. */
  rows(): Promise<Rows>
  /** root, source, offset, length, segment, sha256 and bytes (base64) of every record, in the order of the archive. */
  records(): Promise<Rows>
  /** root, source, offset, length, segment, duplicate_of: records left out since they repeat one of the answer. */
  duplicates(): Promise<Rows>
  shares(): Promise<Share[]>
}

const jobColumns = columnsOf.jobs.map(([name]) => name).filter((name) => !['source', 'offset'].includes(name))
const recordColumns = (
  'length family path format parser segment segment_sha256 archived_at ' +
  'time_text time_zone time_ambiguous incomplete lossy'
).split(' ')

const wanted = `j."user" = $user AND j.end_time >= $from AND j.end_time < $to`
const sameDate = 'r.root = j.root AND r."date" IS NOT DISTINCT FROM j."date"'
const joined = `FROM jobs j JOIN records r ON ${sameDate} AND r.source = j.source AND r."offset" = j."offset" WHERE ${wanted}`

const rowsSql = `SELECT j.root, ${jobColumns
  .filter((name) => name !== 'duplicate_of')
  .map((name) => `j."${name}"`)
  .join(', ')}, j.source, j."offset", ${recordColumns.map((name) => `r."${name}"`).join(', ')},
  r.archived_at > $late AS late ${joined} ORDER BY j.end_time, j.root, j.source, j."offset"`

// Every query names every parameter: DuckDB refuses one that is given and not named.
const recordsSql = `SELECT j.root, j.source, j."offset", r.length, r.segment, sha256(r.raw), to_base64(r.raw) ${joined}
  AND $late IS NOT NULL ORDER BY j.root, j.source, j."offset"`

const duplicatesSql = `SELECT r.root, r.source, r."offset", r.length, r.segment, r.duplicate_of FROM jobs j JOIN records r
  ON ${sameDate} AND r.duplicate_of = concat(j.source, ':', j."offset") WHERE ${wanted} AND $late IS NOT NULL
  ORDER BY r.root, r.source, r."offset"`

const sharesSql = `SELECT j.root, j.source, r.family, r.format, r.parser, r.segment, r.segment_sha256 AS sha256,
  r.archived_at AS "archivedAt", count(*) AS records, CAST(coalesce(sum(j.elements), 0) AS BIGINT) AS jobs,
  count(*) FILTER (j.elements IS NULL AND j.step IS NULL) AS "unknown",
  count(*) FILTER (r.archived_at > $late) AS late, count(*) FILTER (r.time_ambiguous) AS ambiguous,
  count(*) FILTER (r.incomplete) AS incomplete, count(*) FILTER (r.lossy) AS lossy,
  min(j."offset") AS "from", max(j."offset" + r.length) AS "to"
  ${joined} GROUP BY ALL ORDER BY j.root, j.source, r.segment`

/** Reads what the period needs, and no more. Throws as `openSession` does. */
export async function openReport({ user, period, ...options }: ReportOptions): Promise<ReportSession> {
  const values: Values = {
    user,
    from: timestamp(period.fromMs),
    to: timestamp(period.toMs),
    late: timestamp(period.toMs + lateAfterMs),
  }
  const session = await openSession({ ...options, query: { sql: rowsSql, values, joined: true } })
  return {
    coverage: session.coverage,
    close: () => session.close(),
    rows: () => session.stream(rowsSql, values),
    records: () => session.stream(recordsSql, values),
    duplicates: () => session.stream(duplicatesSql, values),
    shares: async () => (await session.rows(sharesSql, values)) as unknown as Share[],
  }
}

/** Rows one at a time. */
export async function* eachRow({ chunks }: Rows): AsyncGenerator<Json[]> {
  for await (const rows of chunks) yield* rows
}

function timestamp(ms: number): DuckDBTimestampTZValue {
  return new DuckDBTimestampTZValue(BigInt(ms) * 1000n)
}
