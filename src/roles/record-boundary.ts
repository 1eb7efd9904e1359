/**
 * Where the last record at or before a segment's end ends. Where a line is a record that is the segment's end itself. Other formats are
 * framed from the start of that segment, and if no record ends in it, of the one before: a segment may start inside of a record, but every
 * format finds its records again after that, so the last end found is one.
 */

import { parseSegmentKey, segmentBytesMax } from '../core/segment.ts'
import { endOfLine } from '../formats/lines.ts'
import { archivedRecords } from './archived-records.ts'
import type { RootSettings } from './context.ts'
import type { Ledger } from './ledger.ts'

/** `end`: of a segment, or 0. Throws `store-*`. */
export async function recordBoundary(
  root: RootSettings,
  ledger: Ledger,
  { source, end }: { source: string; end: number },
): Promise<number> {
  if (root.format.endOf === endOfLine || end === 0) return end
  const listed = await ledger.segmentsFrom(source, Math.max(0, end - root.limits.lineBytesMax - segmentBytesMax))
  const starts = listed.map(({ key }) => parseSegmentKey(key)?.start ?? 0).filter((start) => start < end)
  for (const start of starts.toReversed()) {
    let found: number | null = null
    for await (const { records } of archivedRecords(root, ledger, { source, start, end }))
      found = records.at(-1)?.end ?? found
    if (found !== null) return found
    if (end - start > root.limits.lineBytesMax) break
  }
  return starts[0] ?? end
}
