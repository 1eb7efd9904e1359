/**
 * When waiting bytes become a segment. All of it can be seen from outside, so workers may come and go and agree.
 * "Now" is the store's clock.
 */

export interface Seal {
  bytes: number
  ageMs: number
}

export interface Waiting {
  /** Complete bytes between the head and what may be read. */
  bytes: number
  /** Store time of the source's last segment; null: it has none. */
  lastStoredAtMs: number | null
  nowMs: number
  /** Rotated or final: nothing more is expected. */
  ended: boolean
  /** A drain was asked for: `reconcile`, or SIGTERM. */
  drain: boolean
}

export function isDue(waiting: Waiting, seal: Seal): boolean {
  if (waiting.bytes <= 0) return false
  return dueInMs(waiting, seal) <= 0
}

/** How long until the bytes that wait are due, if no more come; 0 or less: now. */
export function dueInMs(waiting: Waiting, seal: Seal): number {
  if (waiting.ended || waiting.drain || waiting.lastStoredAtMs === null || waiting.bytes >= seal.bytes) return 0
  return waiting.lastStoredAtMs + seal.ageMs - waiting.nowMs
}
