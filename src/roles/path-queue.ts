/**
 * Work on paths: at most so many at once, one at a time per path, and what is asked for a path that waits is merged. Also what should be
 * done later, on a bounded number of timers.
 */

import type { Clock } from '../ports/clock.ts'

const timersMax = 20_000
/** What is due later than this is left to the next pass. */
const timerMsMax = 5000
const runsAwaited = 4

export interface PathQueue<W> {
  add(path: string, work: W): void
  later(path: string, ms: number, work: W): void
  /**
   * Resolves when every path that has work now, or will within `withinMs`, was worked on until nothing was left for so soon (or a
   * few times, where files keep growing or fail).
   */
  caughtUp(withinMs: number): Promise<void>
  /** How many paths wait or are being worked on. */
  readonly busy: number
}

export interface QueueParts<W> {
  clock: Clock
  atOnce: number
  merge: (one: W, other: W) => W
  /** Gives when it comes back: 0: at once, ms, or null. Never rejects. */
  run: (path: string, work: W) => Promise<number | null>
}

interface Waiter {
  /** Paths still to be worked on, each with how many more runs are awaited at most. */
  paths: Map<string, number>
  withinMs: number
  resolve(): void
}

export function openPathQueue<W>({ clock, atOnce, merge, run }: QueueParts<W>): PathQueue<W> {
  const waiting = new Map<string, W>()
  const running = new Map<string, W | null>()
  const timers = new Map<string, number>()
  let waiters: Waiter[] = []
  const dueInMs = (path: string): number => (timers.get(path) ?? Number.POSITIVE_INFINITY) - clock.monotonicMs()

  const tell = (path: string, againMs: number | null): void => {
    if (againMs !== 0)
      waiters = stillWaiting(waiters, path, (withinMs) => waiting.has(path) || dueInMs(path) <= withinMs)
  }

  const start = async (path: string, work: W): Promise<void> => {
    running.set(path, null)
    const againMs = await run(path, work)
    const again = running.get(path) ?? null
    running.delete(path)
    if (again !== null) waiting.set(path, again)
    tell(path, againMs)
    pump()
  }

  const pump = (): void => {
    for (const [path, work] of waiting) {
      if (running.size >= atOnce) return
      waiting.delete(path)
      void start(path, work)
    }
  }

  const add = (path: string, work: W): void => {
    const map = running.has(path) ? running : waiting
    const before = map.get(path) ?? null
    map.set(path, before === null ? work : merge(before, work))
    pump()
  }

  return {
    add,
    later(path, ms, work) {
      if (ms > timerMsMax || timers.size >= timersMax || dueInMs(path) <= ms) return
      const at = clock.monotonicMs() + ms
      timers.set(path, at)
      void clock.delay(ms).then(() => {
        if (timers.get(path) !== at) return
        timers.delete(path)
        add(path, work)
      })
    },
    caughtUp: (withinMs) =>
      new Promise((resolve) => {
        const soon = [...timers.keys()].filter((path) => dueInMs(path) <= withinMs)
        const paths = new Map([...waiting.keys(), ...running.keys(), ...soon].map((path) => [path, runsAwaited]))
        if (paths.size === 0) resolve()
        else waiters.push({ paths, withinMs, resolve })
      }),
    get busy() {
      return waiting.size + running.size
    },
  }
}

/** A waiter's path is done when nothing is left for soon, or after some runs. Gives the waiters that still wait. */
function stillWaiting(waiters: Waiter[], path: string, isDue: (withinMs: number) => boolean): Waiter[] {
  for (const { paths, withinMs } of waiters) {
    const left = paths.get(path)
    if (left === undefined) continue
    if (left > 1 && isDue(withinMs)) paths.set(path, left - 1)
    else paths.delete(path)
  }
  for (const waiter of waiters) if (waiter.paths.size === 0) waiter.resolve()
  return waiters.filter((waiter) => waiter.paths.size > 0)
}
