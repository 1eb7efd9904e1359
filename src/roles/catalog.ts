/**
 * The catalog: what the last full pass knew of each file, kept in `derived/` so that the next process need not learn it anew. A cache:
 * it saves reading, tells how long a file has been unchanged, and may be lost, stale or from another node.
 *
 *     derived/catalog/<root>.json.zst   { v: 2, root, archive, fromMs, atMs, files: Row[] }
 *
 * `head` is there for a file of which everything was archived: [start, end, storedAtMs] of its source's last segment. If one listing of the
 * archive shows that this is the last one still, the file is left alone until its size, mtime or inode is another. `behindMs` is there for one that
 * was shorter than its archive for so long.
 */

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { familyOf } from '../core/family.ts'
import { parseSourceId } from '../core/identity.ts'
import { parseSegmentKey } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { RootContext } from './context.ts'
import type { Entry } from './entries.ts'
import type { Reach } from './reach.ts'
import { reachOf } from './reach.ts'
import type { Worker } from './work.ts'

const bytesMax = 512 * 1024 * 1024
/** How far the time that a create answers may be from the one that is listed. */
const createdMsMax = 10_000

type Row = [
  path: string,
  size: number,
  mtimeNs: string,
  ino: string,
  unchangedMs: number,
  source: string,
  proven: number,
  head: [start: number, end: number, storedAtMs: number] | null,
  behindMs?: number | null,
]

interface Catalog {
  v: 2
  root: string
  /** The archive's URL. */
  archive: string
  /** When the pass that listed the files began, in store time. Older versions do not tell. */
  fromMs?: number
  /** Store time. `unchangedMs` and `behindMs` count back from it. */
  atMs: number
  files: Row[]
}

/** What the last full pass knew. */
export interface Proofs {
  /** What was archived from then on it need not know. Store time; 0: there is no catalog. */
  untilMs: number
  /** How far each source that a file holds is proven. */
  provenTo: Map<string, number>
  /** Families with files whose source was not known. */
  unresolved: Set<string>
}

/** Fills the worker's entries and proofs. Does nothing where there is no catalog, or none that can be read. */
export async function loadCatalog(context: RootContext, worker: Worker): Promise<void> {
  const { root, store, clock, telemetry } = context
  try {
    const catalog = await readCatalog(context)
    if (catalog === null) return
    const sinceMs = (await store.nowMs()) - catalog.atMs
    const reaches = await reachOf(context, catalog.atMs + createdMsMax)
    const nowMs = clock.monotonicMs()
    for (const [path, size, mtimeNs, ino, unchangedMs, source, proven, head, behindMs] of catalog.files) {
      const id = parseSourceId(source)
      const reach = reaches.get(source)
      // What was archived after the catalog was kept, all of it anew, is not what it knows to be proven.
      if (id && reach?.stored) worker.prover.learn(source, proven)
      if (!root.includes(path)) continue
      const entry = worker.entries.at(path)
      if (entry.stat !== null) continue
      if (id) worker.entries.bind(entry, source, id.c0)
      entry.seen = size
      entry.stat = { size, mtimeNs: BigInt(mtimeNs), ino: BigInt(ino) }
      const before = (ms: number): number => nowMs - Math.max(0, sinceMs + ms)
      entry.unchangedSinceMs = entry.lastChangedMs = before(unchangedMs)
      if (typeof behindMs === 'number') entry.behindSinceMs = before(behindMs)
      if (head && isLast(head, reach)) settle(entry, head)
    }
  } catch (error) {
    telemetry.notice('the catalog of the last pass cannot be read; the pass does without', {
      root: root.name,
      cause: String(error),
    })
  }
}

/** The catalog, or null where there is none that is known here. Throws `store-*`, and what decoding throws. */
export async function readCatalog({
  root,
  derived,
  store,
}: Pick<RootContext, 'root' | 'derived' | 'store'>): Promise<Catalog | null> {
  const object = await derived.get(catalogKey(root.name))
  if (!object) return null
  const catalog = JSON.parse(zstdDecompressSync(object.body, { maxOutputLength: bytesMax }).toString()) as Catalog
  return catalog.v === 2 && catalog.root === root.name && catalog.archive === store.url ? catalog : null
}

/** A catalog that cannot be read is none. Throws `store-*`. */
export async function proofsOf(context: Pick<RootContext, 'root' | 'derived' | 'store'>): Promise<Proofs> {
  const { root } = context
  const proofs: Proofs = { untilMs: 0, provenTo: new Map(), unresolved: new Set() }
  try {
    const catalog = await readCatalog(context)
    for (const [path, , , , , source, proven] of catalog?.files ?? []) {
      if (source === '') proofs.unresolved.add(familyOf(path, root.family))
      else proofs.provenTo.set(source, Math.max(proven, proofs.provenTo.get(source) ?? 0))
    }
    return { ...proofs, untilMs: catalog?.fromMs ?? catalog?.atMs ?? 0 }
  } catch (error) {
    if (isGleanerError(error)) throw error
    return proofs
  }
}

/** Whether this is what the archive ends with now. An archive that was begun anew may hold another segment of the same start. */
function isLast([start, , storedAtMs]: NonNullable<Row[7]>, reach: Reach | undefined): boolean {
  if (reach === undefined || parseSegmentKey(reach.last.key)?.start !== start) return false
  return Math.abs(reach.last.storedAtMs - storedAtMs) <= createdMsMax
}

function settle(entry: Entry, [start, end, storedAtMs]: NonNullable<Row[7]>): void {
  entry.head = { start, end, storedAtMs }
  entry.archived = end
  entry.quiet = true
}

/** Goes up with whatever it keeps. */
export function knownBy({ entries, prover }: Worker): number {
  return entries.changes + prover.changes
}

/** `fromMs`: as above. Gives whether it is kept; why not, telemetry is told. */
export async function saveCatalog(context: RootContext, worker: Worker, fromMs: number): Promise<boolean> {
  try {
    await save(context, worker, fromMs)
    return true
  } catch (error) {
    if (!isGleanerError(error)) throw error
    context.telemetry.trouble(error, { root: context.root.name, role: 'reconcile' })
    return false
  }
}

async function save({ root, derived, store, clock }: RootContext, worker: Worker, fromMs: number): Promise<void> {
  const nowMs = clock.monotonicMs()
  const files: Row[] = []
  for (const entry of worker.entries.all()) {
    const { path, stat, missed, unchangedSinceMs, behindSinceMs, source } = entry
    // What this pass did not list is not known to be there.
    if (!stat || missed > 0) continue
    const unchangedMs = Math.floor(nowMs - unchangedSinceMs)
    const proven = source === null ? 0 : worker.prover.provenTo(source)
    const head = settledHead(entry)
    const behindMs = behindSinceMs === null ? null : Math.floor(nowMs - behindSinceMs)
    files.push([
      path,
      stat.size,
      String(stat.mtimeNs),
      String(stat.ino),
      unchangedMs,
      source ?? '',
      proven,
      head,
      behindMs,
    ])
  }
  const atMs = Math.floor(await store.nowMs())
  const catalog: Catalog = { v: 2, root: root.name, archive: store.url, fromMs, atMs, files }
  await derived.put(catalogKey(root.name), zstdCompressSync(Buffer.from(JSON.stringify(catalog))))
}

/** Null where anything is left to do or to wait for. */
function settledHead({ head, stat, quiet, revisitMs, state }: Entry): Row[7] {
  const isSettled = quiet && revisitMs === Number.POSITIVE_INFINITY && state !== 'behind' && state !== 'truncated'
  if (!isSettled || head === null || head.end !== stat?.size) return null
  return [head.start, head.end, head.storedAtMs]
}

function catalogKey(root: string): string {
  return `derived/catalog/${root}.json.zst`
}
