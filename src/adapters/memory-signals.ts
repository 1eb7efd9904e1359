import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Signal, Signals } from '../ports/signals.ts'

/**
 * Signals in one process: the embedded default, and the twin that simulations share between their nodes. Waiting receivers
 * are served in the order they came; the queue drops its oldest beyond 100,000.
 */
const lengthMax = 100_000
const waitMs = 1000

export function openMemorySignals({ clock }: { clock: Pick<Clock, 'delay'> }): Signals {
  const queues = new Map<string, Signal[]>()
  const waiting = new Map<string, Set<AbortController>>()
  let closed = false

  function of<T>(map: Map<string, T>, root: string, make: () => T): T {
    const found = map.get(root) ?? make()
    map.set(root, found)
    return found
  }

  return {
    async send(root, signals) {
      if (closed) throw closedError('signal', root)
      const queue = of(queues, root, () => [])
      for (const { path, size, node, cause } of signals) {
        queue.push({
          path,
          ...(size === undefined ? {} : { size }),
          ...(node === undefined ? {} : { node }),
          cause: cause.slice(0, 64),
        })
      }
      if (queue.length > lengthMax) queue.splice(0, queue.length - lengthMax)
      const [first] = of(waiting, root, () => new Set())
      first?.abort()
    },
    async receive(root, limit) {
      if (closed) throw closedError('receive', root)
      const queue = of(queues, root, () => [])
      if (queue.length === 0) await wait(root)
      const taken = queue.splice(0, limit)
      // One send wakes one receiver; what that one leaves is the next one's.
      if (queue.length > 0) [...of(waiting, root, () => new Set<AbortController>())][0]?.abort()
      return taken
    },
    async close() {
      closed = true
      for (const set of waiting.values()) for (const one of set) one.abort()
    },
  }

  async function wait(root: string): Promise<void> {
    const abort = new AbortController()
    const set = of(waiting, root, () => new Set())
    set.add(abort)
    abort.signal.addEventListener('abort', () => set.delete(abort), { once: true })
    await clock.delay(waitMs, abort.signal)
    set.delete(abort)
  }
}

function closedError(operation: string, root: string): GleanerError {
  return new GleanerError('redis-unreachable', { operation, subject: root, message: 'closed' })
}
