/**
 * When a long-running process gives memory back: as long as it has little to do, and has grown
 * by some since the last time, at most once a minute. Each time costs some 150 ms of processor time. One that works is left alone.
 */

import type { Clock } from '../ports/clock.ts'

/** Longer than what a start waits for between its parts. */
const sampleMs = 10_000
const apartMs = 60_000
/** Since the sample after the last time, by when what is used again at once is there again. */
const grownBytes = 4 * 1024 ** 2
/** Of one core. */
const quietShare = 0.05

export interface QuietSample {
  nowMs: number
  /** Processor time of the process so far. */
  cpuMs: number
  /** Memory that is its own, or mapped. */
  rssBytes: number
}

/** Gives what says, from one sample to the next, whether now is the time. */
export function openQuiet(first: QuietSample): (sample: QuietSample) => boolean {
  let before = first
  let lastMs = Number.NEGATIVE_INFINITY
  let leftBytes: number | null = Number.NEGATIVE_INFINITY
  return (sample) => {
    const share = (sample.cpuMs - before.cpuMs) / (sample.nowMs - before.nowMs)
    before = sample
    leftBytes ??= sample.rssBytes
    const hasGrown = sample.rssBytes - leftBytes >= grownBytes
    if (!(share <= quietShare) || !hasGrown || sample.nowMs - lastMs < apartMs) return false
    lastMs = sample.nowMs
    leftBytes = null
    return true
  }
}

/** Until the signal aborts. */
export async function whenQuiet(
  { clock, usage }: { clock: Clock; usage: () => Omit<QuietSample, 'nowMs'> },
  giveBack: () => void,
  signal: AbortSignal,
): Promise<void> {
  const sample = (): QuietSample => ({ nowMs: clock.monotonicMs(), ...usage() })
  const isTime = openQuiet(sample())
  for (;;) {
    await clock.delay(sampleMs, signal)
    if (signal.aborted) return
    if (isTime(sample())) giveBack()
  }
}
