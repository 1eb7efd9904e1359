import test from 'ava'
import { setTimeout as delay } from 'node:timers/promises'
import { openMemorySignals } from '../../src/adapters/memory-signals.ts'
import { openRedis } from '../../src/adapters/redis.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { signalsContract } from './signals.ts'

let server: RedisServer
test.before(async () => {
  server = await startRedis()
})
test.after.always(() => server.stop())

const clock = {
  delay: (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal ? { signal } : {}).catch(() => {}),
}

signalsContract('memory', async () => openMemorySignals({ clock }))
signalsContract('redis', async () => {
  const { signals, feed } = openRedis({ url: server.url })
  await feed.close()
  return signals
})
