/**
 * One visit to one path: look, resolve, archive what is due, publish what is new, and say when to come back.
 *
 *   look ── confirmed as the known source ────────────────┐
 *     └─ not known, or no longer fits ── resolve ─ same ──┼─▶ archive if due ─▶ publish ─▶ quiet until it changes or is due
 *                                          ├─ behind: left alone until it grows or diverges
 *                                          ├─ new: believed, then its first segment makes the source
 *                                          └─ none: no record yet, a hole, or it changed under the look
 *
 * Nothing here sleeps. What must settle (a size, a belief, a hole, a tail) is remembered with the time it was first seen, and
 * the visit ends with the time to come back (settling.ts). Archiving and publishing are in advance.ts.
 */

import type { Position } from '../core/position.ts'
import { age, readableNow, unseen } from '../core/settle.ts'
import type { Look } from '../ports/files.ts'
import { advance } from './advance.ts'
import type { Debts } from './debts.ts'
import { disputeOf } from './dispute.ts'
import type { RootContext } from './context.ts'
import type { Entries, Entry } from './entries.ts'
import type { Fit } from './fit.ts'
import { isSameStat } from './entries.ts'
import { isHeldElsewhere } from './family.ts'
import type { Journal } from './journal.ts'
import type { Ledger, Mark } from './ledger.ts'
import type { Publisher } from './publish.ts'
import type { Evidence, Resolved } from './resolve.ts'
import { confirm, evidenceOf, lookRequest, probesOf, resolve } from './resolve.ts'
import {
  behind,
  isFinal,
  isOlder,
  quiet,
  settleMs,
  tellRewritten,
  untilBelieved,
  untilFinalMs,
  untilStrong,
} from './settling.ts'
import type { Throttle } from './throttle.ts'

export interface VisitParts {
  ledger: Ledger
  entries: Entries
  journal: Journal
  publisher: Publisher | null
  inFlight: Throttle
  debts: Debts
  fit: Fit
  /** Told of segments that were made, or that only an earlier witness of the file speaks for. */
  prove(path: string, marks: Mark[], options: { atOnce: boolean }): void
  /** Whether the prover still has something to say of a source. */
  isProving(source: string): boolean
  /** Visits another path soon, and archives what is complete of it whatever its age. */
  visitFirst(path: string): void
}

export interface VisitReason {
  /** This node's own listener announced it. */
  local: boolean
  /** Archive whatever is complete, whatever its age. */
  drain: boolean
}

/** `againMs`: come back after so long; 0: at once; null: when it changes. */
export interface Visited {
  againMs: number | null
}

export interface Visit {
  context: RootContext
  parts: VisitParts
  entry: Entry
  reason: VisitReason
  remote: boolean
  /** Another machine may have written what this look reads. */
  fresh: boolean
  nowMs: number
}

/** What archiving and publishing start from: a look that was confirmed as a source, or as none. */
export interface Found {
  kind: 'same' | 'new'
  id: string
  c0: string
  evidence: Evidence
  look: Look
  /** The source's last segment; null for a new one. */
  head: Mark | null
  /** The position as it was known before the look. */
  position: Position | null
  /** Bytes beyond the head, for publishing ahead. */
  ahead: { start: number; bytes: Buffer } | null
}

const windowBytes = 1024 * 1024

export async function visit(
  context: RootContext,
  parts: VisitParts,
  at: { entry: Entry; reason: VisitReason; remote: boolean },
): Promise<Visited> {
  const fresh = at.remote && !at.reason.local
  const one: Visit = { context, parts, ...at, fresh, nowMs: context.clock.monotonicMs() }
  const { entry } = at
  entry.quiet = false
  const { ledger } = parts
  const mark =
    entry.source === null ? null : (ledger.known(entry.source) ?? (await ledger.last(entry.source, entry.seen)))
  const inoBefore = entry.stat?.ino
  const known = mark ? await lookAt(one, { mark, c0: entry.c0, evidence: evidenceOf(entry.c0, mark) }) : null
  // Another file stands there now. It fits, but where files begin alike another source may fit it better.
  const isReplaced = inoBefore !== undefined && known !== null && known.look.stat.ino !== inoBefore
  return known && !isReplaced ? goOn(one, known) : act(one, await identify(one))
}

/** Resolves the path afresh. */
async function identify(one: Visit): Promise<Resolved> {
  const { context, parts, entry, fresh } = one
  const resolved = await resolve(context, parts.ledger, {
    path: entry.path,
    whole: isFinal(one),
    nulsCount: isOlder(one, entry.blurredSinceMs, context.root.settle.tailMs),
    fresh,
    heldElsewhere: (candidate) => isHeldElsewhere({ context, entries: parts.entries, fresh }, candidate, entry.path),
  })
  note(one, resolved.look)
  return resolved
}

/** One look at a source's file that also reads what may be published; null if it is not, or no longer, that source. */
async function lookAt(
  one: Visit,
  { mark, c0, evidence }: { mark: Mark; c0: string; evidence: Evidence },
): Promise<Found | null> {
  const { context, parts, entry, fresh } = one
  const probes = probesOf(evidence, Number.MAX_SAFE_INTEGER)
  const position = parts.publisher?.cached(mark.source) ?? null
  const published = Math.max(mark.end, position?.published ?? 0)
  const from = Math.max(0, published - (position?.ahead?.witness.length ?? 0))
  const window = entry.wide ? context.root.limits.lineBytesMax + windowBytes : windowBytes
  const end = Math.min(published + window, readableNow(entry.aged, { atMs: one.nowMs, settleMs: settleMs(one) }))
  const wanted = parts.publisher !== null && end > from
  const read = wanted ? { start: from, end, as: 'bytes' as const, lineBytesMax: 0, tail: true, stopAtNul: false } : null
  const look = await context.files.look(entry.path, lookRequest({ probes, read, fresh }))
  if (confirm(evidence, probes, look) !== 'same') return null
  note(one, look)
  entry.behindSinceMs = null
  entry.turningSinceMs = null
  const ahead = look.bytes === null || look.bytes.length === 0 ? null : { start: from, bytes: look.bytes }
  return { kind: 'same', id: mark.source, c0, evidence, look, head: mark, position, ahead }
}

/**
 * A file that fits what is archived may still not be the one whose records were published beyond it: two files can begin alike. One that
 * disputes those records is not archived as that source while another file agrees with them.
 */
async function goOn(one: Visit, found: Found): Promise<Visited> {
  const dispute = await disputeOf(one, found)
  if (dispute === null) return advance(one, found)
  if (dispute.other !== null) one.parts.visitFirst(dispute.other)
  return { againMs: dispute.againMs }
}

/** Remembers what a look saw. */
function note(one: Visit, look: Look): void {
  const { entry, nowMs } = one
  // The visit may have waited for the archive before it looked.
  const seenMs = one.context.clock.monotonicMs()
  if (!isSameStat(entry.stat, look.stat)) {
    one.parts.entries.changed()
    entry.unchangedSinceMs = seenMs
    entry.lastChangedMs = seenMs
  }
  if (entry.stat !== null && entry.stat.ino !== look.stat.ino) entry.aged = unseen
  entry.stat = look.stat
  entry.lastLookedMs = seenMs
  entry.missed = 0
  entry.aged = age(entry.aged, look.stat.size, { fromMs: nowMs, atMs: seenMs, settleMs: settleMs(one) })
  if (entry.expected && (look.stat.size >= entry.expected.size || nowMs >= entry.expected.untilMs))
    entry.expected = null
}

async function act(one: Visit, { resolution, look }: Resolved): Promise<Visited> {
  const { parts, entry } = one
  if (resolution.kind === 'none') return unresolved(one, resolution.reason)
  entry.blurredSinceMs = null
  if (resolution.kind === 'behind') return behind(one, resolution)
  const { kind, id, c0, evidence } = resolution
  if (kind === 'same') {
    const mark = parts.ledger.known(id)
    // Another visit may have moved the head since: the evidence speaks for the head that it was fetched with, and for no other.
    const isCurrent = mark !== null && mark.end === evidence.candidates[0]?.head
    const found = isCurrent ? await lookAt(one, { mark, c0, evidence }) : null
    if (!mark || !found) return { againMs: Math.max(10, settleMs(one)) }
    const isWeak = resolution.matched.sha256 !== mark.witness.sha256 || resolution.matched.end !== mark.end
    if (!isWeak) entry.weakSinceMs = null
    else {
      parts.prove(entry.path, await marksAfter(parts.ledger, id, resolution.matched.end), { atOnce: true })
      const waitMs = untilStrong(one)
      if (waitMs > 0) return quiet(one, waitMs)
    }
    return goOn(one, found)
  }
  const waitMs = await untilBelieved(one, { look, evidence })
  if (waitMs > 0) return { againMs: waitMs }
  await tellRewritten(one, evidence)
  return advance(one, { kind, id, c0, evidence, look, head: null, position: null, ahead: null })
}

function unresolved(one: Visit, reason: 'no-record' | 'unsteady' | 'hole'): Visited {
  const { entry, context } = one
  if (reason === 'unsteady') return { againMs: Math.max(10, settleMs(one)) }
  if (reason === 'hole') {
    entry.blurredSinceMs ??= one.nowMs
    return quiet(one, Math.max(1, context.root.settle.tailMs - (one.nowMs - entry.blurredSinceMs)))
  }
  return quiet(one, (entry.stat?.size ?? 0) === 0 ? null : untilFinalMs(one))
}

/** The path is this source now. */
export function bind(one: Visit, source: string, c0: string): void {
  const { entry, parts } = one
  parts.entries.bind(entry, source, c0)
  entry.believing = null
  entry.turningSinceMs = null
  entry.behindSinceMs = null
  if (entry.state === 'behind' || entry.state === 'truncated') entry.state = 'growing'
}

async function marksAfter(ledger: Ledger, source: string, end: number): Promise<Mark[]> {
  const listed = await ledger.segmentsFrom(source, end)
  return Promise.all(listed.map(({ key, storedAtMs }) => ledger.header(key, storedAtMs)))
}
