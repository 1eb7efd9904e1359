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
import type { Publisher } from './publish.ts'
import { lookRequest } from './resolve.ts'

const queueMax = 50_000
const attemptsMax = 8
export const revisionsMax = 3

/** A segment that is to be proven; what else its header holds is read when it is its turn. */
export type Unproven = Pick<Mark, 'key' | 'source' | 'storedAtMs'>

interface Job extends Unproven {
  path: string
  notBeforeMs: number
  /** It need not wait for its turn: whether a file goes on as this source rests on it. */
  atOnce: boolean
  /** What the last differing read held. */
  differed: string | null
  attempts: number
}

export interface Prover {
  add(path: string, segments: Unproven[], options: { atOnce: boolean }): void
  isProving(source: string): boolean
  /** What waits to be proven of this source is asked for at once. */
  hurry(source: string): void
  /** How far a source is proven, as far as this process knows. */
  provenTo(source: string): number
  /** Learns of a proof made elsewhere or before. */
  learn(source: string, end: number): void
  /** Proves what is ripe, or of that only what was asked for at once. Gives how long until the next is, or null. */
  step(options?: { atOnce: boolean }): Promise<number | null>
  /** Goes up with every proof learned or made. */
  readonly changes: number
  oldestAgeMs(): number
  readonly waiting: number
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
  const jobs = openJobs()
  const kept = new LruMap<string, number>(200_000)
  let changes = 0
  const proofs: Proofs['proofs'] = {
    get: (source) => kept.get(source),
    set(source, end) {
      kept.set(source, end)
      changes++
    },
  }

  const prove = async (job: Job): Promise<void> => {
    const outcome = await proveOne(context, { ...parts, proofs }, job)
    if (outcome === 'done' || ++job.attempts >= attemptsMax) jobs.forget(job)
    else job.notBeforeMs = clock.monotonicMs() + (parts.remote() ? root.settle.tailMs : Math.max(1, root.settle.readMs))
  }

  return {
    add(path, segments, { atOnce }) {
      const notBeforeMs = clock.monotonicMs() + (atOnce ? 0 : root.settle.tailMs)
      for (const { key, source, storedAtMs } of segments)
        jobs.add({ key, source, storedAtMs, path, notBeforeMs, atOnce, differed: null, attempts: 0 })
    },
    provenTo: (source) => proofs.get(source) ?? 0,
    learn(source, end) {
      if (end > (proofs.get(source) ?? 0)) proofs.set(source, end)
    },
    isProving: (source) => jobs.ofSource(source) > 0,
    hurry(source) {
      for (const job of jobs.all())
        if (job.source === source) Object.assign(job, { atOnce: true, notBeforeMs: clock.monotonicMs() })
    },
    async step(only = { atOnce: false }) {
      let nowMs = clock.monotonicMs()
      for (const job of jobs.all()) {
        if (job.notBeforeMs > nowMs || (only.atOnce && !job.atOnce)) continue
        try {
          await prove(job)
        } catch (error) {
          job.notBeforeMs = clock.monotonicMs() + root.settle.tailMs
          if (++job.attempts >= attemptsMax) jobs.forget(job)
          throw error
        }
        nowMs = clock.monotonicMs()
      }
      const next = jobs.soonestMs()
      return next === null ? null : Math.max(1, next - clock.monotonicMs())
    },
    get changes() {
      return changes
    },
    oldestAgeMs: () => Math.max(0, clock.monotonicMs() - (jobs.soonestMs() ?? Number.POSITIVE_INFINITY)),
    get waiting() {
      return jobs.size
    },
    get isFull() {
      return jobs.size >= queueMax
    },
  }
}

/** Jobs by segment, counted by source. */
function openJobs() {
  const jobs = new Map<string, Job>()
  const counts = new Map<string, number>()
  return {
    /** One that is there stays, and becomes due earlier if this one is. */
    add(job: Job): void {
      const before = jobs.get(job.key)
      if (before) {
        before.notBeforeMs = Math.min(before.notBeforeMs, job.notBeforeMs)
        before.atOnce ||= job.atOnce
      } else if (jobs.size < queueMax) {
        jobs.set(job.key, job)
        counts.set(job.source, (counts.get(job.source) ?? 0) + 1)
      }
    },
    forget({ key, source }: Job): void {
      if (!jobs.delete(key)) return
      const left = (counts.get(source) ?? 1) - 1
      if (left > 0) counts.set(source, left)
      else counts.delete(source)
    },
    ofSource: (source: string): number => counts.get(source) ?? 0,
    all: () => jobs.values(),
    soonestMs(): number | null {
      let soonest: number | null = null
      for (const { notBeforeMs } of jobs.values()) soonest = Math.min(soonest ?? notBeforeMs, notBeforeMs)
      return soonest
    },
    get size() {
      return jobs.size
    },
  }
}

type Outcome = 'done' | 'again'

async function proveOne(context: RootContext, parts: ProverParts & Proofs, job: Job): Promise<Outcome> {
  const mark = await parts.ledger.header(job.key, job.storedAtMs)
  for (const path of pathsOf(parts, job)) {
    const look = await lookOrNull(context, path, lookRequest({ probes: [mark], fresh: parts.remote() }))
    await parts.paced(mark.end - mark.start)
    if (!look || !look.steady || !beginsAlike(mark, look) || look.stat.size < mark.end) continue
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
