/**
 * Whether a file disputes what was published of its source beyond the archive: it fits the last segment, but does not hold the bytes of
 * the last records.
 *
 *   it agrees, or nothing was published ahead      go on
 *   more is archived than this process knew        look again, with the last segment's witness
 *   another member of the family agrees            wait: that one is archived first, and then this one no longer fits
 *   nobody agrees, for `settle.tail`               go on: what is archived stands, and what was published is announced as revised
 */

import type { Position } from '../core/position.ts'
import { agreement } from '../core/position.ts'
import { isGleanerError } from '../errors.ts'
import { holderOf } from './family.ts'
import { candidateOf } from './ledger.ts'
import type { Mark } from './ledger.ts'
import type { Found, Visit } from './visit.ts'

/** null: go on. */
export type Dispute = { againMs: number; other: string | null } | null

const waitForOtherMs = 100

export async function disputeOf(one: Visit, found: Found): Promise<Dispute> {
  const { parts, entry, context } = one
  if (!parts.publisher || !found.head) return null
  const position = found.position ?? (await standingOrNull(one, found.id))
  if (!position) return null
  const said = agreement(position, found.head.end, found.ahead)
  if (said === 'agrees' || position.ahead?.isFalse) {
    entry.doubt = null
    return null
  }
  if (said === 'stale') {
    const head = await parts.ledger.last(found.id)
    return head && head.end > found.head.end ? { againMs: 0, other: null } : null
  }
  // Heard of only after the look: the file may have grown since.
  if (found.position === null) return { againMs: 0, other: null }
  const isShown = found.look.stat.size < position.published || isRead(position, found)
  // Not readable yet: nothing is published from it.
  if (!isShown) {
    entry.doubt = null
    return null
  }
  if (entry.doubt?.published !== position.published) entry.doubt = { sinceMs: one.nowMs, published: position.published }
  if (said === 'doubtful') return null
  const other = await holderOf(
    { context, entries: parts.entries, fresh: one.fresh },
    publishedCandidate(found.head, position),
    entry.path,
  )
  return other === null ? null : { againMs: waitForOtherMs, other }
}

/** Whether the look reaches what was published last. */
function isRead({ published, ahead }: Position, { ahead: file }: Found): boolean {
  return (
    file !== null &&
    published - (ahead?.witness.length ?? 0) >= file.start &&
    published <= file.start + file.bytes.length
  )
}

/** The source as it was published: its head is the position. */
function publishedCandidate(head: Mark, { published, ahead }: Position): ReturnType<typeof candidateOf> {
  const witness = { end: published, length: ahead?.witness.length ?? 0, sha256: ahead?.witness.sha256 ?? '' }
  return { ...candidateOf(head), head: published, witness }
}

async function standingOrNull(
  one: Visit,
  source: string,
): ReturnType<NonNullable<Visit['parts']['publisher']>['standing']> {
  try {
    return (await one.parts.publisher?.standing(source)) ?? null
  } catch (error) {
    if (isGleanerError(error)) return null
    throw error
  }
}
