/** A store whose requests are counted and timed. */

import { isGleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'

const none = { enabled: false, byDefault: null }

export function observedStore(
  store: Store,
  { telemetry, clock }: { telemetry: Pick<Telemetry, 'storeRequest'>; clock: Clock },
): Store {
  async function timed<T>(
    operation: string,
    call: () => Promise<T>,
    outcomeOf: (answer: T) => string = () => 'ok',
  ): Promise<T> {
    const startMs = clock.monotonicMs()
    const tell = (outcome: string): void => telemetry.storeRequest(operation, outcome, clock.monotonicMs() - startMs)
    try {
      const answer = await call()
      tell(outcomeOf(answer))
      return answer
    } catch (error) {
      tell(isGleanerError(error) ? error.code : 'error')
      throw error
    }
  }

  return {
    ...(store.bucketLock && { bucketLock: () => timed('lock', async () => store.bucketLock?.() ?? none) }),
    url: store.url,
    clockStepMs: store.clockStepMs,
    create: (key, body) =>
      timed(
        'create',
        () => store.create(key, body),
        ({ outcome }) => outcome,
      ),
    get: (key, range) =>
      timed(
        'get',
        () => store.get(key, range),
        (object) => (object === null ? 'missing' : 'ok'),
      ),
    list: (prefix, options) => timed('list', () => store.list(prefix, options)),
    put: (key, body) => timed('put', () => store.put(key, body)),
    remove: (key) => timed('remove', () => store.remove(key)),
    nowMs: () => store.nowMs(),
    close: () => store.close(),
  }
}
