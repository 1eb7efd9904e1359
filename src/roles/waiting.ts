/** How much of a root waits to be archived and proven, and for how long, as this process sees it. Sampled; no decision rests on it. */

import type { Telemetry } from '../ports/telemetry.ts'
import type { Worker } from './work.ts'

type Waiting = Parameters<Telemetry['waiting']>[1]

/** Gives a sampler. How long bytes wait is counted from the first sample that saw the source's head where it still is. */
export function openWaiting(worker: Pick<Worker, 'entries' | 'prover'>): (nowMs: number) => Waiting {
  let since = new Map<string, { archived: number; sinceMs: number }>()
  return (nowMs) => {
    const next: typeof since = new Map()
    let unarchivedBytes = 0
    let oldestUnarchivedAgeMs = 0
    for (const [name, { size, archived }] of waitingSources(worker)) {
      const before = since.get(name)
      const sinceMs = before?.archived === archived ? before.sinceMs : nowMs
      next.set(name, { archived, sinceMs })
      unarchivedBytes += size - archived
      oldestUnarchivedAgeMs = Math.max(oldestUnarchivedAgeMs, nowMs - sinceMs)
    }
    since = next
    return { unarchivedBytes, oldestUnarchivedAgeMs, oldestUnprovenAgeMs: worker.prover.oldestAgeMs() }
  }
}

/** Sources (or, without one yet, paths) that are longer than what is archived of them. A source's files count once, by the longest. */
function waitingSources({ entries }: Pick<Worker, 'entries'>): Map<string, { size: number; archived: number }> {
  const sources = new Map<string, { size: number; archived: number }>()
  for (const entry of entries.all()) {
    if (entry.state === 'behind' || entry.state === 'truncated') continue
    const name = entry.source ?? `path ${entry.path}`
    const before = sources.get(name)
    const size = Math.max(entry.stat?.size ?? 0, before?.size ?? 0)
    sources.set(name, { size, archived: Math.max(entry.archived, before?.archived ?? 0) })
  }
  for (const [name, { size, archived }] of sources) if (size <= archived) sources.delete(name)
  return sources
}
