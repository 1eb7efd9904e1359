/**
 * When a long-running process gives memory back: at the first quiet sample after a busy one, the start being busy, and not more often than once
 * a minute; while it stays quiet, every two minutes. One that works all day is left alone.
 */

import type { Clock } from '../ports/clock.ts'

/** Longer than what a start waits for between its parts. */
const sampleMs = 10_000
/** Of one core. */
const quietShare = 0.05
const apartMs = 60_000
const everyMs = 120_000

export interface QuietSample {
  nowMs: number
  /** Processor time of the process so far. */
  cpuMs: number
}

/** Gives what says, from one sample to the next, whether now is the time. */
export function openQuiet(first: QuietSample): (sample: QuietSample) => boolean {
  let before = first
  let isOwed = true
  let lastMs = Number.NEGATIVE_INFINITY
  return (sample) => {
    const share = (sample.cpuMs - before.cpuMs) / (sample.nowMs - before.nowMs)
    before = sample
    const isQuiet = share <= quietShare
    const sinceMs = sample.nowMs - lastMs
    isOwed ||= !isQuiet || sinceMs >= everyMs
    if (!isOwed || !isQuiet || sinceMs < apartMs) return false
    isOwed = false
    lastMs = sample.nowMs
    return true
  }
}

export async function whenQuiet(
  { clock, cpuMs }: { clock: Clock; cpuMs: () => number },
  giveBack: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const sample = (): QuietSample => ({ nowMs: clock.monotonicMs(), cpuMs: cpuMs() })
  const isTime = openQuiet(sample())
  for (;;) {
    await clock.delay(sampleMs, signal)
    if (signal.aborted) return
    if (isTime(sample())) await giveBack()
  }
}
