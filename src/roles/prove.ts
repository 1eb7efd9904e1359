/**
 * Proving: each archived range is read once more, from fresh pages, after `settle.tail`, and compared with its segment's SHA-256.
 *
 *   equal                    proven up to its end
 *   different, twice alike   (`settle.tail` apart where reads may lie) the file holds something else: a revision object (at most 3 per segment, then the anomaly alone) and one
 *                            `revision` entry that names it; identity and head stay
 *   different, not alike     a lying read: again later
 *   no file holds it now     it stays unproven, and is counted
 *
 * A queue in memory: lost with the process, and filled again by the next full pass from what is not proven yet.
 */

import { sha256 } from '../core/hash.ts'
import { LruMap } from '../core/lru.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { buildSegment, readHeader, revisionKey } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { Look, SegmentBody } from '../ports/files.ts'
import { commit } from './commit.ts'
import type { RootContext } from './context.ts'
import type { Entries } from './entries.ts'
import type { Journal } from './journal.ts'
import type { Ledger, Mark } from './ledger.ts'
import { markOf } from './ledger.ts'
import type { Job, Unproven } from './prove-queue.ts'
import { openProveQueue } from './prove-queue.ts'
import type { Publisher } from './publish.ts'
import { lookRequest } from './resolve.ts'

const attemptsMax = 8
export const revisionsMax = 3

export interface Prover {
  /** `nowMs`: store time; given, `settle.tail` counts from when each segment was stored, and else from now. */
  add(path: string, segments: Unproven[], options: { atOnce: boolean; nowMs?: number }): void
  isProving(source: string): boolean
  /** What waits to be proven of these sources is asked for at once. */
  hurry(sources: ReadonlySet<string>): void
  /** How far a source is proven, as far as this process knows. */
  provenTo(source: string): number
  /** Learns of a proof made elsewhere or before. */
  learn(source: string, end: number): void
  /**
   * Proves what is ripe, of that what it comes to before `untilMs` (monotonic). Gives how long until the next is ripe, or null. Throws what keeps
   * it from going on; or at the end, what kept it from proving a segment.
   */
  step(untilMs?: number): Promise<number | null>
  /** How long until all that differed once can be read a second time; null: nothing did. */
  doubtsRipeInMs(): number | null
  /** Goes up with every proof learned or made. */
  readonly changes: number
  oldestAgeMs(): number
  readonly waiting: number
  /** Of them, those that can be proven now. */
  readonly ripe: number
  /** No more is taken: what is given is given again later. */
  readonly isFull: boolean
}

interface Proofs {
  /** How far each source is proven. */
  proofs: { get(source: string): number | undefined; set(source: string, end: number): void }
}

export interface ProverParts {
  ledger: Ledger
  entries: Entries
  journal: Journal
  publisher: Publisher | null
  remote: () => boolean
  /** Bytes read, for pacing. */
  paced(bytes: number): Promise<void>
}

export function openProver(context: RootContext, parts: ProverParts): Prover {
  const { clock, root } = context
  const jobs = openProveQueue(clock)
  const proofs = openProofs()
  const prove = async (job: Job): Promise<void> => {
    const outcome = await proveOne(context, { ...parts, proofs }, job)
    if (outcome === 'done' || ++job.attempts >= attemptsMax) jobs.forget(job)
    else job.notBeforeMs = clock.monotonicMs() + (parts.remote() ? root.settle.tailMs : Math.max(1, root.settle.readMs))
  }

  return {
    add(path, segments, { atOnce, nowMs }) {
      for (const { key, source, storedAtMs } of segments) {
        const waitedMs = atOnce ? root.settle.tailMs : Math.max(0, (nowMs ?? storedAtMs) - storedAtMs)
        const notBeforeMs = clock.monotonicMs() + Math.max(0, root.settle.tailMs - waitedMs)
        jobs.add({ key, source, storedAtMs, path, notBeforeMs, atOnce, differed: null, attempts: 0 })
      }
    },
    provenTo: (source) => proofs.get(source) ?? 0,
    learn(source, end) {
      if (end > (proofs.get(source) ?? 0)) proofs.set(source, end)
    },
    isProving: (source) => jobs.ofSource(source) > 0,
    hurry: (sources) => jobs.hurry(sources),
    async step(untilMs = Number.POSITIVE_INFINITY) {
      const troubles: unknown[] = []
      for (const job of jobs.ripe()) {
        if (clock.monotonicMs() >= untilMs) break
        try {
          await prove(job)
        } catch (error) {
          job.notBeforeMs = clock.monotonicMs() + root.settle.tailMs
          if (++job.attempts >= attemptsMax) jobs.forget(job)
          if (!isOfOne(error)) throw error
          troubles.push(error)
        }
      }
      if (troubles.length > 0) throw troubles[0]
      const next = jobs.soonestMs()
      return next === null ? null : Math.max(1, next - clock.monotonicMs())
    },
    doubtsRipeInMs: () => jobs.doubtsRipeInMs(),
    get changes() {
      return proofs.changes
    },
    oldestAgeMs: () => Math.max(0, clock.monotonicMs() - (jobs.soonestMs() ?? Number.POSITIVE_INFINITY)),
    get waiting() {
      return jobs.size
    },
    get ripe() {
      return jobs.ripe().length
    },
    get isFull() {
      return jobs.isFull
    },
  }
}

function openProofs(): Proofs['proofs'] & { readonly changes: number } {
  // Where there is no Redis, the catalog takes them from here: what is forgotten is proven anew.
  const kept = new LruMap<string, number>(1_000_000)
  let changes = 0
  return {
    get: (source) => kept.get(source),
    set(source, end) {
      kept.set(source, end)
      changes++
    },
    get changes() {
      return changes
    },
  }
}

/** Whether it says nothing of the next segment, or file. */
function isOfOne(error: unknown): boolean {
  return isGleanerError(error, 'store-damaged', 'store-denied', 'archive-newer', 'file-changed')
}

type Outcome = 'done' | 'again'

async function proveOne(context: RootContext, parts: ProverParts & Proofs, job: Job): Promise<Outcome> {
  const mark = await parts.ledger.header(job.key, job.storedAtMs)
  for (const path of pathsOf(parts, job)) {
    const look = await lookOrNull(context, path, lookRequest({ probes: [mark], fresh: parts.remote() }))
    if (!look) continue
    await parts.paced(mark.end - mark.start)
    if (!look.steady || !beginsAlike(mark, look) || look.stat.size < mark.end) continue
    if (look.probes[0] === mark.sha256) return proven(context, parts, mark)
    if (look.probes[0] !== job.differed) {
      job.differed = look.probes[0] ?? null
      return 'again'
    }
    return revise(context, parts, { mark, path, held: job.differed })
  }
  return 'done'
}

/** The paths that were last found to be this source; the active name first. */
function pathsOf({ entries }: ProverParts, job: Job): string[] {
  return [...new Set([...entries.holders(job.source), job.path])]
    .filter((path) => entries.get(path)?.source === job.source)
    .sort((a, b) => a.length - b.length)
}

function beginsAlike(mark: Mark, look: Look): boolean {
  const { length, sha256: expected } = mark.beginning
  return look.beginning.length >= length && sha256(look.beginning.subarray(0, length)) === expected
}

/** The proven part of a source grows from its beginning, without a gap. */
async function proven(context: RootContext, parts: ProverParts & Proofs, mark: Mark): Promise<Outcome> {
  const { feed, root } = context
  const before = parts.proofs.get(mark.source) ?? 0
  if (mark.start > before || mark.end <= before) return 'done'
  parts.proofs.set(mark.source, mark.end)
  context.news?.proven({ source: mark.source, path: mark.path, end: mark.end })
  if (feed) {
    const at = Math.floor(await context.store.nowMs())
    await feed.setProven(root.name, [{ source: mark.source, mark: `${mark.end} ${at}` }]).catch(() => undefined)
  }
  return 'done'
}

/** What the file holds in an archived range is kept as well. Others may be doing the same: equal bytes make one revision. */
async function revise(
  context: RootContext,
  parts: ProverParts & Proofs,
  { mark, path, held }: { mark: Mark; path: string; held: string | null },
): Promise<Outcome> {
  const look = await lookOrNull(context, path, {
    ...lookRequest({ probes: [], fresh: parts.remote() }),
    read: {
      start: mark.start,
      end: mark.end,
      as: 'segment',
      lineBytesMax: context.root.limits.lineBytesMax,
      tail: true,
      stopAtNul: false,
    },
  })
  const body = look?.segment
  if (!look?.steady || !body || body.end !== mark.end || body.sha256 !== held) return 'again'
  const n = await keepRevision(context, parts, { mark, path, body })
  const detail =
    n === null
      ? `the file differs from what was archived for ${mark.start}-${mark.end}, and ${revisionsMax} revisions are kept already`
      : `the file differs from what was archived for ${mark.start}-${mark.end}; both are kept`
  await parts.journal.record({ kind: 'revised', source: mark.source, path, start: mark.start, end: mark.end, detail })
  if (n !== null && parts.publisher) {
    const object = revisionKey(context.root.name, mark.source, { start: mark.start, n })
    const { source, family, start, end } = mark
    await parts.publisher.announceRevision({ source, path, family, start, end, revision: n, object })
  }
  return proven(context, parts, mark)
}

/** Creates the next revision, or finds the one that holds these bytes; null: as many are kept as are allowed. */
async function keepRevision(
  context: RootContext,
  parts: ProverParts,
  { mark, path, body }: { mark: Mark; path: string; body: SegmentBody },
): Promise<number | null> {
  const { root, store, clock } = context
  for (let n = 1; n <= revisionsMax; n++) {
    const key = revisionKey(root.name, mark.source, { start: mark.start, n })
    const header = revisionHeader(context, { mark, path, body })
    const object = buildSegment(header, await body.frames)
    const committed = await commit(store, clock, {
      key,
      body: object,
      isOurs: (there) => readHeader(there, key)?.writeId === header.writeId,
    })
    if (committed.by === 'us') return n
    const there = markOf(readHeader(committed.object.body, key) as SegmentHeader, key, committed.object.storedAtMs)
    if (there.sha256 === body.sha256) return n
  }
  return null
}

function revisionHeader(
  context: RootContext,
  { mark, path, body }: { mark: Mark; path: string; body: SegmentBody },
): SegmentHeader {
  const { root, node, clock } = context
  return {
    v: 1,
    root: root.name,
    source: mark.source,
    family: mark.family,
    path,
    start: body.start,
    end: body.end,
    lines: body.lines,
    sha256: body.sha256,
    chain: mark.chain,
    previousChain: mark.chain,
    witness: body.witness,
    beginning: mark.beginning,
    firstTime: null,
    lastTime: null,
    format: root.format.name,
    tail: body.tail,
    node,
    writeId: context.random(),
    writtenAt: formatRfc3339(clock.wallMs()),
  }
}

/** A file that is gone or unreadable proves nothing and fails nothing. */
async function lookOrNull(
  context: RootContext,
  path: string,
  request: Parameters<RootContext['files']['look']>[1],
): Promise<Look | null> {
  try {
    return await context.files.look(path, request)
  } catch (error) {
    if (
      isGleanerError(error, 'file-gone', 'file-unreadable', 'file-torn', 'file-not-regular', 'file-outside', 'file-io')
    )
      return null
    throw error
  }
}
