/**
 * Bytes that arrive in pieces → records, without an archive: what `decode` reads. Any cut into pieces gives the same records, their ranges
 * cover the input without gap or overlap, and no more than one record and one piece is held. Records come in batches, one per piece.
 *
 * A record ends at a newline, or is torn and another goes on in the same line, so framing is tried only when a newline has come, or when the
 * longest record is here.
 */

import type { Format, Framed } from './format.ts'
import { frame } from './format.ts'

export async function* frameStream(
  format: Format,
  pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
  options: { recordBytesMax: number },
): AsyncGenerator<Framed[]> {
  const { recordBytesMax } = options
  const heldBytesMax = recordBytesMax + (format.aheadBytes ?? 0)
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let offset = 0
  const take = (final: boolean): Framed[] => {
    const bytes = waiting.length === 1 ? (waiting[0] as Buffer) : Buffer.concat(waiting, waitingBytes)
    const records = frame(format, bytes, { offset, recordBytesMax, final })
    const end = records.at(-1)?.end ?? offset
    const rest = bytes.subarray(end - offset)
    waiting = rest.length === 0 ? [] : [rest]
    waitingBytes = rest.length
    offset = end
    return records
  }
  for await (const piece of pieces) {
    waiting.push(piece)
    waitingBytes += piece.length
    if (piece.includes(10) || waitingBytes >= heldBytesMax) yield take(false)
  }
  if (waitingBytes > 0) yield take(true)
}
