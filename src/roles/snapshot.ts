/** What the status page shows: what was told lately, and how far the busy sources are, all from this process's memory. */

import { pathText } from '../core/path.ts'
import type { StatusSeen } from '../core/status.ts'
import type { Worker } from './work.ts'

export const sourcesMax = 50
const pathMax = 300

export interface BusySource {
  root: string
  path: string
  size: number
  archived: number
  /** Null where nothing is published. */
  published: number | null
  proven: number
  state: string
}

interface Process {
  node: string
  version: string
  ready: { ok: boolean; reasons: string[] }
  /** Whether records are published here. */
  publishes: boolean
}

export type Snapshot = Process & Omit<StatusSeen, 'touched'> & { v: 1; sources: BusySource[] }

/** Paths are given as text for a person: decoded, and cut in the middle where they are very long. Never HTML. */
export function snapshotOf(
  process: Process,
  { touched, ...seen }: StatusSeen,
  workerOf: (root: string) => Pick<Worker, 'entries' | 'prover'> | undefined,
): Snapshot {
  const sources = new Map<string, BusySource>()
  for (const { root, path } of touched) {
    const worker = workerOf(root)
    const found = worker && busySource(worker, { root, path, publishes: process.publishes })
    if (found && !sources.has(found.key)) sources.set(found.key, found.busy)
    if (sources.size >= sourcesMax) break
  }
  return {
    v: 1,
    ...process,
    ...seen,
    // Chosen by how lately something happened to them, but shown where they were a second ago.
    sources: [...sources.values()].sort((a, b) => compare(a.root, b.root) || compare(a.path, b.path)),
    anomalies: seen.anomalies.map((anomaly) => ({ ...anomaly, subject: shown(anomaly.subject) })),
    tail: seen.tail.map((row) => ({ ...row, path: shown(row.path) })),
  }
}

/** Null: the path is no file any more. */
function busySource(
  { entries, prover }: Pick<Worker, 'entries' | 'prover'>,
  { root, path, publishes }: { root: string; path: string; publishes: boolean },
): { key: string; busy: BusySource } | null {
  const entry = entries.get(path)
  if (!entry?.stat) return null
  const { source, archived, published, state } = entry
  const { size } = entry.stat
  const busy = {
    root,
    path: shown(path),
    size,
    archived,
    published: publishes ? published : null,
    proven: source === null ? 0 : prover.provenTo(source),
    state,
  }
  return { key: `${root} ${source ?? `path ${path}`}`, busy }
}

function shown(path: string): string {
  const text = pathText(path)
  return text.length <= pathMax ? text : `${text.slice(0, pathMax / 2)}…${text.slice(-pathMax / 2)}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
