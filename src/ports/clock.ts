/**
 * Time, as the roles see it. Settling times are measured with `monotonicMs` within one process; what outlives a process is
 * dated by the store's clock (`Store.nowMs`). The node's wall clock is used for log lines and for nothing that decides.
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number
  /** The node's wall clock, milliseconds since 1970. May jump. Decides nothing. */
  wallMs(): number
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects). Timers do not keep a process alive alone. */
  delay(ms: number, signal?: AbortSignal): Promise<void>
}
