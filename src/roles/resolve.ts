/**
 * Which source a file is: looks at the file, asks the archive for the evidence that the verdicts of `core/identity.ts` need, and looks
 * again, until one look answers for every candidate.
 *
 * The result carries the evidence, so that any later look (one that also reads a range to archive or publish) can be
 * confirmed alone: `confirm` judges that look by the same evidence. Nothing is committed or published from a look that was not.
 */

import type { Candidate, Judged, Witness } from '../core/identity.ts'
import {
  beginningBytes,
  choose,
  contentId,
  firstLine,
  firstRecordBytes,
  judge,
  parseSourceId,
  probesFor,
  sourceId,
} from '../core/identity.ts'
import { decodePath } from '../core/path.ts'
import { familyOf } from '../core/family.ts'
import type { Look, LookRequest, Range, ReadRequest } from '../ports/files.ts'
import type { RootContext } from './context.ts'
import type { Ledger, Mark } from './ledger.ts'
import { candidateOf } from './ledger.ts'
import { frameBytesMax } from '../core/segment.ts'

export type Resolution =
  /** The file goes on at the source's head. */
  | { kind: 'same'; id: string; c0: string; matched: Witness; evidence: Evidence }
  /** Shorter than the head and equal so far: a stale view, a copy. Left alone until it changes. */
  | { kind: 'behind'; id: string; c0: string; evidence: Evidence }
  /** No source fits; `id` is the first free one. */
  | { kind: 'new'; id: string; c0: string; evidence: Evidence }
  /** No verdict: no complete record yet, the file changed under the look, or a hole in what identifies it. */
  | { kind: 'none'; reason: 'no-record' | 'unsteady' | 'hole' }

export interface Evidence {
  c0: string
  candidates: Candidate[]
  /** The first n that no source `<c0>-<n>` has. */
  next: number
}

export interface ResolveOptions {
  path: string
  /** The file is final: a beginning without a newline counts as a record. */
  whole: boolean
  /** NULs in the beginning or a witness count (they were there for `settle.tail`). */
  nulsCount: boolean
  fresh: boolean
  /** Whether another member of the family has this witness. */
  heldElsewhere(candidate: Candidate): Promise<boolean>
}

export interface Resolved {
  resolution: Resolution
  look: Look
}

const roundsMax = 8

export async function resolve(context: RootContext, ledger: Ledger, options: ResolveOptions): Promise<Resolved> {
  const { files, root } = context
  const request = lookRequest({ beginning: firstRecordBytes + 4096, probes: [], fresh: options.fresh })
  const first = await files.look(options.path, request)
  const c0 = contentIdOf(context, options, first)
  if (!first.steady) return { resolution: { kind: 'none', reason: 'unsteady' }, look: first }
  if (root.format.text && !options.nulsCount && first.beginning.subarray(0, beginningBytes).includes(0)) {
    return { resolution: { kind: 'none', reason: 'hole' }, look: first }
  }
  if (c0 === null) return { resolution: { kind: 'none', reason: 'no-record' }, look: first }
  const sizeHint = first.stat.size
  // Sources that began without a complete record are candidates for all of the family.
  const unfinished = familyId(context, options.path, Buffer.alloc(0))
  const [marks, others] = await Promise.all([
    ledger.candidates(c0, sizeHint),
    unfinished === c0 ? [] : ledger.candidates(unfinished, sizeHint),
  ])
  const evidence: Evidence = { c0, candidates: [...marks, ...others].map(candidateOf), next: marks.length }
  return decide(context, ledger, { options, evidence, first })
}

/** Looks with all probes until no verdict needs more evidence. The first look will do where there is nothing to probe. */
async function decide(
  context: RootContext,
  ledger: Ledger,
  { options, evidence, first }: { options: ResolveOptions; evidence: Evidence; first: Look },
): Promise<Resolved> {
  let { size } = first.stat
  for (let round = 0; ; round++) {
    const request = lookRequest({
      beginning: firstRecordBytes + 4096,
      probes: probesOf(evidence, size),
      fresh: options.fresh,
    })
    const look = round === 0 && request.probes.length === 0 ? first : await context.files.look(options.path, request)
    const steady = look.steady && contentIdOf(context, options, look) === evidence.c0
    if (!steady || round === roundsMax) return { resolution: { kind: 'none', reason: 'unsteady' }, look }
    size = look.stat.size
    const verdict = judgeAll(evidence, request.probes, look)
    if (verdict.kind === 'unprobed') continue
    if (verdict.kind === 'need') await fetchEvidence(ledger, options, { needs: verdict.needs, size })
    else if (await turnsAwayAtHole(context, options, { verdict, probes: request.probes, size })) {
      return { resolution: { kind: 'none', reason: 'hole' }, look }
    } else return { resolution: verdict, look }
  }
}

async function fetchEvidence(
  ledger: Ledger,
  options: ResolveOptions,
  { needs, size }: { needs: { candidate: Candidate; evidence: 'earlier' | 'holder' | 'prefix' }[]; size: number },
): Promise<void> {
  for (const { candidate, evidence } of needs) {
    if (evidence === 'holder') candidate.heldElsewhere = await options.heldElsewhere(candidate)
    else if (evidence === 'earlier') candidate.earlier = await ledger.earlierWitnesses(candidate.id)
    else candidate.prefix = size < candidate.head ? await ledger.prefix(candidate.id, size) : null
  }
}

/**
 * Whether a candidate was turned away, or fits by an earlier witness only, while what was compared holds NULs: bytes that have not arrived.
 */
async function turnsAwayAtHole(
  context: RootContext,
  options: ResolveOptions,
  { verdict, probes, size }: { verdict: Exclude<Resolution, { kind: 'none' }>; probes: Range[]; size: number },
): Promise<boolean> {
  if (options.nulsCount || !context.root.format.text) return false
  if (verdict.kind === 'behind') return false
  if (verdict.kind === 'same' && verdict.matched === verdict.evidence.candidates[0]?.witness) return false
  for (const { start, end } of probes) {
    const read = {
      start,
      end: Math.min(end, start + frameBytesMax, size),
      as: 'bytes' as const,
      lineBytesMax: 0,
      tail: true,
      stopAtNul: false,
    }
    const look = await context.files.look(options.path, lookRequest({ probes: [], read, fresh: options.fresh }))
    if (look.bytes?.includes(0)) return true
  }
  return false
}

type Decided =
  | Exclude<Resolution, { kind: 'none' }>
  /** The size moved past a head since the probes were chosen. */
  | { kind: 'unprobed' }
  | { kind: 'need'; needs: { candidate: Candidate; evidence: 'earlier' | 'holder' | 'prefix' }[] }

function judgeAll(evidence: Evidence, probes: Range[], look: Look): Decided {
  const seen = seenBy(probes, look)
  const asked = evidence.candidates.flatMap((candidate) => probesFor(candidate, seen.size))
  if (asked.some((range) => seen.hash(range.start, range.end) === undefined)) return { kind: 'unprobed' }
  const judged: Judged[] = []
  const needs: { candidate: Candidate; evidence: 'earlier' | 'holder' | 'prefix' }[] = []
  for (const candidate of evidence.candidates) {
    const verdict = judge(candidate, seen)
    if (verdict.verdict === 'need') needs.push({ candidate, evidence: verdict.evidence })
    else judged.push({ candidate, verdict })
  }
  // A certain fit by the last witness needs nothing of the others with a shorter head.
  const chosen = choose(judged)
  const settled =
    chosen?.verdict.verdict === 'same' && needs.every((need) => need.candidate.head <= chosen.candidate.head)
  if (needs.length > 0 && !settled) return { kind: 'need', needs }
  const { c0 } = evidence
  if (chosen === null) return { kind: 'new', id: sourceId(c0, evidence.next), c0, evidence }
  if (chosen.verdict.verdict === 'same') {
    return {
      kind: 'same',
      id: chosen.candidate.id,
      c0: c0Of(chosen.candidate, c0),
      matched: chosen.verdict.matched,
      evidence: { c0: c0Of(chosen.candidate, c0), candidates: [chosen.candidate], next: 0 },
    }
  }
  return { kind: 'behind', id: chosen.candidate.id, c0: c0Of(chosen.candidate, c0), evidence }
}

function c0Of({ id }: Candidate, otherwise: string): string {
  return parseSourceId(id)?.c0 ?? otherwise
}

/** The evidence for a path whose source is known here: its last segment alone. */
export function evidenceOf(c0: string, mark: Mark): Evidence {
  return { c0, candidates: [candidateOf(mark)], next: 0 }
}

/** The ranges that a look must probe to be confirmed. */
export function probesOf(evidence: Evidence, size: number): Range[] {
  return evidence.candidates.flatMap((candidate) => probesFor(candidate, size))
}

/** Whether a look, taken with these probes, still says what the resolution said: the same source, or a new one. */
export function confirm(evidence: Evidence, probes: Range[], look: Look): 'same' | 'new' | 'no' {
  if (!look.steady) return 'no'
  const decided = judgeAll(evidence, probes, look)
  return decided.kind === 'same' || decided.kind === 'new' ? decided.kind : 'no'
}

/** The content id of what a look saw, or null if it holds no complete record and is not final (`whole`). */
export function contentIdOf(
  context: RootContext,
  options: { path: string; whole: boolean },
  look: Look,
): string | null {
  const { root } = context
  const first = firstLine(look.beginning, root.header)
  if (first === null && !(options.whole && look.stat.size > 0)) return null
  return familyId(context, options.path, first ?? Buffer.alloc(0))
}

function familyId({ root }: RootContext, path: string, first: Buffer): string {
  return contentId(root.name, decodePath(familyOf(path, root.family)), first)
}

export function lookRequest(want: {
  beginning?: number
  probes: Range[]
  read?: ReadRequest | null
  fresh: boolean
}): LookRequest {
  return {
    beginningBytes: want.beginning ?? beginningBytes,
    probes: want.probes,
    read: want.read ?? null,
    fresh: want.fresh,
  }
}

function seenBy(
  probes: Range[],
  look: Look,
): { size: number; beginning: Buffer; hash(start: number, end: number): string | null | undefined } {
  const hashes = new Map(probes.map((probe, index) => [`${probe.start}-${probe.end}`, look.probes[index]]))
  return { size: look.stat.size, beginning: look.beginning, hash: (start, end) => hashes.get(`${start}-${end}`) }
}
