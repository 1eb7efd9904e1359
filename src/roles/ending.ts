/**
 * A source that ended inside of a record of several lines: its last line has its newline, so no segment says that anything is missing, and
 * whoever reads the archive would wait for the rest for ever.
 *
 * Once nothing more is expected of the source (rotated or final) and all of it is archived, the journal says that it ended there, inside of a
 * record. From then on everybody who reads the archive takes what there is as an incomplete record (archived-records.ts), and does not join
 * what may come after all.
 *
 *     all archived, last record not ended ── not rotated or final yet: visited again then
 *                                         └─ the journal says it ── published as incomplete by the next visit
 */

import { unfinishedKind } from '../core/anomaly.ts'
import { GleanerError } from '../errors.ts'
import { mayGoOn } from './archived-records.ts'
import type { Mark } from './ledger.ts'
import { recordBoundary } from './record-boundary.ts'
import type { Visit } from './visit.ts'

/** Whether the journal says so now, and did not before: then there is something to publish. Throws `store-*`. */
export async function endsInRecord(
  one: Visit,
  { head, ended, size }: { head: Mark; ended: boolean; size: number },
): Promise<boolean> {
  const { context, parts, entry } = one
  const { root } = context
  entry.open = mayGoOn(root) && head.tail !== 'incomplete' && head.end === size && isWaiting(one, head)
  if (!entry.open || !ended) return false
  const { source, end } = head
  const from = await recordBoundary(root, parts.ledger, { source, end })
  if (from < end) {
    const detail = `the source ended inside of the record that begins at ${from}; it is published as incomplete`
    await parts.journal.record({ kind: unfinishedKind, source, path: entry.path, start: end, end, detail })
    if (!(await parts.ledger.endsUnfinished(source, end)))
      throw new GleanerError('store-unreachable', { operation: 'journal', subject: `${root.name}/${source}` })
  }
  entry.open = false
  entry.closedAt = end
  return from < end && parts.publisher !== null
}

/** Whether something between position and head is not published; without a records stream, it has to be looked for. */
function isWaiting({ parts, entry }: Visit, head: Mark): boolean {
  return parts.publisher === null ? entry.closedAt !== head.end : entry.published < head.end
}
