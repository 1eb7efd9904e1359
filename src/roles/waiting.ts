/** How much of a root waits to be archived and proven, and for how long, as this process sees it. Sampled; no decision rests on it. */

import type { Telemetry } from '../ports/telemetry.ts'
import type { Worker } from './work.ts'

const longestMax = 50

type Waiting = Parameters<Telemetry['waiting']>[1]

/** Gives a sampler. How long bytes wait is counted from the first sample that saw the source's head where it still is. */
export function openWaiting(worker: Pick<Worker, 'entries' | 'prover'>): (nowMs: number) => Waiting {
  let since = new Map<string, { archived: number; sinceMs: number }>()
  return (nowMs) => {
    const next: typeof since = new Map()
    const behind: { path: string; bytes: number }[] = []
    let unarchivedBytes = 0
    let oldestUnarchivedAgeMs = 0
    for (const [name, { size, archived, path }] of waitingSources(worker)) {
      const before = since.get(name)
      const sinceMs = before?.archived === archived ? before.sinceMs : nowMs
      next.set(name, { archived, sinceMs })
      behind.push({ path, bytes: size - archived })
      unarchivedBytes += size - archived
      oldestUnarchivedAgeMs = Math.max(oldestUnarchivedAgeMs, nowMs - sinceMs)
    }
    since = next
    const longest = behind.sort((a, b) => b.bytes - a.bytes).slice(0, longestMax)
    const oldestUnprovenAgeMs = worker.prover.oldestAgeMs()
    return { unarchivedBytes, oldestUnarchivedAgeMs, oldestUnprovenAgeMs, longest: longest.map(({ path }) => path) }
  }
}

interface Behind {
  size: number
  archived: number
  /** Of its longest file. */
  path: string
}

/** Sources (or, without one yet, paths) that are longer than what is archived of them. A source's files count once, by the longest. */
function waitingSources({ entries }: Pick<Worker, 'entries'>): Map<string, Behind> {
  const sources = new Map<string, Behind>()
  for (const entry of entries.all()) {
    const size = entry.stat?.size ?? 0
    if (size <= entry.archived || entry.state === 'behind' || entry.state === 'truncated') continue
    const { source } = entry
    const archived = source === null ? 0 : archivedOf(entries, source)
    const name = source ?? `path ${entry.path}`
    if (size > archived && size > (sources.get(name)?.size ?? 0))
      sources.set(name, { size, archived, path: entry.path })
  }
  return sources
}

/** What the source's files say; those that are shorter than its archive say nothing. */
function archivedOf(entries: Worker['entries'], source: string): number {
  const held = entries.holders(source).flatMap((path) => entries.get(path) ?? [])
  const counted = held.filter(({ state }) => state !== 'behind' && state !== 'truncated')
  return Math.max(0, ...counted.map(({ archived }) => archived))
}
