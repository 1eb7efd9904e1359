/** `gleaner expire`, run at random moments of a simulated run, by itself or two at once, and killed in the middle. */

import { parseSegmentKey } from '../../src/core/segment.ts'
import { isGleanerError } from '../../src/errors.ts'
import type { Store } from '../../src/ports/store.ts'
import { expire } from '../../src/roles/expire.ts'
import { faultyFeed, faultyStore } from './faults.ts'
import type { Shared } from './node.ts'
import { settings } from './node.ts'
import { epochMs } from './scheduler.ts'

/** The product's two hours: longer than a head is trusted and a commit goes on. */
const settledMs = 16_000

/** Remembers what is removed of evidence, and which of it is created again. */
export function keepExpired(store: Store): {
  store: Store
  expired: Map<string, { body: Buffer; storedAtMs: number }>
  again: string[]
} {
  const expired = new Map<string, { body: Buffer; storedAtMs: number }>()
  const again: string[] = []
  return {
    expired,
    again,
    store: {
      ...store,
      async create(key, body) {
        const outcome = await store.create(key, body)
        if (outcome.outcome === 'created' && parseSegmentKey(key) && expired.has(key)) again.push(key)
        return outcome
      },
      async remove(key) {
        const object = await store.get(key)
        if (object && key.startsWith('evidence/')) expired.set(key, object)
        await store.remove(key)
      },
    },
  }
}

export function startExpiring(shared: Shared, troubleMs: number): void {
  const { scheduler, random } = shared
  for (let at = settledMs + random.next() * 4000; at < troubleMs + 20_000; at += random.next() * 8000)
    scheduler.after(at, () => void once(shared, { killed: random.chance(0.5) }))
}

/** One that nothing disturbs: what others left is finished, and time is left to see what the nodes make of it. */
export function finishExpiring(shared: Shared, quietMs: number): void {
  shared.scheduler.after(quietMs - 16_000, () => void once(shared, { killed: false }))
}

async function once(shared: Shared, { killed }: { killed: boolean }): Promise<void> {
  const { scheduler, random } = shared
  let alive = true
  const isAlive = (): boolean => alive
  if (killed) scheduler.after(random.next() * 400, () => (alive = false))
  const parts = { scheduler, random, isAlive }
  const store = faultyStore(shared.store, { ...parts, trouble: shared.storeTrouble })
  const feed = shared.feed ? faultyFeed(shared.feed, { ...parts, trouble: shared.redisTrouble }) : null
  const context = { root: settings(shared), store, derived: store, feed, clock: scheduler.clock(isAlive) }
  const beforeMs = Math.floor(epochMs + scheduler.nowMs - random.next() * 30_000)
  try {
    for await (const { source, start, end, kept, leftOver } of expire(context, { beforeMs, dryRun: false, settledMs }))
      shared.trace?.(
        `${String(Math.floor(scheduler.nowMs)).padStart(7)} expired ${source.slice(0, 6)}${source.slice(32)} ${start}-${end} left over ${leftOver} ${kept ?? ''}`,
      )
  } catch (error) {
    if (!isGleanerError(error, 'store-unreachable', 'redis-unreachable')) shared.unexpected.push(error)
  }
}
