/** The records to publish next: out of the archive up to its head, beyond that out of a look at the file. */

import type { Position } from '../core/position.ts'
import { agreement } from '../core/position.ts'
import type { Framed } from '../formats/format.ts'
import { frame } from '../formats/format.ts'
import { archivedRecords } from './archived-records.ts'
import type { RootSettings } from './context.ts'
import type { Ledger } from './ledger.ts'
import type { PublishJob } from './publish.ts'

const batchRecordsMax = 500
const batchBytesMax = 1024 * 1024

export interface Batch {
  framed: Framed[]
  /** Whether all of it is archived. */
  archived: boolean
}

interface Place {
  job: PublishJob
  before: Position
}

/** Throws `store-*`. */
export async function nextBatch(root: RootSettings, ledger: Ledger, place: Place): Promise<Batch> {
  const { job, before } = place
  if (before.published >= job.head.end) return { framed: framedFromLook(root, place, null), archived: false }
  const framed = await framedFromArchive(root, ledger, place)
  if (framed.length > 0) return { framed, archived: true }
  return { framed: await framedAcross(root, ledger, place), archived: false }
}

/** What lies beyond the position, if the look shows what was published before it as well; `begun`: what the archive holds of it. */
function framedFromLook(root: RootSettings, { job, before }: Place, begun: Buffer | null): Framed[] {
  const { ahead } = job
  const from = begun === null ? before.published : job.head.end
  if (!ahead || from < ahead.start || from >= ahead.start + ahead.bytes.length) return []
  if (agreement(before, job.head.end, ahead) !== 'agrees') return []
  const seen = ahead.bytes.subarray(from - ahead.start)
  const bytes = begun === null ? seen : Buffer.concat([begun, seen])
  const options = { offset: before.published, recordBytesMax: root.limits.lineBytesMax, final: false }
  return firstBatch(frame(root.format, bytes, options))
}

/** The record that begins before the head and ends beyond it, and what follows it. */
async function framedAcross(root: RootSettings, ledger: Ledger, place: Place): Promise<Framed[]> {
  const { job, before } = place
  if (!job.ahead || job.ahead.start > job.head.end) return []
  const begun: Buffer[] = []
  for await (const { bytes } of ledger.read(job.source, { start: before.published, end: job.head.end }))
    begun.push(bytes)
  return framedFromLook(root, place, Buffer.concat(begun))
}

/** One batch of whole records from the archive. */
async function framedFromArchive(root: RootSettings, ledger: Ledger, { job, before }: Place): Promise<Framed[]> {
  const framed: Framed[] = []
  const from = before.published
  for await (const { records } of archivedRecords(root, ledger, {
    source: job.source,
    start: from,
    end: job.head.end,
  })) {
    framed.push(...records)
    if ((framed.at(-1) as Framed).end - from >= batchBytesMax || framed.length >= batchRecordsMax) break
  }
  return firstBatch(framed)
}

function firstBatch(records: Framed[]): Framed[] {
  let bytes = 0
  let count = 0
  while (count < records.length && count < batchRecordsMax && (count === 0 || bytes < batchBytesMax))
    bytes += records[count++]?.raw.length ?? 0
  return records.slice(0, count)
}
