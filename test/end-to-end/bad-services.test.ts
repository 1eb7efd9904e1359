/** What a store, a Redis and forged signals can do to a collector: a clear message, archiving that goes on or waits, and no byte lost. */

import test from 'ava'
import type { ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { randomBytes } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { appendFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSite, until } from '../support/gleaner.ts'
import type { Site, Started } from '../support/gleaner.ts'
import { readArchive } from '../support/lines.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis.ts'

/** A mount of ours needs root. */
const mayMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0
const whereMounts = mayMount ? test.serial : test.serial.skip

interface Services {
  site: Site
  redis: RedisServer
  client: Redis
  run: () => Promise<Started>
  /** What is published, by its raw bytes. */
  raws: () => Promise<string[]>
}

const withSite = (body: (t: ExecutionContext, site: Site) => Promise<void>) => async (t: ExecutionContext) => {
  t.timeout(90_000)
  const site = await openSite()
  try {
    await body(t, site)
  } finally {
    await site.close()
  }
}

const withRedis = (body: (t: ExecutionContext, services: Services) => Promise<void>, args: string[] = []) =>
  withSite(async (t, site) => {
    const redis = await startRedis({ args })
    const client = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
    client.on('error', () => undefined)
    await site.configure({ redis: redis.url, feed: { since: 'all' } })
    const raws = async (): Promise<string[]> => {
      const entries = (await client.xrange('{gleaner:r}:records', '-', '+').catch(() => [])) as [string, string[]][]
      return entries.map(([, fields]) => fields[fields.indexOf('raw') + 1] ?? '')
    }
    try {
      await body(t, { site, redis, client, raws, run: () => site.start(['run'], '"running"') })
    } finally {
      client.disconnect()
      await redis.stop()
    }
  })

async function archives(site: Site, ...expected: string[]): Promise<void> {
  const wanted = JSON.stringify(expected.sort())
  await until(async () => JSON.stringify(await site.archived()) === wanted)
}

async function stop(t: ExecutionContext, running: Started): Promise<void> {
  running.kill('SIGTERM')
  const { code, stderr } = await running.ended
  t.is(code, 0, stderr)
}

test.serial(
  'a store that is not there, and one that is a file: reconcile fails, says where and what to do',
  withSite(async (t, site) => {
    await writeFile(join(site.logs, 'a'), 'one\n')
    await writeFile(join(site.dir, 'file'), '')
    for (const place of ['nowhere', 'file']) {
      await site.configure({ archive: `file://${join(site.dir, place)}` })
      const { code, stderr } = await site.gleaner('reconcile')
      t.is(code, 1)
      t.regex(stderr, new RegExp(`^gleaner: .*${place}`, 'm'))
      t.regex(stderr, /^what to do: create the bucket or directory/m)
      t.notRegex(stderr, /at .*\.ts:/)
    }
  }),
)

whereMounts(
  'a store that turns read-only and back',
  withSite(async (t, site) => {
    const mount = (...args: string[]): void => void t.is(spawnSync('mount', [...args, site.archive]).status, 0)
    mount('-t', 'tmpfs', '-o', 'size=16m', 'tmpfs')
    try {
      const file = join(site.logs, 'a')
      await writeFile(file, 'one\n')
      const running = await site.start(['run'], '"running"')
      await archives(site, 'one\n')
      mount('-o', 'remount,ro')
      await appendFile(file, 'two\n')
      await running.said('store-denied')
      t.regex(running.stderr(), /check the credentials and the policy of the bucket or directory/)
      const refused = await site.gleaner('reconcile')
      t.is(refused.code, 1)
      t.regex(refused.stderr, /^what to do: /m)
      t.is((await site.gleaner('verify')).code, 0)
      mount('-o', 'remount,rw')
      await archives(site, 'one\ntwo\n')
      await stop(t, running)
    } finally {
      spawnSync('umount', ['-l', site.archive])
    }
  }),
)

whereMounts(
  'a store that is full goes on by itself when there is room',
  withSite(async (t, site) => {
    const mount = (...args: string[]): void => void t.is(spawnSync('mount', [...args, site.archive]).status, 0)
    mount('-t', 'tmpfs', '-o', 'size=2m', 'tmpfs')
    try {
      const lines = (): string => `${randomBytes(750_000).toString('hex')}\n`
      const all = [lines(), lines(), lines(), lines()]
      await writeFile(join(site.logs, 'a'), all[0] ?? '')
      const running = await site.start(['run'], '"running"')
      await archives(site, all[0] ?? '')
      for (const line of all.slice(1)) await appendFile(join(site.logs, 'a'), line)
      await running.said('store-full')
      t.regex(running.stderr(), /free space in the store; collecting goes on by itself/)
      t.is((await site.gleaner('verify')).code, 0)
      mount('-o', 'remount,size=64m')
      await archives(site, all.join(''))
      await stop(t, running)
      t.is((await site.gleaner('verify', '--files')).code, 0)
    } finally {
      spawnSync('umount', ['-l', site.archive])
    }
  }),
)

test.serial(
  'Redis down at the start: archiving goes on, and all is published once it is there',
  withRedis(async (t, { site, redis, run, raws }) => {
    await redis.kill()
    const file = join(site.logs, 'a')
    await writeFile(file, 'one\n')
    const running = await run()
    await archives(site, 'one\n')
    await running.said('redis-unreachable')
    await appendFile(file, 'two\n')
    await archives(site, 'one\ntwo\n')
    await redis.restart({ keepData: false })
    // A Redis that knows nothing begins a history: what was archived before it counts as published.
    await appendFile(file, 'three\n')
    await until(async () => (await raws()).includes('three\n'))
    await stop(t, running)
    t.is(new Set(await raws()).size, (await raws()).length)
    t.deepEqual(await site.archived(), ['one\ntwo\nthree\n'])
  }),
)

test.serial(
  'Redis stops answering for a while, and goes on',
  withRedis(async (t, { site, redis, run, raws }) => {
    const file = join(site.logs, 'a')
    await writeFile(file, 'one\n')
    const running = await run()
    await until(async () => (await raws()).includes('one\n'))
    redis.pause()
    await appendFile(file, 'two\n')
    await archives(site, 'one\ntwo\n')
    redis.resume()
    await appendFile(file, 'three\n')
    await until(async () => (await raws()).includes('three\n'))
    await stop(t, running)
    t.deepEqual(await raws(), ['one\n', 'two\n', 'three\n'])
  }),
)

test.serial(
  'a wrong password: it says so without showing it, and archiving goes on',
  withRedis(
    async (t, { site, redis, run }) => {
      const passwordFile = join(site.dir, 'password')
      await writeFile(passwordFile, 'not-the-right-one\n')
      await site.configure({ redis: { url: redis.url, passwordFile }, feed: { since: 'all' } })
      await writeFile(join(site.logs, 'a'), 'one\n')
      const running = await run()
      await archives(site, 'one\n')
      await running.said('redis-denied')
      t.regex(running.stderr(), /check redis\.username, redis\.passwordFile and the ACL/)
      await stop(t, running)
      t.notRegex(running.stderr(), /not-the-right-one/)
    },
    ['--requirepass', 'right'],
  ),
)

for (const key of ['records', 'positions', 'seq', 'epoch', 'signals', 'segments'])
  test.serial(
    `another program's key under ${key}: named, left alone, and once it is gone all is published`,
    withRedis(async (t, { site, client, run, raws }) => {
      const name = `{gleaner:r}:${key}`
      await (key === 'seq' ? client.hset(name, 'a', 'b') : client.set(name, 'of another program'))
      const file = join(site.logs, 'a')
      await writeFile(file, 'one\n')
      const running = await run()
      await archives(site, 'one\n')
      await running.said('redis-wrong-type')
      t.regex(running.stderr(), /another program uses a key of this root; remove that key or rename the root/)
      t.is(await client.type(name), key === 'seq' ? 'hash' : 'string')
      await client.del(name)
      await appendFile(file, 'two\n')
      await until(async () => (await raws()).includes('two\n'))
      await stop(t, running)
      const published = await raws()
      t.deepEqual(published, ['one\n', 'two\n'].slice(-published.length))
      t.deepEqual(await site.archived(), ['one\ntwo\n'])
    }),
  )

test.serial(
  'the group is deleted under the workers: signals are received again',
  withRedis(async (t, { site, client, raws }) => {
    await site.configure({
      redis: `redis://127.0.0.1:${client.options.port}`,
      feed: { since: 'all' },
      reconcile: { every: '1h', fullEvery: '2h' },
    })
    const running = await site.start(['run', '--roles', 'work'], '"running"')
    const say = async (line: string): Promise<void> => {
      await appendFile(join(site.logs, 'a'), line)
      // Signals may be lost; somebody who sends them again is the next pass.
      await until(async () => {
        await client.xadd('{gleaner:r}:signals', '*', 'path', 'a', 'cause', 'test')
        return (await raws()).includes(line)
      })
    }
    await say('one\n')
    const groups = (await client.xinfo('GROUPS', '{gleaner:r}:signals')) as string[][]
    for (const group of groups) await client.xgroup('DESTROY', '{gleaner:r}:signals', group[1] ?? '')
    await say('two\n')
    await client.del('{gleaner:r}:signals')
    await say('three\n')
    await stop(t, running)
    t.deepEqual(await raws(), ['one\n', 'two\n', 'three\n'])
  }),
)

test.serial(
  'forged signals read nothing that they should not, and stop nobody',
  withRedis(async (t, { site, client, raws, run }) => {
    await site.configure(
      { redis: `redis://127.0.0.1:${client.options.port}`, feed: { since: 'all' } },
      { include: ['in*'] },
    )
    await mkdir(join(site.dir, 'logs-beside'))
    await writeFile(join(site.dir, 'logs-beside', 'in-secret'), 'secret\n')
    await writeFile(join(site.logs, 'not-included'), 'secret\n')
    await symlink(join(site.dir, 'logs-beside', 'in-secret'), join(site.logs, 'in-link'))
    await symlink(join(site.dir, 'logs-beside'), join(site.logs, 'in-dir'))
    const running = await run()
    const forged = [
      '../logs-beside/in-secret',
      join(site.dir, 'logs-beside', 'in-secret'),
      '/etc/passwd',
      'in-link',
      'in-dir/in-secret',
      'not-included',
      'in/../../logs-beside/in-secret',
      'in%00',
      '%2e%2e/logs-beside/in-secret',
      '.',
      '..',
      '',
      '/',
      'in\n',
      'in//x',
      'i'.repeat(5000),
      '%'.repeat(1000),
      '\ud800',
    ]
    const sizes = ['-1', 'NaN', '1e400', '9'.repeat(400), 'Infinity', '0x10', '']
    const add = (...fields: (string | Buffer)[]): Promise<unknown> => client.xadd('{gleaner:r}:signals', '*', ...fields)
    for (const path of forged) for (const size of sizes) await add('path', path, 'size', size, 'cause', 'x')
    await add('path', 'in-a', 'node', Buffer.alloc(1024 ** 2, 'n'), 'cause', Buffer.alloc(1024 ** 2, 0xff))
    await add('path', Buffer.alloc(8 * 1024 ** 2, 'p'))
    await add(...Array.from({ length: 2000 }, (_, n) => `field${n}`))
    await add('path', Buffer.from([0xff, 0xfe, 0x00]))
    await add('nothing', 'here')
    await client.xadd('{gleaner:nobody}:signals', '*', 'path', 'in-a')
    for (let n = 0; n < 2000; n++) await add('path', `in-missing-${n}`, 'size', '999999')
    await writeFile(join(site.logs, 'in-a'), 'one\n')
    await add('path', 'in-a', 'size', '99999999999999')
    await until(async () => (await raws()).includes('one\n'))
    await archives(site, 'one\n')
    await stop(t, running)
    t.deepEqual(await raws(), ['one\n'])
    t.deepEqual(
      (await readArchive(site.archive, 'r')).map(({ bytes }) => bytes.toString()),
      ['one\n'],
    )
    t.notRegex(running.stderr(), /"code":"internal"|TypeError|RangeError/)
  }),
)

test.serial(
  'an archive of another URL on the same Redis: archived, not published, and it says why',
  withRedis(async (t, { site, client, raws }) => {
    await writeFile(join(site.logs, 'a'), 'one\n')
    t.is((await site.gleaner('reconcile')).code, 0)
    const other = join(site.dir, 'other')
    await mkdir(other)
    await site.configure({
      redis: `redis://127.0.0.1:${client.options.port}`,
      feed: { since: 'all' },
      archive: `file://${other}`,
    })
    await appendFile(join(site.logs, 'a'), 'two\n')
    const { code, stderr } = await site.gleaner('reconcile')
    t.is(code, 1)
    t.regex(stderr, /this Redis publishes another archive/)
    t.deepEqual(await raws(), ['one\n'])
    t.deepEqual(
      (await readArchive(other, 'r')).map(({ bytes }) => bytes.toString()),
      ['one\ntwo\n'],
    )
    await rm(other, { recursive: true })
  }),
)
