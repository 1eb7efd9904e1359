/**
 * What the archive holds of a root beyond what is covered: the segments that came since, in the order in which they were stored, those of
 * one source that follow each other as one stretch.
 *
 * In that order a record's duplicates come after it. Where a source goes on, reading begins at its last record boundary, which may lie in
 * an earlier segment; where its beginning has expired, at what is left. A source that was found to have ended inside of a record is read up
 * to there again.
 */

import type { Framed } from '../formats/format.ts'
import { parseSegmentKey, segmentPrefix } from '../core/segment.ts'
import type { Store } from '../ports/store.ts'
import { archivedRecords, mayGoOn } from '../roles/archived-records.ts'
import type { RootSettings } from '../roles/context.ts'
import { unfinishedOf } from '../roles/journal.ts'
import type { Ledger } from '../roles/ledger.ts'
import { openParseContexts } from '../roles/parse-context.ts'
import type { RecordRow } from './rows.ts'
import { placeOf, rowOf } from './rows.ts'

/** Segments of one source that follow each other. Read from what is covered, but not before `floor`, up to `end`. */
export interface Stretch {
  source: string
  /** Where what is left of the source begins; 0 unless its beginning has expired. */
  floor: number
  end: number
}

interface Waiting {
  key: string
  source: string
  start: number
  floor: number
  storedAtMs: number
}

const page = 10_000

/** One list of the root's segments. `asOfMs`: only what was stored by then; null: all. Throws `store-*`. */
export async function pendingOf(
  { root, store }: { root: RootSettings; store: Store },
  ledger: Ledger,
  { covered, asOfMs }: { covered: Map<string, number>; asOfMs: number | null },
): Promise<Stretch[]> {
  const ended = mayGoOn(root) ? await unfinishedOf(store, root.name) : []
  const floors = new Map(ended.map(({ source }) => [source, 0]))
  const waiting = await waitingOf(store, root.name, { covered, floors })
  const known = asOfMs === null ? waiting : waiting.filter(({ storedAtMs }) => storedAtMs <= asOfMs)
  known.sort(
    (a, b) => a.storedAtMs - b.storedAtMs || (a.source < b.source ? -1 : a.source > b.source ? 1 : a.start - b.start),
  )
  const stretches: Stretch[] = []
  for (const [index, { key, source, floor, storedAtMs }] of known.entries()) {
    const isLast = known[index + 1]?.source !== source
    const isFirst = known[index - 1]?.source !== source
    if (isFirst) stretches.push({ source, floor, end: floor })
    if (isLast) (stretches.at(-1) as Stretch).end = (await ledger.header(key, storedAtMs)).end
  }
  const sources = new Set(stretches.map(({ source }) => source))
  for (const { source, end, at } of ended) {
    const floor = floors.get(source) ?? 0
    const isWanted = !sources.has(source) && end > Math.max(floor, covered.get(source) ?? 0)
    if (isWanted && (asOfMs === null || Date.parse(at) <= asOfMs)) stretches.push({ source, floor, end })
  }
  return stretches
}

async function waitingOf(
  store: Store,
  root: string,
  { covered, floors }: { covered: Map<string, number>; floors: Map<string, number> },
): Promise<Waiting[]> {
  const waiting: Waiting[] = []
  let at = { source: '', floor: 0, storedAtMs: 0 }
  for (let after: string | undefined; ; ) {
    const { objects, more } = await store.list(segmentPrefix(root), {
      limit: page,
      ...(after !== undefined && { after }),
    })
    for (const { key, storedAtMs } of objects) {
      const parsed = parseSegmentKey(key)
      if (!parsed) continue
      const { source, start } = parsed
      const to = covered.get(source) ?? 0
      if (source !== at.source) at = { source, floor: start > to ? start : 0, storedAtMs: 0 }
      // A store's clock may step back; a source's segments were made one after the other.
      if (floors.has(source)) floors.set(source, at.floor)
      at.storedAtMs = Math.max(at.storedAtMs, storedAtMs)
      if (start >= to) waiting.push({ key, start, ...at })
    }
    after = objects.at(-1)?.key
    if (!more || after === undefined) return waiting
  }
}

export interface ReadRows {
  /** To go through once: each is made when it is asked for, so that none is kept while others are made. */
  rows: Iterable<RecordRow>
  /** Bytes that they are. */
  bytes: number
  family: string
  source: string
  from: number
  to: number
}

/** `start` is a record boundary. */
export type RowReader = (range: { source: string; start: number; end: number }) => AsyncGenerator<ReadRows>

/** The rows of a stretch, a few (at most 1 MiB and one record) at a time. Throws `store-damaged` at a gap, `store-*`. */
export function openRowReader(root: RootSettings, ledger: Ledger): RowReader {
  const parseOf = openParseContexts(root, ledger)
  const { format } = root
  return async function* read({ source, start, end }) {
    const parse = await parseOf(source)
    for await (const { records, mark } of archivedRecords(root, ledger, { source, start, end })) {
      const place = placeOf(mark, format)
      const rows = rowsOf(records, (framed) => rowOf(framed, place, { format, parse }))
      const [from, to] = [records[0]?.start ?? start, records.at(-1)?.end ?? start]
      yield { rows, bytes: to - from, family: mark.family, source, from, to }
    }
  }
}

function* rowsOf(records: readonly Framed[], make: (framed: Framed) => RecordRow): Generator<RecordRow> {
  for (const framed of records) yield make(framed)
}
