import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { openS3Store } from '../../src/adapters/s3.ts'
import { isGleanerError } from '../../src/errors.ts'
import type { Store } from '../../src/ports/store.ts'
import { type ProbeReport, probeStore } from '../../src/roles/probe.ts'
import { type S3Server, s3Server } from '../support/s3-server.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'testtest'

const random = () => 'r4nd0m'

async function probeServer(fault: S3Server['fault']): Promise<{ report: ProbeReport; server: S3Server }> {
  const server = s3Server({ fault })
  const { endpoint, close } = await server.start()
  const store = openS3Store({ bucket: 'archive', prefix: 'p', endpoint, forcePathStyle: true })
  try {
    return { report: await probeStore(store, { random }), server }
  } finally {
    await store.close()
    await close()
  }
}

const failed = (report: ProbeReport) => report.checks.filter(({ ok }) => !ok).map(({ name }) => name)

test('a memory store, a directory and a good S3 server pass, and nothing stays behind', async (t) => {
  const memory = openMemoryStore('memory:')
  t.deepEqual(failed(await probeStore(memory, { random })), [])
  t.deepEqual((await memory.list('')).objects, [])

  const path = await mkdtemp(join(tmpdir(), 'gleaner-probe-'))
  const directory = openDirectoryStore({ path, url: `file://${path}` })
  t.deepEqual(await probeStore(directory, { random }), {
    ok: true,
    checks: [
      { name: 'create-only', ok: true, saw: 'created, then exists' },
      { name: 'one winner', ok: true, saw: 'of 16 at once: 1 created, 15 exist, 0 unknown' },
      { name: 'read-after-write', ok: true, saw: '4 objects, each there at once' },
      { name: 'list order', ok: true, saw: 'a-b a.b a/b a0 b' },
    ],
  })
  await directory.close()
  t.deepEqual(
    (await readdir(path)).filter((name) => !name.startsWith('.')),
    [],
  )
  await rm(path, { recursive: true })

  const { report, server } = await probeServer(() => undefined)
  t.true(report.ok)
  t.is(server.objects.size, 0)
})

test('a store that answers 200 twice fails create-only and the race', async (t) => {
  const { report } = await probeServer(() => 'overwrites')
  t.false(report.ok)
  t.deepEqual(failed(report), ['create-only', 'one winner'])
  t.is(report.checks[0]?.saw, 'created, then created; the first body is gone')
  t.is(report.checks[1]?.saw, 'of 16 at once: 16 created, 0 exist, 0 unknown')
})

test('a store that lets two win only in a race fails', async (t) => {
  const { report } = await probeServer(({ key, number }) =>
    key.includes('one-winner') && number % 8 === 0 ? 'overwrites' : undefined,
  )
  t.deepEqual(failed(report), ['one winner'])
})

test('a store without conditional creates (501) fails, with what it said', async (t) => {
  const { report } = await probeServer(({ operation }) => (operation === 'put' ? 'not-implemented' : undefined))
  t.false(report.ok)
  t.regex(report.checks[0]?.saw ?? '', /HTTP 501, NotImplemented/)
})

test('lost answers, conflicts and errors after storing do not fail a good store', async (t) => {
  for (const fault of ['lost-response', 'conflict', 'error-after', 'lost-request'] as const) {
    const puts = new Map<string, number>()
    const { report } = await probeServer(({ operation, key }) => {
      if (operation !== 'put') return
      const before = puts.get(key) ?? 0
      puts.set(key, before + 1)
      return before % 2 === 0 ? fault : undefined
    })
    t.deepEqual(failed(report), [], fault)
  }
})

test('a store that answers the losers of a race with 409 passes', async (t) => {
  const seen = new Set<string>()
  const { report } = await probeServer(({ operation, key }) => {
    if (operation !== 'put' || !seen.has(key)) return void seen.add(key)
    return 'conflict'
  })
  t.deepEqual(failed(report), [])
})

test('a list that is late, out of order, or forgets start-after fails', async (t) => {
  const twisted = async (list: Store['list']) => {
    const good = openMemoryStore('memory:')
    return await probeStore({ ...good, list }, { random })
  }
  t.true(failed(await twisted(async () => ({ objects: [], more: false }))).includes('read-after-write'))
  const good = openMemoryStore('memory:')
  const reversed = {
    ...good,
    list: async (prefix: string, options = {}) => {
      const { objects, more } = await good.list(prefix, options)
      return { objects: objects.toReversed(), more }
    },
  }
  t.deepEqual(failed(await probeStore(reversed, { random })), ['list order'])
  const again = openMemoryStore('memory:')
  const forgetful = { ...again, list: (prefix: string) => again.list(prefix) }
  t.deepEqual(failed(await probeStore(forgetful, { random })), ['list order'])
})

test('a store that cannot be judged is thrown, to be tried again', async (t) => {
  for (const [fault, code] of [
    ['error-before', 'store-unreachable'],
    ['denied', 'store-denied'],
    ['full', 'store-full'],
  ] as const) {
    const error = await t.throwsAsync(probeServer(({ operation }) => (operation === 'put' ? fault : undefined)))
    t.true(isGleanerError(error, code), fault)
    t.true(isGleanerError(error) && error.retry)
  }
})

test('what may not be removed is left, and the report stands', async (t) => {
  const { report, server } = await probeServer(({ operation }) => (operation === 'delete' ? 'denied' : undefined))
  t.true(report.ok)
  t.true(server.objects.size > 0)
})
