/**
 * Nothing is published to a Redis that may drop what was published (`maxmemory-policy` other than `noeviction`, or older than 6.2): a position
 * that is evicted would be taken for a new history. Every publisher asks for the epoch first, so that is where it is stopped.
 *
 * A server that passed is not asked again; one that failed is asked at most once a minute.
 */

import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Feed } from '../ports/feed.ts'

const askAgainMs = 60_000

export interface FeedGate {
  check: () => Promise<{ ok: boolean; problems: string[] }>
  clock: Pick<Clock, 'monotonicMs'>
}

/** `epoch` and `begin` throw `redis-unfit` with what was found, or whatever `check` throws. */
export function gatedFeed(feed: Feed, { check, clock }: FeedGate): Feed {
  let verdict: { problems: string[]; untilMs: number } | null = null

  const pass = async (root: string): Promise<void> => {
    if (verdict === null || clock.monotonicMs() >= verdict.untilMs) {
      const { ok, problems } = await check()
      verdict = { problems, untilMs: ok ? Number.POSITIVE_INFINITY : clock.monotonicMs() + askAgainMs }
    }
    if (verdict.problems.length === 0) return
    throw new GleanerError('redis-unfit', { operation: 'publish', subject: root, message: verdict.problems.join('; ') })
  }

  return {
    ...feed,
    async epoch(root) {
      await pass(root)
      return feed.epoch(root)
    },
    async begin(root, epoch) {
      await pass(root)
      return feed.begin(root, epoch)
    },
  }
}
