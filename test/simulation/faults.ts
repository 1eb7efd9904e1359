/** The store and the Redis of a simulated run, which fail at every step: before, after, slowly, or for a while. */

import { GleanerError } from '../../src/errors.ts'
import type { Feed } from '../../src/ports/feed.ts'
import type { Signals } from '../../src/ports/signals.ts'
import type { CreateOutcome, Store } from '../../src/ports/store.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export interface Trouble {
  /** How likely one call fails. */
  rate: number
  /** Whether everything is away at the moment. */
  away: boolean
}

interface Parts {
  scheduler: Scheduler
  random: Random
  isAlive: () => boolean
  trouble: Trouble
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined)

export function faultyStore(store: Store, parts: Parts): Store {
  const { random, trouble } = parts
  const failure = (operation: string, subject: string): GleanerError =>
    new GleanerError('store-unreachable', { operation, subject, message: 'simulated' })

  const call = async <T>(operation: string, subject: string, work: () => Promise<T>): Promise<T> => {
    await wait(parts, 8)
    if (trouble.away || random.chance(trouble.rate)) throw failure(operation, subject)
    const result = await work()
    await wait(parts, 8)
    return parts.isAlive() ? result : never<T>()
  }

  return {
    url: store.url,
    clockStepMs: store.clockStepMs,
    async create(key, body): Promise<CreateOutcome> {
      await wait(parts, 10)
      if (!parts.isAlive()) return never()
      if (trouble.away) return { outcome: 'unknown', cause: failure('create', key) }
      if (random.chance(trouble.rate)) {
        // Lost on the way there, or on the way back; or it arrives late, after the caller has given up.
        const kind = random.int(3)
        if (kind === 1) await store.create(key, body)
        const sent = Buffer.isBuffer(body) ? body : Buffer.concat(body)
        if (kind === 2) parts.scheduler.after(random.next() * 900, () => void store.create(key, sent))
        await wait(parts, 20)
        return parts.isAlive() ? { outcome: 'unknown', cause: failure('create', key) } : never()
      }
      const outcome = await store.create(key, body)
      await wait(parts, 10)
      return parts.isAlive() ? outcome : never()
    },
    get: (key, range) => call('get', key, () => store.get(key, range)),
    list: (prefix, options) => call('list', prefix, () => store.list(prefix, options)),
    put: (key, body) => call('put', key, () => store.put(key, body)),
    remove: (key) => call('remove', key, () => store.remove(key)),
    nowMs: () => (trouble.away ? Promise.reject(failure('clock', '')) : store.nowMs()),
    close: () => store.close(),
  }
}

export function faultyFeed(feed: Feed, parts: Parts): Feed {
  const { random, trouble } = parts
  const failure = (operation: string): GleanerError =>
    new GleanerError('redis-unreachable', { operation, subject: 'redis', message: 'simulated' })

  const faulty =
    <A extends unknown[], T>(operation: string, work: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      await wait(parts, 3)
      if (!parts.isAlive()) return never()
      if (trouble.away) throw failure(operation)
      const isLost = random.chance(trouble.rate)
      // Half of the failures happen after the work was done.
      if (isLost && random.chance(0.5)) throw failure(operation)
      const result = await work(...args)
      await wait(parts, 3)
      if (!parts.isAlive()) return never()
      if (isLost) throw failure(operation)
      return result
    }

  return {
    epoch: faulty('epoch', feed.epoch.bind(feed)),
    begin: faulty('begin', feed.begin.bind(feed)),
    open: faulty('open', feed.open.bind(feed)),
    positions: faulty('positions', feed.positions.bind(feed)),
    positionIfAbsent: faulty('position', feed.positionIfAbsent.bind(feed)),
    publish: faulty('publish', feed.publish.bind(feed)),
    raiseFloor: faulty('floor', feed.raiseFloor.bind(feed)),
    proven: faulty('proven', feed.proven.bind(feed)),
    setProven: faulty('proven', feed.setProven.bind(feed)),
    lastSeq: faulty('seq', feed.lastSeq.bind(feed)),
    trim: faulty('trim', feed.trim.bind(feed)),
    read: faulty('read', feed.read.bind(feed)),
    announced: faulty('announced', feed.announced.bind(feed)),
    lease: faulty('lease', feed.lease.bind(feed)),
    release: faulty('release', feed.release.bind(feed)),
    reconcilers: faulty('reconcilers', feed.reconcilers.bind(feed)),
    lags: faulty('lags', feed.lags.bind(feed)),
    close: () => feed.close(),
  }
}

export function faultySignals(signals: Signals, parts: Parts): Signals {
  const { random, trouble } = parts
  return {
    async send(root, some) {
      await wait(parts, 3)
      if (!parts.isAlive()) return never()
      if (trouble.away) throw new GleanerError('redis-unreachable', { operation: 'signal', subject: root })
      await signals.send(root, random.chance(trouble.rate) ? [] : some)
    },
    async receive(root, limit) {
      if (trouble.away) {
        await parts.scheduler.sleep(500)
        return parts.isAlive() ? [] : never()
      }
      const taken = await signals.receive(root, limit)
      // A process that dies takes its signals along.
      return parts.isAlive() ? taken : never()
    },
    close: () => signals.close(),
  }
}

async function wait({ scheduler, random }: Parts, ms: number): Promise<void> {
  await scheduler.sleep(random.next() * ms)
}
