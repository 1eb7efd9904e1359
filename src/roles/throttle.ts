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
