/**
 * What an answer rests on and what it lacks, in one document: printed beside the rows, and the manifest of the evidence.
 *
 * An answer is complete when no damage left records out, none of its evidence is damaged, no anomaly of its roots is open, and nothing that
 * may belong to it has expired without a table that holds it.
 */

import { parseSegmentKey } from '../core/segment.ts'
import type { Damage } from '../core/findings.ts'
import type { Period } from '../core/period.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import type { Store } from '../ports/store.ts'
import { readCatalog } from '../roles/catalog.ts'
import { openLedger } from '../roles/ledger.ts'
import type { Archived, Catalog, ReportContext, RootCompleteness } from './report-coverage.ts'
import { completenessOf } from './report-coverage.ts'
import type { Covering, ToCover } from './report-digests.ts'
import { coveringDigests } from './report-digests.ts'
import type { ReportSession, Share } from './report.ts'
import { eachRow, lateAfterMs } from './report.ts'

/** A segment that the answer comes from. */
export interface ReportSegment extends ToCover {
  root: string
  source: string
  start: number
  records: number
  /** The number of the digest that names it; null: none does. */
  digest: number | null
  /** Whether its records were read again and found equal, as a digest or the last full pass tells. */
  proven: boolean
}

export interface Summary {
  v: 1
  gleaner: string
  user: string
  /** Half-open: from ≤ end time < to. */
  ended: { period: string; timezone: string; from: string; to: string }
  asOf: string | null
  answeredAt: string
  complete: boolean
  /** Why not. */
  lacks: string[]
  records: number
  jobs: number
  /** Records of ranges of an array whose elements are not known: they count in `records` alone. */
  recordsWithoutElements: number
  late: { archivedAfter: string; records: number }
  ambiguousTimes: number
  incompleteRecords: number
  lossyRecords: number
  duplicatesLeftOut: number
  proven: { records: number; of: number }
  digests: {
    segments: number
    of: number
    used: Covering['used']
    newest: Covering['newest']
  }
  timeBasis: { tzdata: string; parsers: { root: string; format: string; parser: number }[] }
  roots: RootCompleteness[]
  damaged: Damage[]
}

export interface ToSummarise {
  report: ReportSession
  contexts: readonly ReportContext[]
  archived: ReadonlyMap<string, Archived>
  store: Store
  facts: { gleaner: string; user: string; period: Period; asOfMs: number | null; answeredMs: number }
}

/** Throws `store-*`, `query-failed`. */
export async function summarise(asked: ToSummarise): Promise<{ summary: Summary; segments: ReportSegment[] }> {
  const { report, contexts, store, facts } = asked
  const { period, gleaner, user, asOfMs, answeredMs } = facts
  const shares = await report.shares()
  const catalogs = new Map<string, Catalog>()
  for (const context of contexts) catalogs.set(context.root.name, await readCatalog(context).catch(() => null))
  const wanted = await segmentsOf(store, shares)
  const covering = await coveringDigests(store, wanted)
  const segments = wanted.map((one) => {
    const digest = covering.digestOf.get(one.key) ?? null
    const provenTo = Math.max(covering.provenTo.get(one.source) ?? 0, provenBy(catalogs.get(one.root), one.source))
    return { ...one, digest, proven: provenTo >= one.end }
  })
  const sum = (name: 'records' | 'jobs' | 'unknown' | 'late' | 'ambiguous' | 'incomplete' | 'lossy'): number =>
    shares.reduce((total, share) => total + share[name], 0)
  const proven = segments.filter((one) => one.proven).reduce((total, { records }) => total + records, 0)
  const summary: Summary = {
    v: 1,
    gleaner,
    user,
    ended: {
      period: period.text,
      timezone: period.timezone,
      from: formatRfc3339(period.fromMs),
      to: formatRfc3339(period.toMs),
    },
    asOf: asOfMs === null ? null : formatRfc3339(asOfMs),
    answeredAt: formatRfc3339(Math.floor(answeredMs)),
    complete: true,
    lacks: [],
    records: sum('records'),
    jobs: sum('jobs'),
    recordsWithoutElements: sum('unknown'),
    late: { archivedAfter: formatRfc3339(period.toMs + lateAfterMs), records: sum('late') },
    ambiguousTimes: sum('ambiguous'),
    incompleteRecords: sum('incomplete'),
    lossyRecords: sum('lossy'),
    duplicatesLeftOut: await countOf(report),
    proven: { records: proven, of: sum('records') },
    digests: {
      segments: covering.digestOf.size,
      of: segments.length,
      used: covering.used,
      newest: covering.newest,
    },
    timeBasis: { tzdata: process.versions['tz'] ?? '', parsers: parsersOf(shares) },
    roots: await rootsOf(asked, catalogs),
    damaged: covering.damaged,
  }
  return { summary: judged(summary), segments }
}

/** The same, with what it lacks told anew. */
export function judged(summary: Summary): Summary {
  const lacks = summary.roots.flatMap(({ root, leftOut, expired, anomalies }) => [
    ...leftOut.map(({ source, error }) => `${root}/${source}: records are left out: ${error}`),
    ...expired
      .filter(({ matters }) => matters)
      .map(
        ({ source, end }) => `${root}/${source}: its first ${end} bytes have expired, and no table holds their records`,
      ),
    ...(anomalies.length > 0 ? [`${root}: ${anomalies.length} open in \`gleaner anomalies --open\``] : []),
  ])
  const damage = summary.damaged.map(({ key, problem }) => `${key}: ${problem}: not as it should be`)
  return { ...summary, complete: lacks.length + damage.length === 0, lacks: [...lacks, ...damage] }
}

async function rootsOf(
  { report, contexts, archived, facts }: ToSummarise,
  catalogs: ReadonlyMap<string, Catalog>,
): Promise<RootCompleteness[]> {
  const roots: RootCompleteness[] = []
  for (const context of contexts) {
    const { name } = context.root
    const coverage = report.coverage.find(({ root }) => root === name)
    const known = archived.get(name)
    if (coverage === undefined || known === undefined) continue
    const catalog = catalogs.get(name) ?? null
    roots.push(await completenessOf(context, { coverage, archived: known, period: facts.period, catalog }))
  }
  return roots
}

/** Those that records end in, and, where a record begins in an earlier one, that as well. */
async function segmentsOf(store: Store, shares: readonly Share[]): Promise<Omit<ReportSegment, 'digest' | 'proven'>[]> {
  const segments = new Map<string, Omit<ReportSegment, 'digest' | 'proven'>>()
  for (const { root, source, segment: key, sha256, from, to, records, archivedAt } of shares) {
    const start = parseSegmentKey(key)?.start ?? 0
    const known = segments.get(key)
    const all = { records: records + (known?.records ?? 0), end: Math.max(to, known?.end ?? 0) }
    segments.set(key, { root, source, key, sha256, start, storedAtMs: Date.parse(archivedAt), ...all })
    if (from >= start) continue
    const ledger = openLedger(store, root)
    for (const listed of await ledger.segmentsFrom(source, 0)) {
      const earlier = parseSegmentKey(listed.key)?.start ?? 0
      if (earlier >= start || segments.has(listed.key)) continue
      const mark = await ledger.header(listed.key, listed.storedAtMs)
      if (mark.end <= from) continue
      const { sha256, end, storedAtMs } = mark
      segments.set(listed.key, { root, source, key: listed.key, sha256, start: earlier, end, storedAtMs, records: 0 })
    }
  }
  return [...segments.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

function provenBy(catalog: Catalog | undefined, source: string): number {
  return (catalog?.files ?? []).reduce((most, file) => (file[5] === source ? Math.max(most, file[6]) : most), 0)
}

function parsersOf(shares: readonly Share[]): Summary['timeBasis']['parsers'] {
  const parsers = new Map(shares.map(({ root, format, parser }) => [`${root} ${parser}`, { root, format, parser }]))
  return [...parsers.values()]
}

async function countOf(report: ReportSession): Promise<number> {
  let count = 0
  for await (const _row of eachRow(await report.duplicates())) count++
  return count
}
