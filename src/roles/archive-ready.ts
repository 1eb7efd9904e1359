/**
 * Nothing is archived before the store was probed: whether it refuses a second create is what exactly-once rests on. A store that cannot be
 * reached is tried again for as long as it takes; one that fails the probe is refused with what was seen.
 */

import { GleanerError, isGleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import { writeArchiveTexts } from './archive-texts.ts'
import { probeStore } from './probe.ts'
import { openArchive } from './rules.ts'

const backoffMs = [1000, 2000, 5000, 10_000, 30_000]

export interface Beginning {
  store: Store
  clock: Clock
  random: () => string
}

/** One try. Throws `store-unfit`, `archive-newer`, and whatever keeps the store from being judged. */
export async function beginArchive({ store, clock, random }: Beginning): Promise<void> {
  const { ok, checks } = await probeStore(store, { random })
  if (!ok) {
    const failed = checks.filter((check) => !check.ok).map(({ name, saw }) => `${name}: ${saw}`)
    throw new GleanerError('store-unfit', { operation: 'probe', subject: store.url, message: failed.join('; ') })
  }
  await openArchive({ store, clock, random })
  await writeArchiveTexts(store)
}

/** Tries until it succeeds or `signal` aborts (false). `told` hears of each failure that passes by itself; others are thrown. */
export async function archiveReady(
  beginning: Beginning,
  signal: AbortSignal,
  told: (error: GleanerError) => void,
): Promise<boolean> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await beginArchive(beginning)
      return true
    } catch (error) {
      if (!isGleanerError(error) || !error.retry) throw error
      told(error)
      await beginning.clock.delay(backoffMs[attempt] ?? 30_000, signal)
    }
  }
  return false
}
