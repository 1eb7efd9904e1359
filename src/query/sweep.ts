/**
 * Removes table files that no reader can need: those that no manifest of the last hour names, and old manifests. A query that began with an
 * older manifest keeps its files for that hour, and so does a builder that has not committed yet.
 */

import type { Store } from '../ports/store.ts'
import { listAll } from '../roles/ledger.ts'
import { manifestNumber, manifestPrefix, readManifest } from './manifest.ts'
import { tableNames, tablePrefix } from './table-schema.ts'

const graceMs = 3_600_000

/** `nowMs`: the store's clock, for tests. Throws `store-*`. */
export async function sweepTables({ derived }: { derived: Store }, root: string, nowMs?: number): Promise<void> {
  const since = (nowMs ?? (await derived.nowMs())) - graceMs
  const manifests = await listAll(derived, manifestPrefix(root))
  // The last one stored before the hour was in force when it began.
  const firstKept = Math.max(
    0,
    manifests.findLastIndex(({ storedAtMs }) => storedAtMs < since),
  )
  const named = new Set<string>()
  for (const { key } of manifests.slice(firstKept)) {
    const manifest = await readManifest(derived, root, manifestNumber(root, key) ?? 0)
    for (const set of [manifest?.current, manifest?.next]) for (const file of set?.files ?? []) named.add(file.key)
  }
  for (const table of tableNames) {
    for (const { key, storedAtMs } of await listAll(derived, tablePrefix(table, root))) {
      if (storedAtMs < since && !named.has(key)) await derived.remove(key)
    }
  }
  for (const { key } of manifests.slice(0, firstKept)) await derived.remove(key)
}
