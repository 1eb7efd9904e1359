/**
 * Entries of one root's records stream from now on, each once, in order.
 *
 * `$` means "new ones" anew at each read, so what comes between two reads that found nothing would be lost. `seq` has no gaps: if it moved
 * on without us, the stream is read from its beginning once, leaving out what was there before.
 */

import { isGleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Feed } from '../ports/feed.ts'

const pageEntries = 500
const againMs = 1000

export interface FollowOptions {
  clock: Clock
  signal: AbortSignal
  /** Hears of a Redis that is away; it is tried again every second. */
  told: (error: unknown) => void
}

/** Throws `redis-*` if the first question fails, and later only what trying again cannot help. */
export async function* follow(
  feed: Feed,
  root: string,
  { clock, signal, told }: FollowOptions,
): AsyncGenerator<Record<string, Buffer>> {
  let before = await feed.lastSeq(root)
  let after = '$'
  while (!signal.aborted) {
    try {
      const entries = await feed.read(root, after, pageEntries)
      if (after === '$') {
        const last = entries.length > 0 ? seqOf(entries[0]) - 1 : await feed.lastSeq(root)
        if (last < before) before = 0
        if (last !== before) {
          after = '0'
          continue
        }
      }
      for (const { id, fields } of entries) {
        after = id
        if (seqOf({ fields }) > before) yield fields
      }
      if (entries.length > 0 && seqOf(entries.at(-1)) > before) before = 0
    } catch (error) {
      if (!isGleanerError(error) || !error.retry) throw error
      told(error)
      await clock.delay(againMs, signal)
    }
  }
}

function seqOf(entry: { fields: Record<string, Buffer> } | undefined): number {
  return Number(entry?.fields['seq']?.toString() ?? 0)
}
