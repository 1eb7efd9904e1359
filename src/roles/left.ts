/**
 * Sources that a path turned away from, or whose last path is gone, though more of them had been seen than was archived. Their file may have been moved, which is no loss and
 * may show only later; or it was overwritten, or another one was put in its place. So after `settle.tail` it is asked whether any file holds
 * the source; if none does, what was not archived of it is gone: an anomaly, and what was published of that is disowned.
 *
 * In memory: what a killed process had seen is not known to the next one.
 */

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
  /** `seen`: its largest size. */
  add(source: string, seen: { path: string; seen: number }): void
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

interface One {
  source: string
  path: string
  seen: number
  sinceMs: number
}

export function openLeft(context: RootContext, parts: () => LeftParts): Left {
  const { clock, root } = context
  const waiting = new Map<string, One>()
  return {
    add(source, { path, seen }) {
      if (waiting.size >= leftMax) return
      const before = waiting.get(source)
      waiting.set(source, { source, path, seen: Math.max(seen, before?.seen ?? 0), sinceMs: clock.monotonicMs() })
    },
    async step() {
      for (const one of waiting.values()) {
        if (clock.monotonicMs() - one.sinceMs < root.settle.tailMs) continue
        if (await decide(context, parts(), one)) waiting.delete(one.source)
      }
    },
  }
}

/** False: ask again. */
async function decide(
  context: RootContext,
  { ledger, entries, journal, debts, remote }: LeftParts,
  one: One,
): Promise<boolean> {
  const { source, path, seen } = one
  const head = await ledger.last(source)
  if (!head || head.end >= seen || entries.holders(source).length > 0) return true
  try {
    if (await isHeldElsewhere({ context, entries, fresh: remote() }, candidateOf(head), path)) return true
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
