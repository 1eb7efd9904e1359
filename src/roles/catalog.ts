/**
 * The catalog: what the last full pass knew of each file, kept in `derived/` so that the next process need not learn it anew. A cache:
 * it saves proving reads, tells how long a file has been unchanged, and may be lost, stale or from another node.
 *
 *     derived/catalog/<root>.json.zst   { v: 1, root, atMs, files: [path, size, mtimeNs, ino, unchangedMs, source, proven][] }
 */

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { parseSourceId } from '../core/identity.ts'
import type { Store } from '../ports/store.ts'
import type { RootContext } from './context.ts'
import type { Worker } from './work.ts'

const bytesMax = 512 * 1024 * 1024

type Row = [
  path: string,
  size: number,
  mtimeNs: string,
  ino: string,
  unchangedMs: number,
  source: string,
  proven: number,
]

interface Catalog {
  v: 1
  root: string
  /** Store time. `unchangedMs` counts back from it. */
  atMs: number
  files: Row[]
}

/** Fills the worker's entries and proofs. Does nothing where there is no catalog, or none that can be read. */
export async function loadCatalog(context: RootContext, worker: Worker): Promise<void> {
  const { root, derived, clock, telemetry } = context
  try {
    const catalog = await readCatalog(derived, root.name)
    if (!catalog) return
    const sinceMs = (await context.store.nowMs()) - catalog.atMs
    const nowMs = clock.monotonicMs()
    for (const [path, size, mtimeNs, ino, unchangedMs, source, proven] of catalog.files) {
      const id = parseSourceId(source)
      if (id) worker.prover.learn(source, proven)
      if (!root.includes(path)) continue
      const entry = worker.entries.at(path)
      if (entry.stat !== null) continue
      if (id) worker.entries.bind(entry, source, id.c0)
      entry.seen = size
      entry.stat = { size, mtimeNs: BigInt(mtimeNs), ino: BigInt(ino) }
      entry.unchangedSinceMs = entry.changedMs = nowMs - Math.max(0, sinceMs + unchangedMs)
    }
  } catch (error) {
    telemetry.notice('the catalog of the last pass cannot be read; the pass does without', {
      root: root.name,
      cause: String(error),
    })
  }
}

/** The catalog, or null where there is none that is known here. Throws `store-*`, and what decoding throws. */
export async function readCatalog(derived: Store, root: string): Promise<Catalog | null> {
  const object = await derived.get(catalogKey(root))
  if (!object) return null
  const catalog = JSON.parse(zstdDecompressSync(object.body, { maxOutputLength: bytesMax }).toString()) as Catalog
  return catalog.v === 1 && catalog.root === root ? catalog : null
}

export async function saveCatalog(context: RootContext, worker: Worker): Promise<void> {
  const { root, derived, clock } = context
  const nowMs = clock.monotonicMs()
  const files: Row[] = []
  for (const { path, stat, missed, unchangedSinceMs, source } of worker.entries.all()) {
    // What this pass did not list is not known to be there.
    if (!stat || missed > 0) continue
    const unchangedMs = Math.floor(nowMs - unchangedSinceMs)
    const proven = source === null ? 0 : worker.prover.provenTo(source)
    files.push([path, stat.size, String(stat.mtimeNs), String(stat.ino), unchangedMs, source ?? '', proven])
  }
  const catalog: Catalog = { v: 1, root: root.name, atMs: Math.floor(await context.store.nowMs()), files }
  await derived.put(catalogKey(root.name), zstdCompressSync(Buffer.from(JSON.stringify(catalog))))
}

function catalogKey(root: string): string {
  return `derived/catalog/${root}.json.zst`
}
