import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openRedis } from '../../src/adapters/redis.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { feedContract } from './feed.ts'

let server: RedisServer
test.before(async () => {
  server = await startRedis()
})
test.after.always(() => server.stop())

const clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  delay: (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal ? { signal } : {}).catch(() => {}),
}

feedContract('memory', async () => openMemoryFeed({ clock }))
feedContract('redis', async () => {
  const { signals, feed } = openRedis({ url: server.url })
  await signals.close()
  return feed
})

test('the memory twin can be wiped and put back', async (t) => {
  const feed = openMemoryFeed({ clock })
  const epoch = { id: 'e', archive: 'file:///a', floorMs: 0, state: 'open' as const }
  const batch = {
    epoch: 'e',
    floorMs: 0,
    source: 's',
    expected: null,
    next: '1',
    entries: [{ v: '1' }],
    announcements: [{ key: 'k' }],
  }
  await feed.begin('r', epoch)
  const empty = feed.snapshot()
  await feed.publish('r', batch)
  const full = feed.snapshot()
  feed.restore(empty)
  t.is(await feed.lastSeq('r'), 0)
  t.deepEqual(feed.records('r'), [])
  t.deepEqual(await feed.publish('r', batch), { outcome: 'published', firstSeq: 1 })
  feed.restore(full)
  t.deepEqual([feed.records('r').length, feed.segments('r').length, await feed.lastSeq('r')], [1, 1, 1])
  feed.wipe()
  t.is(await feed.epoch('r'), null)
  await feed.close()
})
