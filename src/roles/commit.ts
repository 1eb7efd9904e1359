/**
 * The commit: one conditional create, and what to do with each answer.
 *
 *     created                   ours
 *     exists                    read it: our write id → ours (a lost response), else theirs
 *     unknown (409, 5xx, reset) read the key back. There: as exists. Absent: again, same bytes, backed off, bounded
 *
 * No lock guards the ledger; the create does. An outcome that stays unknown is an error here, and harmless: whoever comes next
 * finds the object or creates it.
 */

import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Body, Store, StoredObject } from '../ports/store.ts'

const attemptsMax = 6
const backoffMs = [100, 300, 1000, 2000, 4000]

export interface Creation {
  key: string
  body: Body
  /** Whether an object that is there was made by this very call. */
  isOurs(object: Buffer): boolean
}

export type Committed = { by: 'us'; storedAtMs: number } | { by: 'other'; object: StoredObject }

/** Throws `store-*` when the store refuses, or when the outcome is still unknown after the last attempt. */
export async function commit(store: Store, clock: Clock, creation: Creation): Promise<Committed> {
  let cause: unknown
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const answer = await store.create(creation.key, creation.body)
    if (answer.outcome === 'created') return { by: 'us', storedAtMs: answer.storedAtMs }
    if (answer.outcome === 'unknown') {
      cause = answer.cause
      await clock.delay(backoffMs[attempt] ?? 4000)
    }
    const object = await readBack(store, creation.key)
    if (object)
      return creation.isOurs(object.body) ? { by: 'us', storedAtMs: object.storedAtMs } : { by: 'other', object }
  }
  const facts = {
    operation: 'create',
    subject: creation.key,
    message: 'the outcome is unknown; it is tried again later',
    cause,
  }
  throw new GleanerError('store-unreachable', facts)
}

/** Null where there is none, or where it cannot be told now: both mean "try the create again", which is exclusive. */
async function readBack(store: Store, key: string): Promise<StoredObject | null> {
  try {
    return await store.get(key)
  } catch {
    return null
  }
}
