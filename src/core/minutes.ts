/**
 * Counts of the last hour by minute: a ring of 60 numbers, so that it costs the same whatever is counted and however long. The minute that
 * is under way is the last one. Times are ms that never go back, from any fixed moment.
 */
export interface Minutes {
  add(nowMs: number, count?: number): void
  /** 60 counts, the oldest minute first. */
  read(nowMs: number): number[]
}

const minuteMs = 60_000
const kept = 60

export function openMinutes(): Minutes {
  const counts = Array.from({ length: kept }, () => 0)
  let newest = Number.NEGATIVE_INFINITY

  /** Empties what has become older than an hour since. */
  const turnTo = (nowMs: number): void => {
    const minute = Math.floor(nowMs / minuteMs)
    if (minute <= newest) return
    for (let at = Math.max(newest + 1, minute - kept + 1); at <= minute; at++) counts[at % kept] = 0
    newest = minute
  }

  return {
    add(nowMs, count = 1) {
      turnTo(nowMs)
      const at = newest % kept
      counts[at] = (counts[at] ?? 0) + count
    },
    read(nowMs) {
      turnTo(nowMs)
      return Array.from(counts, (_, index) => counts[(newest + 1 + index) % kept] ?? 0)
    },
  }
}
