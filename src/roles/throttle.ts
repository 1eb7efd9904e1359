import type { Clock } from '../ports/clock.ts'

/** A bound on bytes (or anything counted) in flight: work waits in order until there is room. One piece above the bound goes alone. */
export interface Throttle {
  hold<T>(amount: number, work: () => Promise<T>): Promise<T>
}

export function openThrottle(max: number): Throttle {
  let held = 0
  const waiting: { amount: number; start(): void }[] = []

  const admit = (): void => {
    for (let first = waiting[0]; first && (held === 0 || held + first.amount <= max); first = waiting[0]) {
      waiting.shift()
      held += first.amount
      first.start()
    }
  }

  return {
    async hold(amount, work) {
      await new Promise<void>((resolve) => {
        waiting.push({ amount, start: resolve })
        admit()
      })
      try {
        return await work()
      } finally {
        held -= amount
        admit()
      }
    },
  }
}

/** The same, and no more than `perSecond` of it in a second on average: each piece waits until those before it are paid for. */
export function pacedThrottle(throttle: Throttle, { clock, perSecond }: { clock: Clock; perSecond: number }): Throttle {
  let freeAtMs = 0
  return {
    hold(amount, work) {
      return throttle.hold(amount, async () => {
        const nowMs = clock.monotonicMs()
        const waitMs = Math.max(0, freeAtMs - nowMs)
        freeAtMs = nowMs + waitMs + (amount / perSecond) * 1000
        await clock.delay(waitMs)
        return work()
      })
    },
  }
}
