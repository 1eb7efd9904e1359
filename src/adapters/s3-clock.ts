/**
 * The store's clock, from the Date header of its answers and monotonic time since.
 *
 * The header is cut to whole seconds and is a little old when it arrives, so the estimate runs up to a second late. A later
 * header moves it forward; it is set back only when the header is two seconds or more behind it, which cutting and travel do not explain.
 */
export interface HeaderClock {
  /** Takes the Date header of an answer that has just arrived; anything that is not a date is passed over. */
  saw(date: string | undefined): void
  /** Milliseconds since 1970 at the store; null before the first header. */
  nowMs(): number | null
}

export function headerClock(monotonicMs: () => number): HeaderClock {
  let anchor: { storeMs: number; atMs: number } | null = null
  const nowMs = () => (anchor === null ? null : Math.floor(anchor.storeMs + monotonicMs() - anchor.atMs))
  return {
    nowMs,
    saw(date) {
      const storeMs = Date.parse(date ?? '')
      if (Number.isNaN(storeMs)) return
      const estimate = nowMs()
      if (estimate !== null && estimate >= storeMs && estimate < storeMs + 2000) return
      anchor = { storeMs, atMs: monotonicMs() }
    },
  }
}
