/**
 * When a long-running process gives memory back: as long as it has little to do, every three minutes. That costs a thousandth of them at most,
 * and less than what the system's own collector would do instead. One that works is left alone.
 */

import type { Clock } from '../ports/clock.ts'

/** Longer than what a start waits for between its parts. */
const sampleMs = 10_000
const apartMs = 180_000
/** Of one core. */
const quietShare = 0.05

export interface QuietSample {
  nowMs: number
  /** Processor time of the process so far. */
  cpuMs: number
}

/** Gives what says, from one sample to the next, whether now is the time. */
export function openQuiet(first: QuietSample): (sample: QuietSample) => boolean {
  let before = first
  let lastMs = Number.NEGATIVE_INFINITY
  return (sample) => {
    const share = (sample.cpuMs - before.cpuMs) / (sample.nowMs - before.nowMs)
    before = sample
    if (!(share <= quietShare) || sample.nowMs - lastMs < apartMs) return false
    lastMs = sample.nowMs
    return true
  }
}

/** Until the signal aborts. */
export async function whenQuiet(
  { clock, cpuMs }: { clock: Clock; cpuMs: () => number },
  giveBack: () => void,
  signal: AbortSignal,
): Promise<void> {
  const sample = (): QuietSample => ({ nowMs: clock.monotonicMs(), cpuMs: cpuMs() })
  const isTime = openQuiet(sample())
  for (;;) {
    await clock.delay(sampleMs, signal)
    if (signal.aborted) return
    if (isTime(sample())) giveBack()
  }
}
