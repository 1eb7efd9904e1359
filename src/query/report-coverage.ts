/**
 * How complete the answer of one root is, as far as archive and catalog know. Nothing here looks at a file of the root.
 *
 *     leftOut     sources that are damaged from somewhere on: their records from there are not in the answer
 *     expired     beginnings of sources that were expired by command, and whether tables still hold their records
 *     behind      files that held more at the last full pass than is archived now
 */

import type { Period } from '../core/period.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import type { RootContext } from '../roles/context.ts'
import { boundaryKeys } from '../roles/boundaries.ts'
import { readBoundary } from '../core/boundary.ts'
import type { readCatalog } from '../roles/catalog.ts'
import type { JournalEntry } from '../roles/journal.ts'
import { anomaliesOf } from '../roles/journal.ts'
import { openLedger } from '../roles/ledger.ts'
import type { Reach } from '../roles/reach.ts'
import { reachOf } from '../roles/reach.ts'
import type { TableSet } from './manifest.ts'
import { readManifest } from './manifest.ts'
import type { RootCoverage } from './session.ts'

export interface Archived {
  /** Sources of which anything is archived, and when the last commit was, RFC 3339 by the store's clock. */
  sources: number
  upTo: string | null
  segment: string | null
}

export interface ExpiredSource {
  source: string
  family: string
  end: number
  before: string | null
  boundary: string
  /** Whether tables hold all of its records. */
  inTables: boolean
  /** Whether records of the period may be missing from the answer for it. */
  matters: boolean
}

export interface BehindFile {
  path: string
  source: string | null
  size: number
  archived: number
}

export interface RootCompleteness {
  root: string
  format: string
  /** Of text times without an offset. */
  timezone: string | null
  archived: Archived
  tables: { manifest: number; writtenAt: string | null; files: number; filesOf: number }
  /** Bytes that no table holds, parsed for this answer. */
  parsedBytes: number
  leftOut: { source: string; error: string }[]
  expired: ExpiredSource[]
  /** Null: no full pass has left a catalog. */
  behind: { asOf: string; count: number; files: BehindFile[] } | null
  anomalies: JournalEntry[]
}

export type ReportContext = Pick<RootContext, 'root' | 'store' | 'derived'>

export type Catalog = Awaited<ReturnType<typeof readCatalog>>

interface Known {
  coverage: RootCoverage
  archived: Archived
  period: Period
  catalog: Catalog
}

const behindMax = 1000

/** Asked before the session is opened: what the answer holds at least. Throws `store-*`. */
export async function archivedBy(context: ReportContext, asOfMs: number | null): Promise<Archived> {
  const reaches = await reachOf(context, asOfMs ?? Number.POSITIVE_INFINITY)
  let last: Reach['stored'] = null
  let sources = 0
  for (const { stored } of reaches.values()) {
    if (stored === null) continue
    sources++
    if (last === null || stored.storedAtMs > last.storedAtMs) last = stored
  }
  const isSegment = last !== null && last.storedAtMs > 0
  return {
    sources,
    upTo: isSegment && last !== null ? formatRfc3339(Math.floor(last.storedAtMs)) : null,
    segment: isSegment ? (last?.key ?? null) : null,
  }
}

/** Throws `store-*`. */
export async function completenessOf(
  context: ReportContext,
  { coverage, archived, period, catalog }: Known,
): Promise<RootCompleteness> {
  const { root, store, derived } = context
  const { manifest, writtenAt, files, filesOf, ranges, failed } = coverage
  const set = manifest === 0 ? null : ((await readManifest(derived, root.name, manifest))?.current ?? null)
  return {
    root: root.name,
    format: root.format.name,
    timezone: root.parse.timezone ?? null,
    archived,
    tables: { manifest, writtenAt: writtenAt || null, files, filesOf },
    parsedBytes: ranges.reduce((sum, { from, to }) => sum + to - from, 0),
    leftOut: failed,
    expired: await expiredOf(context, set, period),
    behind: await behindOf(context, catalog),
    anomalies: (await anomaliesOf(store, root.name))
      .filter(({ acknowledged }) => acknowledged === null)
      .map(({ acknowledged: _none, ...entry }) => entry),
  }
}

async function expiredOf(
  { root, store }: ReportContext,
  set: TableSet | null,
  period: Period,
): Promise<ExpiredSource[]> {
  const expired: ExpiredSource[] = []
  const tabled = extentsOf(set)
  for (const [source, { key, end }] of await boundaryKeys(store, root.name)) {
    const object = await store.get(key)
    const boundary = object && readBoundary(object.body, key)
    const [from, to] = tabled.get(source) ?? [0, 0]
    const inTables = from === 0 && to >= end
    const before = boundary?.before ?? null
    const isEarlier = before !== null && Date.parse(before) <= period.fromMs
    const matters = !inTables && !isEarlier
    expired.push({ source, family: boundary?.family ?? '', end, before, boundary: key, inTables, matters })
  }
  return expired
}

/** Where the bytes of each source that tables hold begin and end. */
function extentsOf(set: TableSet | null): Map<string, readonly [number, number]> {
  const extents = new Map<string, readonly [number, number]>()
  for (const { ranges } of set?.batches ?? []) {
    for (const [source, , from, to] of ranges) {
      const known = extents.get(source) ?? [from, to]
      extents.set(source, [Math.min(from, known[0]), Math.max(to, known[1])])
    }
  }
  return extents
}

async function behindOf(context: ReportContext, catalog: Catalog): Promise<RootCompleteness['behind']> {
  if (catalog === null) return null
  const ledger = openLedger(context.store, context.root.name)
  const found: BehindFile[] = []
  let count = 0
  for (const [path, size, , , , source, , head] of catalog.files) {
    if (head !== null || size === 0) continue
    const archived = source === '' ? 0 : ((await ledger.last(source, size))?.end ?? 0)
    if (archived >= size) continue
    count++
    if (found.length < behindMax) found.push({ path, source: source || null, size, archived })
  }
  return { asOf: formatRfc3339(Math.floor(catalog.atMs)), count, files: found }
}
