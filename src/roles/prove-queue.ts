/** What waits to be proven: a job for each segment, found by its source and by when it is ripe. In memory, and bounded. */

import type { Clock } from '../ports/clock.ts'
import type { Mark } from './ledger.ts'

const queueMax = 50_000

/** A segment that is to be proven; what else its header holds is read when it is its turn. */
export type Unproven = Pick<Mark, 'key' | 'source' | 'storedAtMs'>

export interface Job extends Unproven {
  path: string
  /** Monotonic. */
  notBeforeMs: number
  /** It need not wait for its turn: whether a file goes on as this source rests on it. */
  atOnce: boolean
  /** What the last differing read held. */
  differed: string | null
  attempts: number
}

export interface ProveQueue {
  /** One that is there stays, and becomes due earlier if this one is. What differed once keeps its time: a lie needs that to go. */
  add(job: Job): void
  forget(job: Job): void
  /** Asks for all of these sources at once, but for what differed. */
  hurry(sources: ReadonlySet<string>): void
  /** How many are of this source. */
  ofSource(source: string): number
  /** Those that are ripe: what was asked for at once before what was not, and what was stored earlier before the rest. */
  ripe(): Job[]
  /** When the first is ripe (monotonic), or null. */
  soonestMs(): number | null
  /** How long until all that differed once are ripe again; null: none did. */
  doubtsRipeInMs(): number | null
  readonly size: number
  /** No more is taken. */
  readonly isFull: boolean
}

export function openProveQueue(clock: Pick<Clock, 'monotonicMs'>): ProveQueue {
  const jobs = new Map<string, Job>()
  const counts = new Map<string, number>()
  return {
    add(job) {
      const before = jobs.get(job.key)
      if (before) {
        if (before.differed === null) before.notBeforeMs = Math.min(before.notBeforeMs, job.notBeforeMs)
        before.atOnce ||= job.atOnce
      } else if (jobs.size < queueMax) {
        jobs.set(job.key, job)
        counts.set(job.source, (counts.get(job.source) ?? 0) + 1)
      }
    },
    forget({ key, source }) {
      if (!jobs.delete(key)) return
      const left = (counts.get(source) ?? 1) - 1
      if (left > 0) counts.set(source, left)
      else counts.delete(source)
    },
    hurry(sources) {
      for (const job of jobs.values())
        if (sources.has(job.source) && job.differed === null)
          Object.assign(job, { atOnce: true, notBeforeMs: clock.monotonicMs() })
    },
    ofSource: (source) => counts.get(source) ?? 0,
    ripe() {
      const nowMs = clock.monotonicMs()
      return [...jobs.values()]
        .filter(({ notBeforeMs }) => notBeforeMs <= nowMs)
        .sort((a, b) => Number(b.atOnce) - Number(a.atOnce) || a.storedAtMs - b.storedAtMs)
    },
    soonestMs() {
      let soonest: number | null = null
      for (const { notBeforeMs } of jobs.values()) soonest = Math.min(soonest ?? notBeforeMs, notBeforeMs)
      return soonest
    },
    doubtsRipeInMs() {
      let ripeMs: number | null = null
      for (const { differed, notBeforeMs } of jobs.values())
        if (differed !== null) ripeMs = Math.max(ripeMs ?? notBeforeMs, notBeforeMs)
      return ripeMs === null ? null : Math.max(0, ripeMs - clock.monotonicMs())
    },
    get size() {
      return jobs.size
    },
    get isFull() {
      return jobs.size >= queueMax
    },
  }
}
