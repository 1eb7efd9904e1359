/**
 * How far a file may be read. On a root that other machines write, bytes inside a fresh size can be NULs or lines from
 * elsewhere for a moment (ceph-fuse, NFS, kafs: filesystems.md 4), so nothing is read beyond a size that is `settle.read` old. The
 * node that wrote reads its own page cache and need not wait.
 */

export interface Aged {
  /** A size that may be read up to. */
  trusted: number
  /** A larger size that was seen at `atMs` (monotonic). */
  pending: { size: number; atMs: number } | null
}

export const unseen: Aged = { trusted: 0, pending: null }

/**
 * After a look that saw `size`: taken no earlier than `fromMs` and no later than `atMs`, so that a slow look neither reads too early nor makes a
 * size older than it is. `settleMs` is 0 where nothing need settle. A file that shrank starts anew.
 */
export function age(aged: Aged, size: number, now: { fromMs: number; atMs: number; settleMs: number }): Aged {
  if (now.settleMs === 0) return { trusted: size, pending: null }
  if (size < aged.trusted || (aged.pending !== null && size < aged.pending.size))
    return { trusted: 0, pending: { size, atMs: now.atMs } }
  const ripe = aged.pending !== null && now.fromMs - aged.pending.atMs >= now.settleMs
  const trusted = ripe ? (aged.pending as { size: number }).size : aged.trusted
  const pending = ripe ? null : aged.pending
  if (size <= trusted) return { trusted, pending: null }
  return { trusted, pending: pending ?? { size, atMs: now.atMs } }
}

/** How far may be read by a look taken now: like `age`, before the look's own size is known. */
export function readableNow(aged: Aged, now: { atMs: number; settleMs: number }): number {
  if (now.settleMs === 0) return Number.MAX_SAFE_INTEGER
  return aged.pending !== null && now.atMs - aged.pending.atMs >= now.settleMs ? aged.pending.size : aged.trusted
}
