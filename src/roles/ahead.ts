/**
 * What was published ahead of the archive, compared with what was archived since.
 *
 * Digests that a segment covers by now are checked against the archived bytes. At the first difference all that was published from the last
 * equal one on is announced as revised, naming the last segment; what segments come to hold of that range later is announced as it comes;
 * and once the archive has passed it, publishing goes on at the next true record boundary.
 */

import type { Ahead, Position } from '../core/position.ts'
import { foldRecord } from '../core/position.ts'
import type { Entry } from '../formats/entry.ts'
import { archivedRecords, revisionEntry } from './archived-records.ts'
import type { RootContext } from './context.ts'
import type { Ledger } from './ledger.ts'
import type { PublishJob } from './publish.ts'

interface Settling {
  job: PublishJob
  position: Position
  ahead: Ahead
}

export async function settleAhead(
  context: RootContext,
  ledger: Ledger,
  { job, before }: { job: PublishJob; before: Position },
): Promise<{ position: Position; entries: Entry[] }> {
  const { ahead } = before
  const head = job.head.end
  const isDisowned = job.disowned === before.published
  if (ahead === null || (head <= ahead.at && (ahead.isFalse || !isDisowned))) return { position: before, entries: [] }
  if (!ahead.isFalse && !isDisowned && ahead.marks.every((mark) => mark.end > head))
    return { position: before, entries: [] }
  const settling = { job, position: before, ahead }
  const truth = await compare(context, ledger, settling)
  if (truth.differs || ahead.isFalse || isDisowned) return revise(context, ledger, { ...settling, truth })
  const marks = ahead.marks.filter((mark) => mark.end > truth.equalTo)
  const at = ahead.marks.findLast((mark) => mark.end <= truth.equalTo)
  if (at === undefined) return { position: before, entries: [] }
  const rest = marks.length === 0 ? null : { ...ahead, at: at.end, digest: at.digest, marks }
  return { position: { ...before, ahead: rest }, entries: [] }
}

async function revise(
  context: RootContext,
  ledger: Ledger,
  { job, position, ahead, truth }: Settling & { truth: Truth },
): Promise<{ position: Position; entries: Entry[] }> {
  const head = job.head.end
  const isOver = position.published <= head
  const published = isOver ? truth.boundary : position.published
  const from = ahead.isFalse ? ahead.at : truth.equalTo
  // The first time all of it is announced; later what more is archived of it.
  const to = isOver || ahead.isFalse ? Math.min(published, head) : published
  const detail = 'what was published ahead is not what was archived'
  if (!ahead.isFalse)
    context.telemetry.anomaly(context.root.name, { kind: 'revised', subject: `${job.source} ${from}-${to}`, detail })
  const entries = await revisionEntries(context, ledger, { job, range: { start: from, end: to } })
  const rest = isOver ? null : { ...ahead, at: Math.max(head, ahead.at), digest: '', isFalse: true, marks: [] }
  return { position: { ...position, published, ahead: rest }, entries }
}

interface Truth {
  differs: boolean
  /** Up to here the digests are equal. */
  equalTo: number
  /** The first true record boundary at or after `published`; `published` itself if the archive does not reach it. */
  boundary: number
}

/** Folds the archived records from `ahead.at` on and compares at each mark that they cover. */
async function compare({ root }: RootContext, ledger: Ledger, { job, position, ahead }: Settling): Promise<Truth> {
  const { published } = position
  const marks = ahead.marks.filter((mark) => mark.end <= job.head.end)
  const truth: Truth = { differs: false, equalTo: ahead.at, boundary: published }
  let { digest } = ahead
  for await (const { records } of archivedRecords(root, ledger, {
    source: job.source,
    start: ahead.at,
    end: job.head.end,
  })) {
    for (const { end, raw } of records) {
      digest = foldRecord(digest, raw)
      while (marks[0] && end >= marks[0].end) {
        truth.differs ||= end !== marks[0].end || digest !== marks[0].digest
        if (!truth.differs) truth.equalTo = end
        marks.shift()
      }
      if (end < published) continue
      truth.boundary = end
      return truth
    }
  }
  // What follows the head may be what told that a record ended there: nothing is concluded before it is archived too.
  truth.differs ||= marks.some((mark) => mark.end < job.head.end)
  return truth
}

/** One entry per segment that holds some of the range; what no segment holds yet goes with the last. */
async function revisionEntries(
  context: RootContext,
  ledger: Ledger,
  { job, range }: { job: PublishJob; range: { start: number; end: number } },
): Promise<Entry[]> {
  const entries: Entry[] = []
  let at = range.start
  for (const listed of await ledger.segmentsFrom(job.source, 0)) {
    const mark = await ledger.header(listed.key, listed.storedAtMs)
    const end = mark.end === job.head.end ? range.end : Math.min(range.end, mark.end)
    if (mark.end > job.head.end || end <= at) continue
    const { source, path, family } = job
    entries.push(revisionEntry(context.root, { source, path, family, start: at, end, revision: 0, object: mark.key }))
    at = end
  }
  return entries
}
