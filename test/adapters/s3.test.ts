import test, { type ExecutionContext } from 'ava'
import { headerClock } from '../../src/adapters/s3-clock.ts'
import { openS3Store, type S3StoreOptions } from '../../src/adapters/s3.ts'
import { type ErrorCode, isGleanerError } from '../../src/errors.ts'
import type { Store } from '../../src/ports/store.ts'
import { type Fault, type S3Server, type S3ServerOptions, s3Server } from '../support/s3-server.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'testtest'

type Run = (store: Store, server: S3Server, endpoint: string) => Promise<unknown>

async function withStore(
  run: Run,
  serverOptions: S3ServerOptions = {},
  options: Partial<S3StoreOptions> = {},
): Promise<void> {
  const server = s3Server(serverOptions)
  const { endpoint, close } = await server.start()
  const store = openS3Store({
    bucket: 'archive',
    prefix: 'p',
    endpoint,
    forcePathStyle: true,
    timeoutMs: 2000,
    ...options,
  })
  try {
    await run(store, server, endpoint)
  } finally {
    await store.close()
    await close()
  }
}

const key = 'evidence/segments/lsf/s-0/0000000000000000.zst'
const body = Buffer.from('body')

async function throwsCode(t: ExecutionContext, code: ErrorCode, call: () => Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(call)
  t.true(isGleanerError(error, code), `${code} expected, not ${String(error)}`)
}

const unknowns: [Fault & string, boolean][] = [
  ['lost-response', true],
  ['error-after', true],
  ['lost-request', false],
  ['error-before', false],
  ['conflict', false],
]
for (const [fault, stored] of unknowns) {
  test(`create, ${fault}: unknown after one request, and ${stored ? '' : 'not '}stored`, async (t) => {
    await withStore(async (store, server) => {
      server.fault = () => fault
      const outcome = await store.create(key, body)
      t.is(outcome.outcome, 'unknown')
      t.true(outcome.outcome === 'unknown' && outcome.cause instanceof Error)
      t.is(server.counts.put, 1)
      t.is(server.objects.has(`archive/p/${key}`), stored)
      server.fault = () => undefined
      t.is((await store.create(key, body)).outcome, stored ? 'exists' : 'created')
    })
  })
}

test('create, no answer: unknown once the time is up', async (t) => {
  await withStore(
    async (store, server) => {
      server.fault = () => 'hang'
      t.is((await store.create(key, body)).outcome, 'unknown')
      t.is(server.counts.put, 1)
    },
    {},
    { timeoutMs: 200 },
  )
})

test('create, a slow answer within the time is waited for', async (t) => {
  await withStore(async (store, server) => {
    server.fault = () => ({ slowMs: 300 })
    t.is((await store.create(key, body)).outcome, 'created')
  })
})

test('create on a store that is not there: unknown, and reading it back is store-unreachable', async (t) => {
  await withStore(async (_, __, endpoint) => {
    const store = openS3Store({
      bucket: 'archive',
      prefix: '',
      endpoint: endpoint.replace(/\d+$/, '1'),
      forcePathStyle: true,
    })
    t.is((await store.create(key, body)).outcome, 'unknown')
    await throwsCode(t, 'store-unreachable', () => store.get(key))
    await throwsCode(t, 'store-unreachable', () => store.nowMs())
    await store.close()
  })
})

for (const [fault, code] of [
  ['denied', 'store-denied'],
  ['full', 'store-full'],
  ['not-implemented', 'store-unfit'],
] as const) {
  test(`create, ${fault}: throws ${code}, and nothing is stored`, async (t) => {
    await withStore(async (store, server) => {
      server.fault = () => fault
      await throwsCode(t, code, () => store.create(key, body))
      await throwsCode(t, code, () => store.get(key))
      await throwsCode(t, code, () => store.list(''))
      await throwsCode(t, code, () => store.put('derived/x', body))
      await throwsCode(t, code, () => store.remove('derived/x'))
      t.is(server.objects.size, 0)
      t.deepEqual(server.counts, { put: 2, get: 1, head: 0, delete: 1, list: 1 })
    })
  })
}

test('a bucket that is not there is store-missing for every call', async (t) => {
  await withStore(
    async (store) => {
      await throwsCode(t, 'store-missing', () => store.create(key, body))
      await throwsCode(t, 'store-missing', () => store.get(key))
      await throwsCode(t, 'store-missing', () => store.list(''))
    },
    { buckets: [] },
  )
})

test('reads are tried three times; a body that was cut counts as a failure', async (t) => {
  await withStore(async (store, server) => {
    await store.create(key, Buffer.alloc(100_000, 'x'))
    for (const fault of ['error-before', 'lost-response', 'cut-body'] as const) {
      const { get } = server.counts
      server.fault = () => (server.counts.get < get + 3 ? fault : undefined)
      t.is((await store.get(key))?.body.length, 100_000, fault)
      t.is(server.counts.get, get + 3)
    }
    server.fault = ({ operation }) => (operation === 'list' && server.counts.list < 3 ? 'lost-response' : undefined)
    t.is((await store.list('')).objects.length, 1)
    server.fault = () => 'error-before'
    const { get } = server.counts
    await throwsCode(t, 'store-unreachable', () => store.get(key))
    t.is(server.counts.get, get + 3)
  })
})

test('put and remove are sent once', async (t) => {
  await withStore(async (store, server) => {
    server.fault = () => 'error-before'
    await throwsCode(t, 'store-unreachable', () => store.put('derived/x', body))
    await throwsCode(t, 'store-unreachable', () => store.remove('derived/x'))
    t.deepEqual([server.counts.put, server.counts.delete], [1, 1])
  })
})

test('64 creates at once, half of whose answers are lost: each is created or unknown, and all are there', async (t) => {
  await withStore(async (store, server) => {
    server.fault = ({ number }) => (number % 2 === 0 ? 'lost-response' : undefined)
    const outcomes = await Promise.all(Array.from({ length: 64 }, (_, n) => store.create(`evidence/${n}`, body)))
    t.deepEqual([...new Set(outcomes.map(({ outcome }) => outcome))].toSorted(), ['created', 'unknown'])
    server.fault = () => undefined
    t.is((await store.list('')).objects.length, 64)
  })
})

test('with object lock: evidence has mode, retention by the store clock and a checksum; the derived has none', async (t) => {
  const aheadMs = 400 * 86_400_000
  await withStore(
    async (store, server) => {
      t.is((await store.create(key, body)).outcome, 'created')
      await store.create('derived/x', body)
      const { headers } = server.objects.get(`archive/p/${key}`) ?? {}
      t.is(headers?.['x-amz-object-lock-mode'], 'COMPLIANCE')
      const until = Date.parse(String(headers?.['x-amz-object-lock-retain-until-date']))
      t.true(Math.abs(until - (Date.now() + aheadMs + 30 * 86_400_000)) < 3_600_000)
      t.is(typeof headers?.['x-amz-checksum-crc32'], 'string')
      t.is(server.objects.get('archive/p/derived/x')?.headers['x-amz-object-lock-mode'], undefined)
    },
    { clockOffsetMs: aheadMs },
    { objectLock: { mode: 'COMPLIANCE', days: 30 } },
  )
})

test("the clock is the store's, also where the only answer is a refusal", async (t) => {
  const aheadMs = 5 * 86_400_000
  for (const fault of [undefined, 'denied'] as const) {
    await withStore(
      async (store, server) => {
        server.fault = () => fault
        const now = await store.nowMs()
        t.true(Math.abs(now - Date.now() - aheadMs) < 3_600_000)
        await store.nowMs()
        t.is(server.counts.head, 1)
      },
      { clockOffsetMs: aheadMs },
    )
  }
})

test('the header clock: runs by itself, goes forward, goes back only when the store really did', (t) => {
  let ms = 0
  const clock = headerClock(() => ms)
  const at = (second: number) => new Date(1_700_000_000_000 + second * 1000).toUTCString()
  const now = () => (clock.nowMs() ?? 0) - 1_700_000_000_000
  t.is(clock.nowMs(), null)
  clock.saw('not a date')
  clock.saw(undefined)
  t.is(clock.nowMs(), null)
  clock.saw(at(10))
  t.is(now(), 10_000)
  ms = 900
  t.is(now(), 10_900)
  clock.saw(at(10))
  t.is(now(), 10_900)
  ms = 950
  clock.saw(at(11))
  t.is(now(), 11_000)
  ms = 2950
  clock.saw(at(11))
  t.is(now(), 11_000)
  clock.saw(at(5))
  t.is(now(), 5000)
})

test('the url names bucket and prefix, without slashes at the end and without endpoint', async (t) => {
  await withStore(
    async (store) => t.is(store.url, 's3://archive/a/b'),
    {},
    { prefix: '/a/b/', endpoint: 'http://u:p@127.0.0.1:1' },
  )
  await withStore(async (store) => t.is(store.url, 's3://archive'), {}, { prefix: '' })
})

test('keys below other prefixes and markers of empty folders are not listed', async (t) => {
  await withStore(async (store, server) => {
    const stranger = { body, storedAtMs: 0, headers: {} }
    for (const name of ['archive/p/', 'archive/p/evidence/', 'archive/pp/a', 'archive/p/.x', 'archive/p/ä'])
      server.objects.set(name, stranger)
    await store.create('evidence/a', body)
    await store.create('evidence/b', body)
    t.deepEqual(
      (await store.list('', { limit: 2 })).objects.map((object) => object.key),
      ['evidence/a', 'evidence/b'],
    )
  })
})
