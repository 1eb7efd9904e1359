/** Records out of the archive: what the publisher catches up with, and what `replay` gives. Both frame the same bytes alike. */

import type { Entry } from '../formats/entry.ts'
import type { Framed } from '../formats/format.ts'
import { frame } from '../formats/format.ts'
import { endOfLine } from '../formats/lines.ts'
import type { RootSettings } from './context.ts'
import type { Ledger, Mark } from './ledger.ts'

export interface ArchivedRecords {
  records: Framed[]
  /** The segment that the last of them ends in. */
  mark: Mark
}

/**
 * The records in [start, end), a few at a time, in order. `start` is a record boundary. Readers do not join across an incomplete tail, nor,
 * where a file is one document, across the end of a segment: a document whose format has no mark for its end ends there. Where the source
 * ended inside of a record of several lines, the journal says so (ending.ts); what there is of it is an incomplete record.
 * What follows the last whole record is left out. Throws `store-damaged` at a gap.
 */
export async function* archivedRecords(
  root: RootSettings,
  ledger: Ledger,
  range: { source: string; start: number; end: number },
): AsyncGenerator<ArchivedRecords> {
  const recordBytesMax = root.limits.lineBytesMax
  let rest: Buffer = Buffer.alloc(0)
  let offset = range.start
  for await (const { bytes, mark, last } of ledger.read(range.source, range)) {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    const final = last && (root.wholeFiles || mark.tail === 'incomplete')
    const records: Framed[] = []
    const take = (options: { final: boolean; torn: boolean }): void => {
      for (const record of frame(root.format, rest, { offset, recordBytesMax, ...options })) records.push(record)
      const end = records.at(-1)?.end ?? offset
      rest = rest.subarray(end - offset)
      offset = end
    }
    take({ final, torn: !root.wholeFiles })
    const isOpen = last && rest.length > 0 && mayGoOn(root)
    if (isOpen && (await ledger.endsUnfinished(range.source, mark.end))) take({ final: true, torn: true })
    if (records.length > 0) yield { records, mark }
  }
}

/** Whether a record may go on beyond the end of a segment that ends with a newline. */
export function mayGoOn({ format, wholeFiles }: Pick<RootSettings, 'format' | 'wholeFiles'>): boolean {
  return format.endOf !== endOfLine && !wholeFiles
}

export interface Revised {
  source: string
  path: string
  family: string
  start: number
  end: number
  /** The number of the revision object; 0 where the segment itself stands. */
  revision: number
  /** The key of what stands. */
  object: string
}

/** The entry that tells that what was published or archived for a range is not what stands. */
export function revisionEntry(root: RootSettings, revised: Revised): Entry {
  return {
    v: '1',
    kind: 'revision',
    source: revised.source,
    start: String(revised.start),
    end: String(revised.end),
    revision: String(revised.revision),
    path: revised.path,
    family: revised.family,
    format: root.format.name,
    type: '',
    time: '',
    flags: '',
    error: '',
    fields: '{}',
    object: revised.object,
  }
}
