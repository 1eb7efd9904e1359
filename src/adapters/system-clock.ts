/** The clock of this machine and process: the adapter of `ports/clock.ts`. */
import type { Clock } from '../ports/clock.ts'

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  delay,
}

/** setTimeout takes a larger number for 1. */
const timerMsMax = 2 ** 31 - 1

/** Never early, which setTimeout may be by a millisecond; and of any length, also without end. */
function delay(ms: number, signal?: AbortSignal): Promise<void> {
  const endMs = performance.now() + ms
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const wait = () => {
      const leftMs = endMs - performance.now()
      if (!(leftMs > 0) || signal?.aborted) finish()
      else timer = setTimeout(wait, Math.min(Math.ceil(leftMs), timerMsMax)).unref()
    }
    signal?.addEventListener('abort', finish)
    wait()
  })
}
