/** How long requests took lately: the last 256 of them, of which those of the last five minutes count. Times are ms that never go back. */
export interface Latency {
  add(nowMs: number, request: { ms: number; ok: boolean }): void
  read(nowMs: number): LatencySeen
}

export interface LatencySeen {
  requests: number
  failed: number
  /** Of the requests that did not fail; null where there was none. */
  medianMs: number | null
  worstMs: number | null
  /** Whether the last request of all failed. */
  failing: boolean
}

const kept = 256
const countedMs = 5 * 60_000

export function openLatency(): Latency {
  const last: { atMs: number; ms: number; ok: boolean }[] = []
  let next = 0
  let failing = false
  return {
    add(nowMs, { ms, ok }) {
      last[next] = { atMs: nowMs, ms, ok }
      next = (next + 1) % kept
      failing = !ok
    },
    read(nowMs) {
      const counted = last.filter(({ atMs }) => nowMs - atMs <= countedMs)
      const times = counted
        .filter(({ ok }) => ok)
        .map(({ ms }) => ms)
        .sort((a, b) => a - b)
      return {
        requests: counted.length,
        failed: counted.length - times.length,
        medianMs: times[Math.floor((times.length - 1) / 2)] ?? null,
        worstMs: times.at(-1) ?? null,
        failing,
      }
    },
  }
}
