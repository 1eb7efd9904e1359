import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect, promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { keyOf, type RedisKeyName } from '../../src/adapters/redis-keys.ts'
import { signalOf, signalsLengthMax } from '../../src/adapters/redis-signals.ts'
import { openRedis, type RedisAdapters } from '../../src/adapters/redis.ts'
import { isGleanerError } from '../../src/errors.ts'
import type { Epoch, Feed } from '../../src/ports/feed.ts'
import { batchOf } from '../contract/feed.ts'
import { freePort, type RedisServer, type RedisServerOptions, startRedis } from '../support/redis.ts'

const epoch: Epoch = { id: 'e1', archive: 'file:///archive', floorMs: 5, state: 'open' }
const batch = batchOf(epoch)
const newRoot = (): string => `root-${randomUUID()}`
let server: RedisServer
let admin: Redis

test.before(async () => {
  server = await startRedis()
  admin = new Redis({ port: server.port, protocol: 2 })
})
test.after.always(async () => {
  admin.disconnect()
  await server.stop()
})

/** A server of one test's own, which ends with it, whatever its outcome. */
async function ownRedis(t: ExecutionContext, options: RedisServerOptions = {}): Promise<RedisServer> {
  const own = await startRedis(options)
  t.teardown(() => own.stop())
  return own
}

function ownClient(t: ExecutionContext, own: RedisServer): Redis {
  const client = new Redis({ port: own.port, protocol: 2 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

/** Runs `body` with adapters that are closed afterwards. */
async function using<T>(
  settings: Parameters<typeof openRedis>[0],
  body: (redis: RedisAdapters) => Promise<T>,
): Promise<T> {
  const redis = openRedis(settings)
  try {
    return await body(redis)
  } finally {
    await redis.close()
  }
}

test('a server that is down refuses at once, and is found when it starts', async (t) => {
  const port = await freePort()
  await using({ url: `redis://127.0.0.1:${port}` }, async ({ signals, feed, check }) => {
    const root = newRoot()
    await t.throwsAsync(feed.epoch(root), { code: 'redis-unreachable', message: /ECONNREFUSED/ })
    await t.throwsAsync(check(), { code: 'redis-unreachable' })
    await t.throwsAsync(signals.receive(root, 1), { code: 'redis-unreachable' })
    const begun = performance.now()
    const refused = await Promise.allSettled(
      Array.from({ length: 20_000 }, () => signals.send(root, [{ path: 'a', cause: 'test' }])),
    )
    t.true(refused.every(({ status }) => status === 'rejected'))
    t.log(`20,000 refusals in ${Math.round(performance.now() - begun)} ms`)
    await ownRedis(t, { port })
    t.is(await eventually(() => feed.epoch(root)), null)
    await eventually(() => signals.send(root, [{ path: 'a', cause: 'test' }]))
    t.deepEqual(await eventually(() => signals.receive(root, 1)), [{ path: 'a', cause: 'test' }])
  })
})

test('a server that stops answering is given up, and found when it goes on', async (t) => {
  const own = await ownRedis(t)
  await using({ url: own.url }, async ({ feed, signals }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    own.pause()
    const calls = [
      feed.epoch(root),
      feed.publish(root, batch({})),
      signals.send(root, [{ path: 'a', cause: 'test' }]),
      feed.read(root, '0', 1),
    ]
    for (const call of await Promise.allSettled(calls))
      t.true(call.status === 'rejected' && isGleanerError(call.reason, 'redis-unreachable'))
    await t.throwsAsync(feed.epoch(root), { code: 'redis-unreachable' })
    own.resume()
    t.deepEqual(await eventually(() => feed.epoch(root)), epoch)
  })
  // One that never answers from the first moment is refused as well.
  own.pause()
  await using({ url: own.url }, async ({ feed }) => {
    await t.throwsAsync(feed.epoch('r'), { code: 'redis-unreachable' })
    own.resume()
    await t.notThrowsAsync(eventually(() => feed.epoch('r')))
  })
})

test('a restart with its data goes on, one without begins anew', async (t) => {
  const own = await ownRedis(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  await using({ url: own.url }, async ({ feed, signals }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    await feed.publish(root, batch({ next: '1', entries: [{ v: '1' }] }))
    await signals.receive(root, 1)
    await own.restart({ keepData: true })
    t.deepEqual(
      await eventually(() => feed.publish(root, batch({ expected: '1', next: '2', entries: [{ v: '1' }] }))),
      {
        outcome: 'published',
        firstSeq: 2,
      },
    )
    await own.restart({ keepData: false })
    t.is(await eventually(() => feed.epoch(root)), null)
    t.deepEqual(await feed.publish(root, batch({ expected: '2', next: '3' })), { outcome: 'stale' })
    await eventually(() => signals.send(root, [{ path: 'a', cause: 'test' }]))
    t.deepEqual(await eventually(() => signals.receive(root, 1)), [{ path: 'a', cause: 'test' }])
  })
})

test('passwords: right, wrong, none, forbidden; never in a message', async (t) => {
  const own = await ownRedis(t, {
    args: ['--requirepass', 'correct-horse', '--user', ...'reader on >tr0ub4dor ~* &* +ping +hmget'.split(' ')],
  })
  const address = `127.0.0.1:${own.port}`
  const codeOf = (
    settings: Parameters<typeof openRedis>[0],
    call: (redis: RedisAdapters) => Promise<unknown>,
  ): Promise<string> =>
    using(settings, async (redis) => {
      try {
        await call(redis)
        return 'allowed'
      } catch (error) {
        t.notRegex(inspect(error, { depth: 9, showHidden: true }), /correct-horse|battery-staple|tr0ub4dor/)
        return isGleanerError(error) ? error.code : 'other'
      }
    })
  const epochOf = ({ feed }: RedisAdapters): Promise<unknown> => feed.epoch('r')
  t.is(await codeOf({ url: `redis://${address}`, password: 'correct-horse' }, epochOf), 'allowed')
  t.is(await codeOf({ url: `redis://:correct-horse@${address}` }, epochOf), 'allowed')
  t.is(await codeOf({ url: `redis://:battery-staple@${address}` }, epochOf), 'redis-denied')
  t.is(
    await codeOf({ url: `redis://${address}`, username: 'nobody', password: 'battery-staple' }, epochOf),
    'redis-denied',
  )
  t.is(await codeOf({ url: `redis://${address}` }, epochOf), 'redis-denied')
  t.is(await codeOf({ url: `redis://${address}` }, ({ signals }) => signals.receive('r', 1)), 'redis-denied')
  const reader = { url: `redis://${address}`, username: 'reader', password: 'tr0ub4dor' }
  t.is(await codeOf(reader, epochOf), 'allowed')
  t.is(await codeOf(reader, ({ feed }) => feed.begin('r', epoch)), 'redis-denied')
  t.deepEqual(await using(reader, ({ check }) => check()), {
    ok: true,
    version: 'unknown',
    policy: 'unknown',
    problems: [],
  })
  const error = t.throws(() => openRedis({ url: 'http://me:correct-horse@host' }), { code: 'config-invalid' })
  t.notRegex(inspect(error, { depth: 9, showHidden: true }), /correct-horse/)
})

test('TLS: a server that wants a certificate is refused, and does not end the process with its second error', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'gleaner-tls-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    keyFile,
    '-out',
    certFile,
    ...names,
  ])
  const tlsPort = await freePort()
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile]
  await ownRedis(t, { args: ['--tls-port', String(tlsPort), ...files] })
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  const url = `rediss://localhost:${tlsPort}`
  t.true((await using({ url, tls: { ca: cert, cert, key } }, (redis) => redis.check())).ok)
  const refused = { code: 'redis-unreachable' }
  await t.throwsAsync(
    using({ url, tls: { ca: cert } }, (redis) => redis.check()),
    refused,
  )
  await t.throwsAsync(
    using({ url }, (redis) => redis.check()),
    { ...refused, message: /self-signed/ },
  )
  await t.throwsAsync(
    using({ url: `redis://localhost:${tlsPort}` }, (redis) => redis.check()),
    refused,
  )
})

test('a server that may evict is reported', async (t) => {
  const own = await ownRedis(t, { args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
  const { ok, policy, problems, version } = await using({ url: own.url }, ({ check }) => check())
  t.deepEqual([ok, policy, problems.length], [false, 'allkeys-lru', 1])
  t.regex(version, /^\d+\.\d+/)
  t.true((await using({ url: server.url }, ({ check }) => check())).ok)
})

test('a full server refuses whole batches, and takes them once there is room', async (t) => {
  const own = await ownRedis(t)
  const memory = ownClient(t, own)
  await using({ url: own.url }, async ({ feed }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    await memory.config('SET', 'maxmemory', '1')
    await t.throwsAsync(feed.publish(root, batch({ entries: [{ v: '1' }] })), {
      code: 'redis-unreachable',
      message: /OOM/,
    })
    await memory.config('SET', 'maxmemory', '0')
    t.is(await feed.lastSeq(root), 0)
    t.deepEqual(await feed.publish(root, batch({ entries: [{ v: '1' }] })), { outcome: 'published', firstSeq: 1 })
  })
})

test('the key of another program is named, and nothing is changed', async (t) => {
  await using({ url: server.url }, async ({ feed, signals }) => {
    const uses: [RedisKeyName, (root: string) => Promise<unknown>][] = [
      ['signals', (root) => signals.send(root, [{ path: 'a', cause: 'test' }])],
      ['signals', (root) => signals.receive(root, 1)],
      ['records', (root) => feed.publish(root, batch({}))],
      ['segments', (root) => feed.publish(root, batch({}))],
      ['positions', (root) => feed.publish(root, batch({}))],
      ['seq', (root) => feed.publish(root, batch({}))],
      ['epoch', (root) => feed.publish(root, batch({}))],
      ['epoch', (root) => feed.epoch(root)],
      ['epoch', (root) => feed.begin(root, epoch)],
      ['positions', (root) => feed.positions(root, ['a'])],
      ['positions', (root) => feed.raiseFloor(root, { id: 'e1', from: 5, to: 6, drops: [] })],
      ['proven', (root) => feed.setProven(root, [{ source: 'a', mark: 'b' }])],
      ['proven', (root) => feed.proven(root, ['a'])],
      ['lease', (root) => feed.lease(root, 'a', 1000)],
      ['reconcilers', (root) => feed.reconcilers(root)],
      ['reconcilers', (root) => feed.reconcilers(root, { node: 'a', countsMs: 1000 })],
      ['seq', (root) => feed.lastSeq(root)],
      ['records', (root) => feed.read(root, '0', 1)],
      ['records', (root) => feed.trim(root, { maxAgeMs: 1, maxBytes: 1 })],
    ]
    for (const [name, use] of uses) {
      const root = newRoot()
      if (name !== 'epoch') await feed.begin(root, epoch)
      await admin.rpush(keyOf(root, name), 'theirs')
      await t.throwsAsync(use(root), { code: 'redis-wrong-type' }, name)
      t.deepEqual(await admin.lrange(keyOf(root, name), 0, -1), ['theirs'])
      const written = (['records', 'segments', 'positions', 'seq'] as const)
        .filter((other) => other !== name)
        .map((other) => keyOf(root, other))
      t.is(await admin.exists(...written), 0, name)
      if (name !== 'epoch') t.is((await feed.epoch(root))?.floorMs, 5)
    }
  })
})

test('how far each group is behind: by our own numbers, also after a trim, and for 50 groups at most', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    const records = keyOf(root, 'records')
    const entries = Array.from({ length: 10 }, (_, n) => ({ raw: `line ${n}` }))
    await feed.publish(root, batch({ next: '1', entries }))
    await admin.xgroup('CREATE', records, 'all', '0')
    await admin.xgroup('CREATE', records, 'none', '$')
    await admin.xgroup('CREATE', records, 'some', '0')
    await admin.xreadgroup('GROUP', 'some', 'c', 'COUNT', 3, 'STREAMS', records, '>')
    const lags = async (): Promise<[string, number][]> =>
      (await feed.lags(root)).map(({ group, records: behind }) => [group, behind])
    t.deepEqual(await lags(), [
      ['all', 10],
      ['none', 0],
      ['some', 7],
    ])
    await admin.xtrim(records, 'MAXLEN', 5)
    t.deepEqual(await lags(), [
      ['all', 5],
      ['none', 0],
      ['some', 5],
    ])
    for (let n = 0; n < 60; n++) await admin.xgroup('CREATE', records, `more-${n}`, '0')
    t.is((await lags()).length, 50)
  })
})

test('a hash that is no epoch, and a number that is none, are wrong types', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await admin.hset(keyOf(root, 'epoch'), 'theirs', '1')
    t.is(await feed.epoch(root), null)
    await t.throwsAsync(feed.begin(root, epoch), { code: 'redis-wrong-type' })
    await admin.del(keyOf(root, 'epoch'))
    await feed.begin(root, epoch)
    await admin.set(keyOf(root, 'seq'), 'many')
    await t.throwsAsync(feed.publish(root, batch({})), { code: 'redis-wrong-type' })
    await t.throwsAsync(feed.lastSeq(root), { code: 'redis-wrong-type' })
  })
})

test('a stream whose last id is used up leaves a batch unpublished, whole', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    for (const name of ['records', 'segments'] as const) {
      const root = newRoot()
      await feed.begin(root, epoch)
      await feed.publish(root, batch({ next: '1', entries: [{ v: '1' }] }))
      // One more id is left: the first entry fits, the second does not.
      await admin.xadd(keyOf(root, name), '18446744073709551615-18446744073709551614', 'forged', '1')
      const lengths = async (): Promise<number[]> => [
        await admin.xlen(keyOf(root, 'records')),
        await admin.xlen(keyOf(root, 'segments')),
      ]
      const before = await lengths()
      const two = {
        expected: '1',
        next: '2',
        entries: [{ v: '1' }, { v: '2' }],
        announcements: [{ key: 'a' }, { key: 'b' }],
      }
      await t.throwsAsync(feed.publish(root, batch(two)), { code: 'redis-wrong-type' })
      t.deepEqual(await lengths(), before)
      t.deepEqual(await feed.positions(root, ['a']), ['1'])
      t.is(await feed.lastSeq(root), 1)
    }
  })
})

test('an ACL that allows half of a batch leaves it unpublished, whole', async (t) => {
  for (const forbidden of ['-set', '-hset', '-xadd']) {
    const own = await ownRedis(t, { args: ['--user', ...`half on >secret ~* &* +@all ${forbidden}`.split(' ')] })
    const root = newRoot()
    await using({ url: own.url }, ({ feed }) => feed.begin(root, epoch))
    await using({ url: own.url, username: 'half', password: 'secret' }, async ({ feed }) => {
      await t.throwsAsync(feed.publish(root, batch({ entries: [{ v: '1' }] })), { code: 'redis-denied' })
      t.is((await feed.read(root, '0', 1)).length, 0)
      t.is(await feed.lastSeq(root), 0)
      t.deepEqual(await feed.positions(root, ['a']), [null])
    })
  }
})

test('a deleted group and a flushed server are made good, without losing what waits', async (t) => {
  const own = await ownRedis(t)
  const other = ownClient(t, own)
  await using({ url: own.url }, async ({ signals }) => {
    const sent = { path: 'a', cause: 'test' }
    for (const harm of [
      () => other.xgroup('DESTROY', keyOf('r', 'signals'), 'gleaner'),
      () => other.del(keyOf('r', 'signals')),
      () => other.flushall(),
    ]) {
      await signals.receive('r', 1)
      const waiting = signals.receive('r', 100).catch(() => [])
      await harm()
      await waiting
      await signals.send('r', [sent])
      t.deepEqual((await signals.receive('r', 100)).at(-1), sent)
    }
    // However many receivers there were, the group holds one name.
    t.is(((await other.xinfo('CONSUMERS', keyOf('r', 'signals'), 'gleaner')) as unknown[]).length, 1)
  })
})

test('whatever is forged into signals, receiving gives clean signals', async (t) => {
  await using({ url: server.url }, async ({ signals }) => {
    const root = newRoot()
    const key = keyOf(root, 'signals')
    const forged: (string | Buffer)[][] = [
      ['hello', 'world'],
      ['path', '../etc/passwd'],
      ['path', '/etc/passwd'],
      ['path', 'a/%2E%2e/b'],
      ['path', ''],
      ['path', 'a\0b'],
      ['path', 'x'.repeat(20_000)],
      ['path', 'a', 'node', 'x'.repeat(20_000)],
      ['path', 'a', 'size', '1.5'],
      ['path', 'a', 'size', '-1'],
      ['path', 'a', 'size', '99999999999999999999'],
      ['path', 'a', 'size', 'NaN'],
      ['path', 'many', ...Array.from({ length: 200 }, (_, i) => `f${i}`)],
    ]
    for (const fields of forged) await admin.xadd(key, '*', ...fields)
    t.deepEqual(await signals.receive(root, 100), [])
    await admin.xadd(key, '*', 'path', 'lsb.acct', 'extra', '1', '__proto__', 'x')
    await admin.xadd(key, '*', 'path', 'a b/ü.log', 'size', '7')
    await admin.xadd(key, '*', 'path', Buffer.from([0x61, 0xff, 0x25, 0x33]), 'cause', 'c'.repeat(90))
    await admin.xadd(key, '*', 'path', 'a%c3%bc')
    t.deepEqual(await signals.receive(root, 100), [
      { path: 'lsb.acct', cause: 'unknown' },
      { path: 'a%20b/%C3%BC.log', size: 7, cause: 'unknown' },
      { path: 'a%FF%253', cause: 'c'.repeat(64) },
      { path: 'a%C3%BC', cause: 'unknown' },
    ])
    t.is(signalOf([]), null)
    t.is(signalOf([Buffer.from('path')]), null)
  })
})

test('forged records are handed on as they are', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await admin.xadd(keyOf(root, 'records'), '*', '__proto__', 'x', 'big', Buffer.alloc(2_000_000, 0xff))
    const [entry] = await feed.read(root, '0', 10)
    t.deepEqual(Object.keys(entry?.fields ?? {}).sort(), ['__proto__', 'big'])
    t.is(entry?.fields['big']?.length, 2_000_000)
    await t.throwsAsync(feed.read(root, 'yesterday', 1), { code: 'usage' })
  })
})

test('the signals stream keeps a maximum length', async (t) => {
  await using({ url: server.url }, async ({ signals }) => {
    const root = newRoot()
    const some = Array.from({ length: 500 }, (_, i) => ({ path: `f${i}`, cause: 'test' }))
    for (let i = 0; i < (signalsLengthMax + 5000) / some.length; i++) await signals.send(root, some)
    const length = await admin.xlen(keyOf(root, 'signals'))
    t.true(length >= signalsLengthMax && length <= signalsLengthMax + 200, String(length))
    await admin.del(keyOf(root, 'signals'))
  })
})

test('10,000 entries in one step, and numbers beyond 1e14, are exact', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await feed.begin(root, { ...epoch, floorMs: 100_000_000_000_001 })
    await admin.set(keyOf(root, 'seq'), '100000000000000')
    const entries = Array.from({ length: 10_000 }, (_, i) => entry(i))
    const large = batch({ floorMs: 100_000_000_000_001, next: '100000000000001', entries })
    t.deepEqual(await feed.publish(root, large), { outcome: 'published', firstSeq: 100_000_000_000_001 })
    t.deepEqual(await feed.positions(root, ['a']), ['100000000000001'])
    t.is(await admin.get(keyOf(root, 'seq')), '100000000010000')
    t.is(await feed.lastSeq(root), 100_000_000_010_000)
    const [first] = await feed.read(root, '0', 1)
    t.is(first?.fields['seq']?.toString(), '100000000000001')
    t.is(await admin.xlen(keyOf(root, 'records')), 10_000)
    const tooMany = Array.from({ length: 80_000 }, (_, i) => ({
      v: '1',
      kind: 'record',
      source: 'a',
      start: String(i),
      end: '9',
      path: 'a',
    }))
    await t.throwsAsync(feed.publish(root, batch({ entries: tooMany })), { code: 'internal' })
  })
})

test('a malformed batch changes nothing', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    await t.throwsAsync(feed.publish(root, batch({ entries: [{ v: '1' }, {}] })), {
      code: 'internal',
      message: /malformed batch/,
    })
    t.is(await admin.exists(keyOf(root, 'records'), keyOf(root, 'seq'), keyOf(root, 'positions')), 0)
  })
})

test('scripts survive SCRIPT FLUSH', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    await admin.script('FLUSH')
    t.is((await feed.publish(root, batch({}))).outcome, 'published')
  })
})

test('trimming by age and past a group that has not read is counted', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    const key = keyOf(root, 'records')
    await feed.begin(root, epoch)
    await feed.publish(root, batch({ next: '1', entries: Array.from({ length: 1000 }, (_, i) => entry(i)) }))
    await admin.xgroup('CREATE', key, 'fast', '$')
    await admin.xgroup('CREATE', key, 'slow', '0')
    await admin.xreadgroup('GROUP', 'slow', 'me', 'COUNT', 300, 'STREAMS', key, '>')
    await delay(20)
    const nowMs = async (): Promise<number> => {
      const [seconds, micros] = await admin.time()
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
    }
    const cutMs = await nowMs()
    // The trimming may come so much later than its age was reckoned.
    await delay(3000)
    await feed.publish(
      root,
      batch({
        expected: '1',
        next: '2',
        entries: Array.from({ length: 50 }, (_, i) => entry(i)),
        announcements: [{ key: 'k' }],
      }),
    )
    const maxAgeMs = (await nowMs()) - cutMs
    t.deepEqual(await feed.trim(root, { maxAgeMs, maxBytes: 1e12 }), { removed: 1000, unread: 700 })
    t.is(await admin.xlen(key), 50)
    t.deepEqual(await feed.trim(root, { maxAgeMs: 3_600_000, maxBytes: 1e12 }), { removed: 0, unread: 0 })
    const all = await feed.trim(root, { maxAgeMs: 3_600_000, maxBytes: 0 })
    t.deepEqual(all, { removed: 51, unread: 50 })
  })
})

test('receivers of several roots do not wait for each other', async (t) => {
  await using({ url: server.url }, async ({ signals }) => {
    const roots = Array.from({ length: 10 }, newRoot)
    await Promise.all(roots.map((root) => signals.receive(root, 1)))
    const order: string[] = []
    const idle = roots.slice(1).map((root) => signals.receive(root, 1).then(() => order.push('idle')))
    const busy = signals.receive(roots[0] as string, 1).then(() => order.push('busy'))
    await signals.send(roots[0] as string, [{ path: 'a', cause: 'test' }])
    await Promise.all([busy, ...idle])
    t.is(order[0], 'busy')
  })
})

test('one node of a cluster', async (t) => {
  const own = await ownRedis(t, { args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] })
  const node = ownClient(t, own)
  await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await eventually(async () => {
    if (!String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) throw new Error('not yet')
  })
  await using({ url: own.url, cluster: true }, async ({ feed, signals, check }) => {
    t.true((await check()).ok)
    const roots = Array.from({ length: 5 }, newRoot)
    for (const root of roots) {
      await feed.begin(root, epoch)
      t.is(
        (await feed.publish(root, batch({ entries: [entry(1), entry(2)], announcements: [{ key: 'k' }] }))).outcome,
        'published',
      )
      t.is((await feed.read(root, '0', 10)).length, 2)
      await signals.send(root, [{ path: 'a', cause: 'test' }])
      t.is((await signals.receive(root, 10)).length, 1)
      t.true(await feed.lease(root, 'me', 1000))
      t.is((await feed.trim(root, { maxAgeMs: 1e9, maxBytes: 1e9 })).removed, 0)
    }
    await own.kill()
    await t.throwsAsync(feed.epoch('r'), { code: 'redis-unreachable' })
    await t.throwsAsync(signals.receive('r', 1), { code: 'redis-unreachable' })
    await own.restart({ keepData: true })
    t.is(await eventually(() => feed.epoch('r')), null)
    await eventually(() => signals.receive('r', 1))
  })
})

test('what publishing costs', async (t) => {
  await using({ url: server.url }, async ({ feed }) => {
    const root = newRoot()
    await feed.begin(root, epoch)
    const timesUs: number[] = []
    let position: string | null = null
    const publish = async (count: number): Promise<void> => {
      const next = String(Number(position ?? 0) + count)
      const outcome = await feed.publish(
        root,
        batch({ expected: position, next, entries: Array.from({ length: count }, (_, i) => entry(i)) }),
      )
      t.is(outcome.outcome, 'published')
      position = next
    }
    for (let i = 0; i < 500; i++) {
      const begun = performance.now()
      await publish(1)
      timesUs.push((performance.now() - begun) * 1000)
    }
    const begun = performance.now()
    for (let i = 0; i < 20; i++) await publish(1000)
    const perSecond = 20_000 / ((performance.now() - begun) / 1000)
    timesUs.sort((a, b) => a - b)
    t.log(
      `1 record: p50 ${Math.round(timesUs[250] ?? 0)} µs, p99 ${Math.round(timesUs[495] ?? 0)} µs; 1,000 records: ${Math.round(perSecond)} records/s`,
    )
    t.is(await feed.lastSeq(root), 20_500)
  })
})

/** Tries again, for up to 10 s, while Redis comes back. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (attempt === 200) throw error
      await delay(50)
    }
  }
}

/** An entry of a usual size. */
function entry(i: number): Parameters<Feed['publish']>[1]['entries'][number] {
  const raw = Buffer.from(
    `"JOB_FINISH" "10.1" 1700000000 ${i} 1000 33816578 1 1700000000 0 0 1700000000 "user" "normal" ${'x'.repeat(400)}`,
  )
  const names = {
    v: '1',
    kind: 'record',
    source: '0123456789abcdef0123456789abcdef-0',
    start: String(i * 500),
    end: String(i * 500 + 500),
  }
  return {
    ...names,
    revision: '0',
    path: 'lsb.acct',
    family: 'lsb.acct',
    format: 'lsf',
    type: 'JOB_FINISH',
    time: '2026-01-01T00:00:00Z',
    fields: '{}',
    raw,
  }
}
