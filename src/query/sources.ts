/**
 * What `sources` tells, computed from outside the collector: the archive says what was taken, the files what is there, Redis what is
 * published and proven, the last pass's catalog what is proven too, the journal what was lost.
 *
 *     state         when
 *     growing       a file goes on at the source's head
 *     rotated       as growing, but no active name holds it, and its longest file has not changed for `settle.tail`
 *     final         as growing, unchanged for `settle.final`
 *     behind        every file of it is shorter than what is archived, and equal so far
 *     truncated     the same, and the collector has found it cut
 *     vanished      no file holds it, and fewer bytes are archived than were seen
 *     gone          no file holds it; normal
 *     unavailable   the root, or the directory of its family, cannot be read now: nothing is concluded
 */

import { isActive } from '../core/family.ts'
import { decodePosition } from '../core/position.ts'
import { isGleanerError } from '../errors.ts'
import type { Feed } from '../ports/feed.ts'
import { proofsOf } from '../roles/catalog.ts'
import type { RootContext } from '../roles/context.ts'
import type { Reach } from '../roles/reach.ts'
import { reachOf } from '../roles/reach.ts'
import type { AnomalyKind } from '../core/anomaly.ts'
import { anomaliesOf } from '../roles/journal.ts'
import type { Ledger, Mark } from '../roles/ledger.ts'
import { openLedger } from '../roles/ledger.ts'
import { mapInOrder } from './concurrent.ts'
import type { Held } from './holders.ts'
import { holders } from './holders.ts'

type SourceState = 'growing' | 'behind' | 'rotated' | 'final' | 'gone' | 'vanished' | 'truncated' | 'unavailable'

export interface SourceRow {
  root: string
  source: string
  family: string
  /** Of a file that holds it now: the active name first, else the longest. Of none: as last archived. */
  path: string
  /** Bytes of that file; null where none is there. */
  size: number | null
  archived: number
  /** Null where no Redis says it. */
  published: number | null
  /** Null where neither Redis nor the catalog says it. */
  proven: number | null
  state: SourceState
}

const headersAtOnce = 16
const page = 1000

/**
 * The sources of one root, in order of family and path. `told` hears of what could not be asked (Redis, the root, a directory).
 * Throws `store-*`.
 */
export async function sourcesOf(
  context: RootContext,
  told: (error: unknown) => void = () => undefined,
): Promise<SourceRow[]> {
  const { root, store } = context
  const ledger = openLedger(store, root.name)
  const epoch = await orNull(async () => (await context.feed?.epoch(root.name)) ?? null, told)
  const reaches = await reachOf(context, epoch?.floorMs ?? 0)
  const marks = await lastMarks(ledger, reaches)
  const marked = context.feed && epoch?.archive === store.url ? context.feed : null
  const progress = await orNull(
    async () => (marked ? await progressOf(context, ledger, { feed: marked, reaches }) : null),
    told,
  )
  const catalog = await proofsOf(context)
  const files = await filesOf(context, ledger, { marks, told })
  const lost = Map.groupBy(await anomaliesOf(store, root.name), (anomaly) => anomaly.source)
  const rows: SourceRow[] = []
  for (const mark of marks.values()) {
    const kinds = new Set((lost.get(mark.source) ?? []).map((anomaly) => anomaly.kind))
    const held = files.bySource.get(mark.source) ?? []
    const isUnread = files.unread.some((path) => isWithin(mark.family, path) || isWithin(mark.path, path))
    const state = isUnread && held.length === 0 ? 'unavailable' : stateOf(context, { held, kinds })
    const at = progress?.get(mark.source)
    const proofs = [at?.proven, catalog.provenTo.get(mark.source)].filter((to) => to !== undefined)
    rows.push({
      root: root.name,
      source: mark.source,
      family: mark.family,
      ...placeOf(context, mark, held),
      archived: mark.end,
      published: at?.published ?? null,
      // A catalog may tell of an archive that was begun anew since.
      proven: proofs.length === 0 ? null : Math.min(mark.end, Math.max(...proofs)),
      state,
    })
  }
  const isNew = ([source]: [string, Held[]]): boolean => !marks.has(source)
  for (const [source, held] of [...files.bySource].filter(isNew)) {
    const [first] = held as [Held]
    const none = progress === null ? null : 0
    const place = placeOf(context, first, held)
    rows.push({
      root: root.name,
      source,
      family: first.family,
      ...place,
      archived: 0,
      published: none,
      proven: none,
      state: 'growing',
    })
  }
  return rows.sort((a, b) => compare(a.family, b.family) || compare(a.path, b.path) || compare(a.source, b.source))
}

/** The last segment of every source. */
export async function lastMarks(ledger: Ledger, reaches: Map<string, Reach>): Promise<Map<string, Mark>> {
  const marks = new Map<string, Mark>()
  const read = ({ last }: Reach): Promise<Mark> => ledger.header(last.key, last.storedAtMs)
  for await (const mark of mapInOrder(reaches.values(), headersAtOnce, read)) {
    ledger.learn(mark)
    marks.set(mark.source, mark)
  }
  return marks
}

interface Progress {
  published: number
  proven: number
}

/** A source without a position counts as published up to the end of its last segment stored by the epoch's floor. */
async function progressOf(
  { root }: RootContext,
  ledger: Ledger,
  { feed, reaches }: { feed: Feed; reaches: Map<string, Reach> },
): Promise<Map<string, Progress>> {
  const progress = new Map<string, Progress>()
  const sources = [...reaches.keys()]
  for (let at = 0; at < sources.length; at += page) {
    const some = sources.slice(at, at + page)
    const [positions, proven] = await Promise.all([feed.positions(root.name, some), feed.proven(root.name, some)])
    for (const [index, source] of some.entries()) {
      const stored = reaches.get(source)?.stored
      const position = decodePosition(positions[index] ?? '')
      const published = position?.published ?? (stored ? (await ledger.header(stored.key, stored.storedAtMs)).end : 0)
      progress.set(source, { published, proven: Number((proven[index] ?? '0').split(' ')[0]) || 0 })
    }
  }
  return progress
}

interface FoundFiles {
  bySource: Map<string, Held[]>
  /** Directories and files that could not be read; `''` is the whole root. */
  unread: string[]
}

async function filesOf(
  context: RootContext,
  ledger: Ledger,
  { marks, told }: { marks: Map<string, Mark>; told: (error: unknown) => void },
): Promise<FoundFiles> {
  const found: FoundFiles = { bySource: new Map(), unread: [] }
  try {
    for await (const one of holders(context, ledger, { marks: marks.values() })) {
      if (one.kind === 'unread') found.unread.push(one.path)
      else if (one.held.source !== null) add(found.bySource, one.held.source, one.held)
    }
    return found
  } catch (error) {
    if (!isGleanerError(error, 'root-unavailable', 'root-stalled')) throw error
    told(error)
    return { bySource: new Map(), unread: [''] }
  }
}

function stateOf(
  context: RootContext,
  { held, kinds }: { held: Held[]; kinds: ReadonlySet<AnomalyKind> },
): SourceState {
  const { family, settle } = context.root
  const reaching = held.filter((one) => one.kind === 'same')
  if (held.length === 0) return kinds.has('vanished') ? 'vanished' : kinds.has('truncated') ? 'truncated' : 'gone'
  if (reaching.length === 0) return kinds.has('truncated') ? 'truncated' : 'behind'
  const changedMs = Number((longest(reaching) as Held).stat.mtimeNs / 1_000_000n)
  const quietMs = context.clock.wallMs() - changedMs
  const isRotated = reaching.every((one) => !isActive(one.path, family))
  if (isRotated && quietMs >= settle.tailMs) return 'rotated'
  return quietMs >= settle.finalMs ? 'final' : 'growing'
}

function placeOf({ root }: RootContext, known: { path: string }, held: Held[]): { path: string; size: number | null } {
  const reaching = held.filter((one) => one.kind === 'same')
  const among = reaching.length > 0 ? reaching : held
  const one = among.find(({ path }) => isActive(path, root.family)) ?? longest(among)
  return one ? { path: one.path, size: one.stat.size } : { path: known.path, size: null }
}

function longest(held: Held[]): Held | undefined {
  return held.toSorted((a, b) => b.stat.size - a.stat.size)[0]
}

function isWithin(path: string, directory: string): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`)
}

/** Redis being away keeps nothing from being told that does not need it. */
async function orNull<T>(ask: () => Promise<T | null>, told: (error: unknown) => void): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    if (!isGleanerError(error) || !error.code.startsWith('redis-')) throw error
    told(error)
    return null
  }
}

function add(map: Map<string, Held[]>, source: string, held: Held): void {
  const list = map.get(source)
  if (list) list.push(held)
  else map.set(source, [held])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
