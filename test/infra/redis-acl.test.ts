/** infra/redis/users.acl on a real redis-server: each user may do what its part does, and no more. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { Redis } from 'ioredis'
import { openSite, until } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis.ts'

const users = { PUBLISHER: 'gleaner', GROUP: 'gleaner-group', READER: 'gleaner-reader', SIGNALLER: 'gleaner-signaller' }
const records = '{gleaner:r}:records'
const signals = '{gleaner:r}:signals'

async function startWithUsers(dir: string): Promise<RedisServer> {
  let acl = readFileSync(new URL('../../infra/redis/users.acl', import.meta.url), 'utf8')
  for (const [name, user] of Object.entries(users))
    acl = acl.replace(`#${name}`, `#${createHash('sha256').update(`secret-of-${user}`).digest('hex')}`)
  const file = join(dir, 'users.acl')
  await writeFile(file, acl)
  return startRedis({ args: ['--aclfile', file] })
}

function clientOf({ port }: RedisServer, user: string): Redis {
  return new Redis({
    port,
    username: user,
    password: `secret-of-${user}`,
    retryStrategy: null,
    enableReadyCheck: false,
  })
}

test('collectors publish; readers read; a signaller signals; none of them more', async (t) => {
  const site = await openSite()
  const redis = await startWithUsers(site.dir)
  const passwordFile = join(site.dir, 'password')
  await writeFile(passwordFile, `secret-of-${users.PUBLISHER}\n`, { mode: 0o600 })
  await site.configure({ redis: { url: redis.url, username: users.PUBLISHER, passwordFile }, feed: { since: 'all' } })
  const running = await site.start(['run'], '"running"')
  const [reader, group, signaller] = [users.READER, users.GROUP, users.SIGNALLER].map((user) =>
    clientOf(redis, user),
  ) as [Redis, Redis, Redis]

  await appendFile(join(site.logs, 'acct'), 'one\ntwo\n')
  await until(async () => (await reader.xlen(records)) === 2)
  t.is((await reader.xrange(records, '-', '+')).length, 2)
  // What `gleaner tail` does with the collectors' own configuration.
  const collector = clientOf(redis, users.PUBLISHER)
  t.is((await collector.xread('COUNT', 1, 'STREAMS', records, '0'))?.[0]?.[1].length, 1)
  collector.disconnect()
  await group.xgroup('CREATE', records, 'billing', '0')
  const read = await group.xreadgroup('GROUP', 'billing', 'one', 'COUNT', 10, 'STREAMS', records, '>')
  const ids = ((read as [string, [string, string[]][]][])[0]?.[1] ?? []).map(([id]) => id)
  t.is(await group.xack(records, 'billing', ...ids), 2)
  t.truthy(await signaller.xadd(signals, '*', 'path', 'acct'))

  const refused = async (name: string, asked: Promise<unknown>): Promise<void> => {
    const error = await t.throwsAsync(asked, undefined, name)
    t.regex(error.message, /^NOPERM/, name)
  }
  await refused('a reader writes', reader.xadd(records, '*', 'kind', 'record'))
  await refused('a reader acknowledges', reader.xack(records, 'billing', ids[0] ?? ''))
  await refused('a reader reads other keys', reader.get('other'))
  await refused('a reader sees positions', reader.hmget('{gleaner:r}:positions', 'x'))
  await refused('a group writes', group.xadd(records, '*', 'kind', 'record'))
  await refused('a group trims', group.xtrim(records, 'MAXLEN', 0))
  await refused('a signaller reads', signaller.xrange(signals, '-', '+'))
  await refused('a signaller writes records', signaller.xadd(records, '*', 'kind', 'record'))
  const publisher = clientOf(redis, users.PUBLISHER)
  await refused('a collector touches other keys', publisher.set('other', '1'))
  await refused('a collector empties Redis', publisher.flushall())
  await refused('a collector changes the server', publisher.config('SET', 'maxmemory', '1'))
  const nameless = new Redis({ port: redis.port, retryStrategy: null, enableReadyCheck: false })
  nameless.on('error', () => undefined)
  await t.throwsAsync(nameless.get('other'))

  for (const client of [reader, group, signaller, publisher, nameless]) client.disconnect()
  running.kill('SIGTERM')
  const { code, stderr } = await running.ended
  t.is(code, 0)
  t.notRegex(stderr, /redis-denied|NOPERM/)
  await redis.stop()
  await site.close()
})
