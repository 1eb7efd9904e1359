/**
 * Paths that are no longer listed: a path that two passes in a row did not list is gone, and its source is gone with its last file. Unless that
 * was renamed, and its new name has not been visited yet, or cannot be while the store is away: so what is missing of a source is told only
 * once that has settled (left.ts).
 */

import type { Entry } from './entries.ts'
import { tellVanished } from './left.ts'
import type { Pass } from './pass.ts'
import type { Worker } from './work.ts'

const missesBeforeGone = 2

export async function dropMissing(one: Pass): Promise<void> {
  const { worker, number, report } = one
  for (const entry of worker.entries.all()) {
    if (entry.listedIn === number || report.unread.some((directory) => isBelow(entry.path, directory))) continue
    entry.missed++
    if (entry.missed >= missesBeforeGone) await drop(worker, entry)
  }
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`)
}

async function drop(worker: Worker, entry: Entry): Promise<void> {
  const { source, path, family, stat } = entry
  worker.entries.delete(path)
  if (source === null) {
    // Renamed before it could be resolved, or gone for good.
    const isElsewhere = worker.entries
      .members(family)
      .some((other) => worker.entries.get(other)?.stat?.ino === stat?.ino)
    if (stat && stat.size > 0 && !isElsewhere)
      await tellVanished(worker.journal, { source: '', path, archived: 0, seen: stat.size })
    return
  }
  if (worker.entries.holders(source).length > 0) return
  const known = worker.ledger.known(source)
  const isArchived = known !== null && known.end >= entry.seen
  if (isArchived && (worker.publisher?.cached(source)?.published ?? 0) >= known.end) return
  if (!isArchived) worker.left(source, entry)
  await worker.catchUp(source)
}
