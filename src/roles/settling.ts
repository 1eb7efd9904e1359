/** What a visit must wait for, and for how long: beliefs, tails, stale views. Decided from what was seen and when, never by sleeping. */

import { isActive } from '../core/family.ts'
import { beginningBytes } from '../core/identity.ts'
import type { Look } from '../ports/files.ts'
import { isHeldElsewhere, sizeIfHolder } from './family.ts'
import type { Mark } from './ledger.ts'
import { candidateOf } from './ledger.ts'
import type { Evidence, Resolution } from './resolve.ts'
import type { Visit, Visited } from './visit.ts'

/** How old a size must be before it is read up to: the writing node reads its own page cache and need not wait. */
export function settleMs(one: Visit): number {
  return one.fresh ? one.context.root.settle.readMs : 0
}

export function isOlder(one: Visit, sinceMs: number | null, ms: number): boolean {
  return sinceMs !== null && one.nowMs - sinceMs >= ms
}

/** Nothing is left to do until the file changes, or until so long from now. */
export function quiet(one: Visit, againMs: number | null): Visited {
  one.entry.quiet = true
  one.entry.revisitMs = againMs === null ? Number.POSITIVE_INFINITY : one.nowMs + againMs
  return { againMs }
}

export function isFinal(one: Visit): boolean {
  return one.entry.stat !== null && isOlder(one, one.entry.unchangedSinceMs, one.context.root.settle.finalMs)
}

export function untilFinalMs(one: Visit): number {
  return Math.max(1, one.context.root.settle.finalMs - (one.nowMs - one.entry.unchangedSinceMs))
}

/** Left alone. If none of the source's files reaches its head for `settle.tail`, it was truncated. */
export async function behind(one: Visit, resolution: Extract<Resolution, { kind: 'behind' }>): Promise<Visited> {
  const { entry, parts, context } = one
  const { tailMs } = context.root.settle
  entry.believing = null
  parts.entries.bind(entry, resolution.id, resolution.c0)
  if (entry.state !== 'truncated') entry.state = 'behind'
  entry.behindSinceMs ??= one.nowMs
  const leftMs = tailMs - (one.nowMs - entry.behindSinceMs)
  if (leftMs > 0) return quiet(one, leftMs)
  const head = parts.ledger.known(resolution.id)
  if (!head || (await isHeld(one, head))) return quiet(one, null)
  entry.state = 'truncated'
  const size = entry.stat?.size ?? 0
  const detail = `archived up to ${head.end}, and no file of the family is longer than ${size} bytes now`
  await parts.journal.record({
    kind: 'truncated',
    source: resolution.id,
    path: entry.path,
    start: size,
    end: head.end,
    detail,
  })
  return quiet(one, null)
}

/**
 * On a root that other machines write, a new source needs two looks that agree, `settle.read` apart; and a path that had a source needs
 * `settle.tail`, unless another file holds that source now. Gives how long to wait still; 0: believed.
 */
export async function untilBelieved(
  one: Visit,
  { look, evidence }: { look: Look; evidence: Evidence },
): Promise<number> {
  const { entry, context, parts } = one
  const { settle } = context.root
  if (!one.remote) return 0
  // Nothing is judged to differ by bytes inside a size that has not settled.
  const compared = Math.max(0, ...evidence.candidates.map((candidate) => Math.min(candidate.head, look.stat.size)))
  if (compared > entry.aged.trusted) return Math.max(1, settle.readMs)
  const head = entry.source === null ? null : parts.ledger.known(entry.source)
  if (head && !(await isHeld(one, head))) {
    entry.turningSinceMs ??= one.nowMs
    const leftMs = settle.tailMs - (one.nowMs - entry.turningSinceMs)
    if (leftMs > 0) return leftMs
    if (parts.isProving(head.source)) return Math.max(1, settle.readMs)
  }
  const beginning = look.beginning.subarray(0, beginningBytes)
  const before = entry.believing
  const length = Math.min(before?.beginning.length ?? 0, beginning.length)
  const agrees =
    before !== null && length > 0 && before.beginning.subarray(0, length).equals(beginning.subarray(0, length))
  if (!agrees) {
    entry.believing = { beginning: Buffer.from(beginning), atMs: entry.lastLookedMs }
    return Math.max(1, settle.readMs)
  }
  return Math.max(0, settle.readMs - (one.nowMs - before.atMs))
}

/**
 * A file that only an earlier witness speaks for, and no other member of the family for the last one, goes on as that source; where
 * listings and reads may be stale, after `settle.tail`. Gives how long to wait still.
 */
export function untilStrong(one: Visit): number {
  const { entry, context } = one
  if (!one.remote) return 0
  entry.weakSinceMs ??= one.nowMs
  return Math.max(0, context.root.settle.tailMs - (one.nowMs - entry.weakSinceMs))
}

/**
 * A source that this path was last known or archived as begins alike and no longer fits, and no other file holds it: the file was rewritten in
 * place. Not only what this process knew of the path counts: another one may have collected it, and be gone.
 */
export async function tellRewritten(one: Visit, { candidates }: Evidence): Promise<void> {
  const { entry, parts } = one
  for (const { id } of candidates) {
    const head = parts.ledger.known(id)
    if (!head || (id !== entry.source && head.path !== entry.path) || (await isHeld(one, head))) continue
    const detail = `the file no longer holds what was archived of it up to ${head.end}; it is archived again, whole, as a new source`
    // What was published of it beyond the archive will not be archived as that source any more.
    parts.debts.add(head.source, { disown: true })
    await parts.journal.record({
      kind: 'rewritten',
      source: head.source,
      path: entry.path,
      start: 0,
      end: head.end,
      detail,
    })
  }
}

/**
 * Whether nothing more is expected of a source, so that a last line without newline counts. Final: unchanged for `settle.final`.
 * Rotated: unchanged for `settle.tail`, not the active name, no active name holds it, and this is its longest file.
 */
export async function isEnded(one: Visit, found: { look: Look; head: Mark | null }): Promise<boolean> {
  const { entry, context, parts } = one
  const { root } = context
  if (isFinal(one)) {
    entry.state = 'final'
    return true
  }
  if (!found.head || isActive(entry.path, root.family) || !isOlder(one, entry.unchangedSinceMs, root.settle.tailMs))
    return false
  const question = { context, entries: parts.entries, fresh: one.fresh }
  const candidate = candidateOf(found.head)
  if ((await sizeIfHolder(question, candidate, entry.family)) !== null) return false
  for (const other of parts.entries.holders(found.head.source)) {
    if (other === entry.path) continue
    if (((await sizeIfHolder(question, candidate, other)) ?? 0) > found.look.stat.size) return false
  }
  entry.state = 'rotated'
  return true
}

/** How long until something that settles may have settled; null: nothing does. */
export function untilSettledMs(one: Visit, head: Mark): number | null {
  const { entry, context } = one
  const { settle } = context.root
  const waits: number[] = []
  if (entry.aged.pending) waits.push(settleMs(one) - (one.nowMs - entry.aged.pending.atMs))
  if (entry.doubt) waits.push(settle.tailMs - (one.nowMs - entry.doubt.sinceMs))
  if (entry.expected) waits.push(Math.max(50, settle.readMs))
  if ((entry.stat?.size ?? 0) > head.end || entry.open) {
    const rotatable = !isActive(entry.path, context.root.family) && !isOlder(one, entry.unchangedSinceMs, settle.tailMs)
    if (rotatable || !isFinal(one))
      waits.push(rotatable ? settle.tailMs - (one.nowMs - entry.unchangedSinceMs) : untilFinalMs(one))
  }
  return waits.length === 0 ? null : Math.max(1, Math.min(...waits))
}

function isHeld(one: Visit, head: Mark): Promise<boolean> {
  const question = { context: one.context, entries: one.parts.entries, fresh: one.fresh }
  return isHeldElsewhere(question, candidateOf(head), one.entry.path)
}
