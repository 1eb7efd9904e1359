import type { Redis } from 'ioredis'
import { setTimeout as delay } from 'node:timers/promises'

/** When each `sample N ...` line arrived in the records stream, by XREAD BLOCK on a connection of its own. */
export interface Subscriber {
  seen: Map<number, number>
  /** Resolves when so many have arrived; rejects after a minute without a new one. */
  until(count: number): Promise<void>
  close(): Promise<void>
}

export function openSubscriber(client: Redis, root: string): Subscriber {
  const own = client.duplicate()
  const seen = new Map<number, number>()
  const closing = new AbortController()
  const reading = (async () => {
    let last = '$'
    while (!closing.signal.aborted) {
      const answer = await own.xread('BLOCK', 500, 'STREAMS', `{gleaner:${root}}:records`, last)
      const now = performance.now()
      for (const [id, fields] of answer?.[0]?.[1] ?? []) {
        last = id
        const sample = /^sample (\d+) /.exec(fields[fields.indexOf('raw') + 1] ?? '')
        if (sample) seen.set(Number(sample[1]), now)
      }
    }
  })()
  return {
    seen,
    async until(count) {
      for (let [before, idleMs] = [seen.size, 0]; seen.size < count; idleMs += 50) {
        if (seen.size > before) [before, idleMs] = [seen.size, 0]
        if (idleMs > 60_000) throw new Error(`only ${seen.size} of ${count} arrived`)
        await delay(50)
      }
    },
    async close() {
      closing.abort()
      await reading
      own.disconnect()
    },
  }
}
