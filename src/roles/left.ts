/**
 * Sources that a path turned away from, or whose last path is gone, though more of them had been seen than was archived. Their file may have been moved, which is no loss and
 * may show only later; or it was overwritten, or another one was put in its place. So after `settle.tail` it is asked whether any file holds
 * the source; if none does, what was not archived of it is gone: an anomaly, and what was published of that is disowned.
 *
 * In memory. Of what a killed process had seen the next one learns, by the sweep of a full pass, as much as had been published.
 */

import { familyOf } from '../core/family.ts'
import { isGleanerError } from '../errors.ts'
import type { RootContext } from './context.ts'
import type { Debts } from './debts.ts'
import type { Entries } from './entries.ts'
import { isHeldElsewhere } from './family.ts'
import type { Journal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { candidateOf } from './ledger.ts'

const leftMax = 10_000

export interface Left {
  /**
   * `seen`: its largest size. `lastLookedMs`: what other members of the family are counts from a look on that is no older (monotonic). `swept`:
   * all that are known must have had such a look, the path too, which did not turn away as far as is known.
   */
  add(source: string, seen: Seen): void
  /** Decides about those that have settled. Throws what keeps it from looking; they are asked again. */
  step(): Promise<void>
}

export interface LeftParts {
  ledger: Ledger
  entries: Entries
  journal: Journal
  debts: Debts
  remote: () => boolean
}

interface Seen {
  path: string
  seen: number
  lastLookedMs: number
  swept?: boolean
}

interface One extends Required<Seen> {
  source: string
  sinceMs: number
}

export function openLeft(context: RootContext, parts: () => LeftParts): Left {
  const { clock, root } = context
  const waiting = new Map<string, One>()
  return {
    add(source, { path, seen, lastLookedMs, swept = false }) {
      if (waiting.size >= leftMax) return
      const most = Math.max(seen, waiting.get(source)?.seen ?? 0)
      waiting.set(source, { source, path, seen: most, lastLookedMs, swept, sinceMs: clock.monotonicMs() })
    },
    async step() {
      for (const one of waiting.values()) {
        if (clock.monotonicMs() - one.sinceMs < root.settle.tailMs) continue
        if (await decide(context, parts(), one)) waiting.delete(one.source)
      }
    },
  }
}

/** Whether a file is known to be the source. One that is only its beginning, and stays so, is not. */
export function isHeld(entries: Entries, source: string): boolean {
  return entries.holders(source).some((path) => !['behind', 'truncated'].includes(entries.get(path)?.state ?? ''))
}

/** False: ask again. */
async function decide(
  context: RootContext,
  { ledger, entries, journal, debts, remote }: LeftParts,
  one: One,
): Promise<boolean> {
  const { source, path, seen } = one
  const head = await ledger.last(source)
  if (!head || head.end >= seen || isHeld(entries, source)) return true
  const entry = entries.get(path)
  // What the path holds now is not known yet: it may be this source.
  if (entry?.source === null && !entry.quiet) return false
  // A stale view of it, or it was truncated, which is told where that is known.
  if (entry?.source === source && entry.state === 'behind') return true
  const isSettled = (member: string): boolean => {
    const { lastLookedMs = 0, quiet = false } = entries.get(member) ?? {}
    return quiet && lastLookedMs >= one.lastLookedMs
  }
  if (one.swept && !entries.members(familyOf(path, context.root.family)).every(isSettled)) return false
  const isOther = (member: string): boolean =>
    (member === path && !one.swept) ||
    (isSettled(member) && ![null, source].includes(entries.get(member)?.source ?? null))
  try {
    if (await isHeldElsewhere({ context, entries, fresh: remote(), isOther }, candidateOf(head), path)) return true
  } catch (error) {
    if (isGleanerError(error, 'file-changed')) return false
    throw error
  }
  debts.add(source, { disown: true })
  await tellVanished(journal, { source, path, archived: head.end, seen })
  return true
}

export async function tellVanished(
  journal: Journal,
  gone: { source: string; path: string; archived: number; seen: number },
): Promise<void> {
  const { source, path, archived, seen } = gone
  const detail = `${seen} bytes were seen and ${archived} archived before its last file was gone`
  await journal.record({ kind: 'vanished', source, path, start: archived, end: seen, detail })
}
