/**
 * From a confirmed look onwards: archive what is due, publish what is new. A store that is away does not keep records from subscribers,
 * and a Redis that is away does not keep bytes from the archive; whichever failed is raised at the end, and the path is visited again.
 */

import { dueInMs, isDue } from '../core/due.ts'
import { isActive } from '../core/family.ts'
import { isGleanerError } from '../errors.ts'
import { endsInRecord } from './ending.ts'
import type { Mark } from './ledger.ts'
import type { Archived } from './segments.ts'
import { archiveFile } from './segments.ts'
import { isEnded, isFinal, isOlder, quiet, settleMs, untilSettledMs } from './settling.ts'
import type { Found, Visit, Visited } from './visit.ts'
import { bind } from './visit.ts'

const segmentsPerVisit = 16

type Stored = { head: Mark | null; ended: boolean; againMs: number | null; resolveAgain: boolean }

export async function advance(one: Visit, found: Found): Promise<Visited> {
  const { entry } = one
  let troubled: unknown
  let stored: Stored = { head: found.head, ended: false, againMs: null, resolveAgain: false }
  try {
    stored = await store(one, found)
  } catch (error) {
    if (found.head === null || !isGleanerError(error) || !error.code.startsWith('store-')) throw error
    troubled = error
  }
  const { head } = stored
  if (stored.resolveAgain) return { againMs: stored.againMs }
  if (head === null) return quiet(one, stored.againMs ?? untilSettledOrFinal(one))
  bind(one, found.id, found.c0)
  entry.seen = Math.max(entry.seen, found.look.stat.size)
  if (entry.head?.end !== head.end) {
    one.parts.entries.changed()
    entry.head = { start: head.start, end: head.end, storedAtMs: head.storedAtMs }
  }
  entry.archived = head.end
  const more = await publish(one, found, head)
  if (troubled !== undefined) throw troubled
  if (more || stored.againMs === 0) return { againMs: 0 }
  if (await endsInRecord(one, { head, ended: stored.ended, size: found.look.stat.size })) return { againMs: 0 }
  const settledMs = untilSettledMs(one, head)
  return quiet(
    one,
    stored.againMs === null || settledMs === null ? (stored.againMs ?? settledMs) : Math.min(stored.againMs, settledMs),
  )
}

/** Archives if bytes wait and are due. */
async function store(one: Visit, found: Found): Promise<Stored> {
  const { entry, context, reason } = one
  const { root } = context
  const ended = await isEnded(one, found)
  const size = found.look.stat.size
  const readable = Math.min(entry.aged.trusted, size)
  const waiting = {
    bytes: readable - (found.head?.end ?? 0),
    lastStoredAtMs: found.head?.storedAtMs ?? null,
    nowMs: await context.store.nowMs(),
    // A name that does not grow is sealed at once: the next rotation may delete it.
    ended: ended || !isActive(entry.path, root.family),
    drain: reason.drain,
  }
  if (!isDue(waiting, root.seal)) {
    const againMs = waiting.bytes > 0 ? dueInMs(waiting, root.seal) : null
    return { head: found.head, ended, againMs, resolveAgain: false }
  }
  const holeIsOld = isOlder(one, entry.hole?.sinceMs ?? null, root.settle.tailMs)
  const archived = await archiveFile(context, one.parts, {
    path: entry.path,
    source: found.id,
    c0: found.c0,
    evidence: found.evidence,
    size,
    head: found.head,
    end: holeIsOld ? Math.min(readable, entry.hole?.size ?? readable) : readable,
    whole: isFinal(one),
    tail: ended && readable === size,
    stopAtNul: !holeIsOld,
    fresh: one.fresh,
    segmentsMax: segmentsPerVisit,
  })
  if (archived.made.length > 0) {
    bind(one, found.id, found.c0)
    one.parts.prove(entry.path, archived.made, { atOnce: false })
    await one.parts.fit.judge({ path: entry.path, marks: archived.made, beginning: archived.beginning })
  }
  if (archived.outcome === 'conflict') one.parts.ledger.forget(found.c0)
  if (archived.outcome === 'conflict') return { head: archived.head, ended, againMs: 0, resolveAgain: true }
  if (archived.outcome === 'unsteady')
    return { head: archived.head, ended, againMs: Math.max(10, settleMs(one)), resolveAgain: true }
  const holeMs = await noteHole(one, archived, { source: found.id, size, holeIsOld })
  return { head: archived.head, ended, againMs: archived.outcome === 'more' ? 0 : holeMs, resolveAgain: false }
}

/** A hole waits for `settle.tail`; then what is there is archived, and told. Gives how long to wait. */
async function noteHole(
  one: Visit,
  archived: Archived,
  at: { source: string; size: number; holeIsOld: boolean },
): Promise<number | null> {
  const { entry, parts, context } = one
  const { holeAt } = archived
  if (archived.outcome === 'hole' && holeAt !== null) {
    if (entry.hole?.at !== holeAt) entry.hole = { at: holeAt, sinceMs: one.nowMs, size: at.size }
    return Math.max(1, context.root.settle.tailMs - (one.nowMs - entry.hole.sinceMs))
  }
  entry.hole = null
  if (!at.holeIsOld) return null
  if (holeAt !== null) {
    const detail = 'a run of NULs stayed in a text file; it is archived as it is'
    await parts.journal.record({
      kind: 'hole',
      source: at.source,
      path: entry.path,
      start: holeAt,
      end: archived.head?.end ?? holeAt,
      detail,
    })
  }
  return 0
}

/** Publishes; gives whether more can be published at once. */
async function publish(one: Visit, found: Found, head: Mark): Promise<boolean> {
  const { entry, parts, context } = one
  if (!parts.publisher) {
    entry.published = head.end
    return false
  }
  const window = found.ahead
  const nul = window && context.root.format.text ? window.bytes.indexOf(0) : -1
  const ahead = window && nul >= 0 ? { start: window.start, bytes: window.bytes.subarray(0, nul) } : window
  const disowned = isOlder(one, entry.doubt?.sinceMs ?? null, context.root.settle.tailMs)
    ? (entry.doubt?.published ?? null)
    : null
  const job = { source: found.id, path: entry.path, family: entry.family, head, ahead, disowned }
  parts.debts.add(found.id)
  const position = await parts.publisher.publish(job)
  parts.debts.delete(found.id)
  if (disowned !== null) entry.doubt = null
  if (position === null) return false
  const before = entry.published
  entry.published = position.published
  if (position.published < head.end) return position.published > before
  const { size } = found.look.stat
  // Another file's records were published as this source's meanwhile: the next visit doubts them.
  if (position.ahead?.isFalse === false && position.published > size && head.end > position.ahead.at && !entry.doubt)
    return true
  const readable = Math.min(entry.aged.trusted, size)
  if (position.published >= readable) return false
  if (window === null || position.published < window.start) return true
  const reached = window.start + window.bytes.length
  if (reached >= readable) return false
  const moved = position.published > Math.max(head.end, found.position?.published ?? 0)
  const wasWide = entry.wide
  entry.wide = !moved
  return moved || !wasWide
}

function untilSettledOrFinal(one: Visit): number | null {
  const { entry } = one
  if (entry.aged.pending) return Math.max(1, settleMs(one) - (one.nowMs - entry.aged.pending.atMs))
  return entry.stat === null
    ? null
    : Math.max(1, one.context.root.settle.finalMs - (one.nowMs - entry.unchangedSinceMs))
}
