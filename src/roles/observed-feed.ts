/** A feed whose short requests are timed: those that publishing and passes wait for. */

import { isGleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Feed } from '../ports/feed.ts'
import type { Telemetry } from '../ports/telemetry.ts'

export function observedFeed(
  feed: Feed,
  { telemetry, clock }: { telemetry: Pick<Telemetry, 'redisRequest'>; clock: Pick<Clock, 'monotonicMs'> },
): Feed {
  async function timed<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const startMs = clock.monotonicMs()
    const tell = (outcome: string): void => telemetry.redisRequest(operation, outcome, clock.monotonicMs() - startMs)
    try {
      const answer = await call()
      tell('ok')
      return answer
    } catch (error) {
      tell(isGleanerError(error) ? error.code : 'error')
      throw error
    }
  }
  return {
    ...feed,
    epoch: (root) => timed('epoch', () => feed.epoch(root)),
    positions: (root, sources) => timed('positions', () => feed.positions(root, sources)),
    publish: (root, batch) => timed('publish', () => feed.publish(root, batch)),
    lease: (root, holder, ttlMs) => timed('lease', () => feed.lease(root, holder, ttlMs)),
  }
}
