/**
 * The entries of the records stream, out of the archive: for a subscriber that fills a gap, and for whoever comes years later.
 * The same fields, without `epoch` and `seq`, which belong to one Redis history.
 *
 * Sources come in the order of their ids; within one, records in order, then an entry for each revision object. `path` and `family`
 * are those of the segment that the record ends in. What has expired is left out, unless it was asked for by its offsets. Where a record
 * is more than a line, expiry may have torn the first one: it comes malformed.
 */

import type { Entry } from '../formats/entry.ts'
import { recordEntry } from '../formats/entry.ts'
import { parseSegmentKey } from '../core/segment.ts'
import { endOfLine } from '../formats/lines.ts'
import { GleanerError } from '../errors.ts'
import { archivedRecords, revisionEntry } from '../roles/archived-records.ts'
import type { RootContext } from '../roles/context.ts'
import { expiredError } from '../roles/ledger-read.ts'
import { reachOf } from '../roles/reach.ts'
import type { Ledger, Mark } from '../roles/ledger.ts'
import { openParseContexts } from '../roles/parse-context.ts'

export interface ReplayOptions {
  /** Null: all sources of the root. */
  source: string | null
  /** Records that begin in [from, to). */
  from: number
  to: number
  /** Records whose time is in [sinceMs, untilMs); with either given, what has no time is left out. Null: any. */
  sinceMs: number | null
  untilMs: number | null
  /** Raw bytes that were read so far, and that there are: an estimate, until each source was come to. */
  progress?: (bytes: number, expected: number) => void
}

/** Throws `not-found` for a source that the archive does not hold, `expired` for offsets of one that it holds no more, `store-*`. */
export async function* replay(
  context: Pick<RootContext, 'root' | 'store'>,
  ledger: Ledger,
  options: ReplayOptions,
): AsyncGenerator<Entry> {
  const reaches = options.source === null ? await reachOf(context, 0) : null
  // A last segment's key says where it starts: close enough, until its source is come to.
  const startOf = (source: string): number => parseSegmentKey(reaches?.get(source)?.last.key ?? '')?.start ?? 0
  const sources = reaches === null ? [options.source as string] : [...reaches.keys()]
  let read = 0
  let expected = sources.reduce((sum, source) => sum + startOf(source), 0)
  for (const source of sources) {
    const head = await ledger.last(source)
    expected += (head?.end ?? 0) - startOf(source)
    const progress = (end: number): void => options.progress?.(read + end, expected)
    if (head) yield* replaySource(context, ledger, { head, options, progress })
    else if (options.source !== null) {
      const facts = { operation: 'replay', subject: source, message: `root ${context.root.name} holds no such source` }
      throw new GleanerError('not-found', facts)
    }
    read += head?.end ?? 0
    options.progress?.(read, expected)
  }
}

async function* replaySource(
  { root }: Pick<RootContext, 'root' | 'store'>,
  ledger: Ledger,
  { head, options, progress }: { head: Mark; options: ReplayOptions; progress: (end: number) => void },
): AsyncGenerator<Entry> {
  const { source } = head
  const { from, to } = options
  const start = await framingStart(root.format.endOf === endOfLine, ledger, { source, from })
  const isAsked = options.source !== null && (from > 0 || to < Number.MAX_SAFE_INTEGER)
  const expired = isAsked && from < start ? await ledger.expiredTo(source) : 0
  if (from < expired)
    throw expiredError({ operation: 'replay', subject: source }, { root: root.name, source, end: expired })
  const rawBytesMax = root.feed.recordBytesMax
  const parse = await openParseContexts(root, ledger)(source)
  // A record that begins before `to` may end after it: the loop ends by itself at the first one that begins there.
  records: for await (const { records, mark } of archivedRecords(root, ledger, { source, start, end: head.end })) {
    progress(records[0]?.start ?? 0)
    for (const framed of records) {
      if (framed.start >= to) break records
      if (framed.start < from) continue
      const entry = recordEntry(root.format, framed, {
        source,
        path: mark.path,
        family: mark.family,
        rawBytesMax,
        parse,
      })
      if (isWithin(entry, options)) yield entry
    }
  }
  if (options.sinceMs !== null || options.untilMs !== null) return
  for (const { key, n } of await ledger.revisions(source)) {
    const { start, end, path, family } = await ledger.header(key, 0)
    if (end > from && start < to)
      yield revisionEntry(root, { source, path, family, start, end, revision: n, object: key })
  }
}

/**
 * Where framing begins: at a record boundary. Segments end at line ends, so where a line is a record, the segment that holds `from` will
 * do; else at the beginning, or where that has expired, at the boundary.
 */
async function framingStart(
  isByLine: boolean,
  ledger: Ledger,
  { source, from }: { source: string; from: number },
): Promise<number> {
  const starts = (await ledger.segmentsFrom(source, 0)).map(({ key }) => parseSegmentKey(key)?.start ?? 0)
  const expired = starts[0] === 0 ? 0 : await ledger.expiredTo(source)
  // An expiry that was cut short leaves segments before the boundary; the next one takes them.
  const kept = starts.filter((start) => start >= expired)
  return (isByLine ? kept.findLast((start) => start <= from) : undefined) ?? kept[0] ?? expired
}

function isWithin(entry: Entry, { sinceMs, untilMs }: ReplayOptions): boolean {
  if (sinceMs === null && untilMs === null) return true
  const ms = Date.parse(String(entry['time']))
  return ms >= (sinceMs ?? Number.NEGATIVE_INFINITY) && ms < (untilMs ?? Number.POSITIVE_INFINITY)
}
