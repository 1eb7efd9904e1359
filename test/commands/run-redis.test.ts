import test from 'ava'
import { Redis } from 'ioredis'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSite, until } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis.ts'

interface Made {
  site: Site
  redis: RedisServer
  client: Redis
}

const made: Made[] = []
test.afterEach.always(async () => {
  for (const { site, redis, client } of made.splice(0)) {
    client.disconnect()
    await site.close()
    await redis.stop()
  }
})

const feed = { since: 'all' }

async function open(more: Record<string, unknown> = {}): Promise<Made & { settings: Record<string, unknown> }> {
  const [site, redis] = await Promise.all([openSite(), startRedis()])
  const client = new Redis(redis.url)
  client.on('error', () => undefined)
  const one = { site, redis, client }
  made.push(one)
  const settings = { redis: redis.url, feed, ...more }
  await site.configure(settings)
  return { ...one, settings }
}

/** The stream's entries, each as its fields. */
async function records(client: Redis): Promise<Record<string, string>[]> {
  const entries = (await client.xrange('{gleaner:r}:records', '-', '+')) as [string, string[]][]
  return entries.map(([, fields]) =>
    Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, n) => [fields[2 * n], fields[2 * n + 1]])),
  )
}

async function raws(client: Redis): Promise<string[]> {
  return (await records(client)).map((entry) => entry['raw'] ?? '')
}

test.serial('run: every record once and in order, gapless, while files grow', async (t) => {
  const { site, client } = await open()
  const file = join(site.logs, 'a.log')
  await writeFile(file, 'line 0\n')
  const running = await site.start(['run'], '"running"')
  const expected = ['line 0\n']
  for (let n = 1; n <= 60; n++) {
    const line = `line ${n}\n`
    expected.push(line)
    await appendFile(file, line)
    if (n % 7 === 0) await until(async () => (await client.xlen('{gleaner:r}:records')) > n - 3)
  }
  await until(async () => (await client.xlen('{gleaner:r}:records')) >= 61)
  running.kill('SIGTERM')
  t.is((await running.ended).code, 0)
  const all = await records(client)
  t.deepEqual(
    all.map(({ raw }) => raw),
    expected,
  )
  t.deepEqual(
    all.map(({ seq }) => Number(seq)),
    expected.map((_, index) => index + 1),
  )
  t.deepEqual(await site.archived(), [expected.join('')])
})

test.serial('run: two processes on the same files publish each record once', async (t) => {
  const { site, client } = await open()
  const file = join(site.logs, 'a.log')
  await writeFile(file, '')
  const both = await Promise.all([site.start(['run'], '"running"'), site.start(['run'], '"running"')])
  const expected = Array.from({ length: 300 }, (_, n) => `line ${n}\n`)
  for (let at = 0; at < expected.length; at += 10) {
    await appendFile(file, expected.slice(at, at + 10).join(''))
    await until(async () => (await client.xlen('{gleaner:r}:records')) >= at - 50)
  }
  await until(async () => (await client.xlen('{gleaner:r}:records')) >= 300)
  for (const one of both) one.kill('SIGTERM')
  t.deepEqual(
    (await Promise.all(both.map((one) => one.ended))).map(({ code }) => code),
    [0, 0],
  )
  t.deepEqual(await raws(client), expected)
  t.deepEqual(await site.archived(), [expected.join('')])
})

test.serial('run: a process with only `work` takes what one with only `listen` hears', async (t) => {
  const { site, client } = await open({ reconcile: { every: '1h', fullEvery: '2h' } })
  const worker = await site.start(['run', '--roles', 'work'], '"running"')
  // Anything may send a signal.
  await writeFile(join(site.logs, 'a.log'), 'one\n')
  await client.xadd('{gleaner:r}:signals', '*', 'path', 'a.log', 'cause', 'test')
  await until(async () => (await raws(client)).includes('one\n'))
  await client.xadd('{gleaner:r}:signals', '*', 'path', '../../etc/passwd')
  await client.xadd('{gleaner:r}:signals', '*', 'nonsense', 'x')
  await appendFile(join(site.logs, 'a.log'), 'two\n')
  await client.xadd('{gleaner:r}:signals', '*', 'path', 'a.log')
  await until(async () => (await raws(client)).includes('two\n'))
  worker.kill('SIGTERM')
  t.is((await worker.ended).code, 0)
  t.deepEqual(await raws(client), ['one\n', 'two\n'])
})

test.serial('reconcile: publishes what is new; feed.since now leaves out what was there before', async (t) => {
  const { site, client } = await open({ feed: { since: 'now' } })
  const file = join(site.logs, 'a.log')
  await writeFile(file, 'old\n')
  const first = await site.gleaner('reconcile')
  t.is(first.code, 0, first.stderr)
  t.deepEqual(await raws(client), [])
  await appendFile(file, 'new\n')
  const second = await site.gleaner('--json', 'reconcile')
  t.is(second.code, 0, second.stderr)
  t.deepEqual(await raws(client), ['new\n'])
  t.is((await site.gleaner('reconcile')).code, 0)
  t.deepEqual(await raws(client), ['new\n'])
})

test.serial('reconcile: Redis down, everything is archived, and it says so with exit 1', async (t) => {
  const { site, redis } = await open()
  await redis.kill()
  await writeFile(join(site.logs, 'a.log'), 'one\n')
  const { code, stderr } = await site.gleaner('reconcile')
  t.is(code, 1)
  t.regex(stderr, /^gleaner: r.*: /m)
  t.regex(stderr, /redis\.url/)
  t.deepEqual(await site.archived(), ['one\n'])
})

test.serial('run: a Redis that may evict gets nothing published, and archiving goes on', async (t) => {
  const { site, client } = await open()
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await writeFile(join(site.logs, 'a.log'), 'one\n')
  const running = await site.start(['run'], 'maxmemory-policy is allkeys-lru')
  await until(async () => (await site.archived()).includes('one\n'))
  running.kill('SIGTERM')
  t.is((await running.ended).code, 0)
  t.is(await client.exists('{gleaner:r}:records', '{gleaner:r}:epoch'), 0)
})

test.serial('run: Redis comes back after a while, and every record is there once', async (t) => {
  const { site, redis, client } = await open()
  const file = join(site.logs, 'a.log')
  await writeFile(file, 'one\n')
  const running = await site.start(['run'], '"running"')
  await until(async () => (await raws(client)).includes('one\n'))
  await redis.kill()
  await appendFile(file, 'two\n')
  await until(async () => (await site.archived()).includes('one\ntwo\n'))
  await redis.restart({ keepData: false })
  // A wiped Redis begins a new history, in which what was archived some seconds ago counts as published.
  await until(async () => (await client.exists('{gleaner:r}:epoch').catch(() => 0)) === 1)
  await appendFile(file, 'three\n')
  await until(async () => (await raws(client).catch((): string[] => [])).includes('three\n'))
  running.kill('SIGTERM')
  t.is((await running.ended).code, 0)
  const all = ['one\n', 'two\n', 'three\n']
  const published = await raws(client)
  t.deepEqual(published, all.slice(-published.length))
  t.deepEqual(await site.archived(), [all.join('')])
})
