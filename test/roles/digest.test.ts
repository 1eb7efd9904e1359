import test from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { digestKey, digestNamespace, signatureKey } from '../../src/core/digest.ts'
import { sha256 } from '../../src/core/hash.ts'
import { revisionKey, segmentKey } from '../../src/core/segment.ts'
import { signerOf } from '../../src/core/ssh-signature.ts'
import type { Store } from '../../src/ports/store.ts'
import { lastDigestNumber } from '../../src/roles/digest-chain.ts'
import { digestProcess, digestsOf, hourMs } from '../support/digests.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'

function openArchive(): { store: Store; time: { nowMs: number } } {
  const time = { nowMs: Date.parse('2026-03-01T00:00:00Z') }
  return { store: openMemoryStore('memory://a', () => time.nowMs), time }
}

const keysOf = (items: { key: string }[]): string[] => items.map(({ key }) => key)

test('a digest is made every hour, also when there is nothing to say, chained and signed', async (t) => {
  const { store, time } = openArchive()
  const process = digestProcess(store, { time })
  t.is((await process.turn()).made.length, 1)
  t.deepEqual(await process.turn(), { made: [], againMs: hourMs })
  time.nowMs += hourMs
  t.is((await process.turn()).made.length, 1)
  const [first, second] = await digestsOf(store)
  const bytes = (await store.get(digestKey(1)))?.body as Buffer
  t.like(first, { v: 1, n: 1, previous: null, from: null, to: '2026-03-01T00:00:00Z', segments: [], heads: [] })
  t.like(second, { n: 2, previous: sha256(bytes), from: '2026-03-01T00:00:00Z', to: '2026-03-01T01:00:00Z' })
  const signature = (await store.get(signatureKey(1)))?.body.toString() as string
  t.like(signerOf(bytes, digestNamespace, signature), { line: process.key.publicKey.line })
  const newest = sha256((await store.get(digestKey(2)))?.body as Buffer)
  t.deepEqual(process.seen.at(-1), { n: 2, toMs: time.nowMs, sha256: newest })
  t.is(process.seen.length, 2)
})

test('it holds what this process created and proved, with the heads', async (t) => {
  const { store, time } = openArchive()
  const process = digestProcess(store, { time })
  await process.turn()
  const keys = await archiveSource(process.store, ['one\n', 'two\n'])
  const revision = revisionKey('r', 's-0', { start: 0, n: 1 })
  const { object, header } = segmentObject([Buffer.from('ONE\n')])
  await process.store.create(revision, object)
  const anomaly = 'evidence/journal/r/revised-0123456789abcdef.json'
  await process.store.create(anomaly, Buffer.from('{}\n'))
  await process.store.create('evidence/journal/r/pass-1.json', Buffer.from('{}\n'))
  process.news.proven({ source: 's-0', path: 'acct', end: 4 })
  process.news.proven({ source: 's-0', path: 'acct', end: 8 })
  time.nowMs += hourMs
  await process.turn()
  const second = (await digestsOf(store)).at(-1)
  t.deepEqual(keysOf(second?.segments ?? []), keys)
  t.like(second?.segments[1], { path: 'acct', family: 'acct', start: 4, end: 8, lines: 1, sha256: sha256('two\n') })
  t.deepEqual(second?.heads, [{ source: 's-0', path: 'acct', end: 8, chain: second?.segments[1]?.chain ?? '' }])
  t.deepEqual(second?.revisions, [{ key: revision, start: 0, end: 4, sha256: header.sha256 }])
  t.deepEqual(second?.anomalies, [{ key: anomaly, sha256: sha256('{}\n') }])
  t.deepEqual(second?.proven, [{ source: 's-0', path: 'acct', end: 8, at: '2026-03-01T01:00:00Z', node: 'test' }])
  time.nowMs += hourMs
  await process.turn()
  t.like((await digestsOf(store)).at(-1), { n: 3, segments: [], proven: [], revisions: [], anomalies: [] })
})

test('what a dead process created is in the list of the next day, and only that', async (t) => {
  const { store, time } = openArchive()
  const process = digestProcess(store, { time })
  await process.turn()
  time.nowMs += hourMs
  const [told] = await archiveSource(process.store, ['one\n'], { source: 's-0' })
  const [untold] = await archiveSource(store, ['one\n'], { source: 's-1' })
  for (let hour = 0; hour < 30; hour++, time.nowMs += hourMs) await process.turn()
  const holding = (await digestsOf(store)).filter(({ segments }) => segments.length > 0)
  t.deepEqual(
    holding.map(({ segments, to }) => [keysOf(segments), to]),
    [
      [[told as string], '2026-03-01T01:00:00Z'],
      [[untold as string], '2026-03-02T00:00:00Z'],
    ],
  )
})

test('a process that has missed something, and `digest create`, list at once', async (t) => {
  const { store, time } = openArchive()
  await digestProcess(store, { time }).turn()
  await archiveSource(store, ['one\n'])
  time.nowMs += hourMs
  const next = digestProcess(store, { time })
  next.news.missed = true
  t.is((await next.turn()).made[0]?.segments, 1)
  t.false(next.news.missed)
  await archiveSource(store, ['one\n'], { source: 's-1' })
  t.deepEqual(
    (await next.turn({ force: true })).made.map(({ n, segments }) => [n, segments]),
    [[3, 1]],
  )
})

test('what any process announced is held by whichever comes first', async (t) => {
  const { store } = openArchive()
  const time = { nowMs: Date.now() }
  const feed = openMemoryFeed({ clock: systemClock, now: () => time.nowMs })
  t.teardown(() => feed.close())
  const process = digestProcess(store, { time, feed })
  await process.turn()
  const [key] = await archiveSource(store, ['one\n'])
  await feed.begin('r', { id: 'e', archive: store.url, floorMs: 0, state: 'open' })
  const announcements = [
    { source: 's-0', key: key as string },
    { source: 's-0', key: 'evidence/../forged' },
  ]
  const batch = { epoch: 'e', floorMs: 0, source: 's-0', expected: null, next: '1', entries: [], announcements }
  await feed.publish('r', batch)
  time.nowMs += hourMs
  await process.turn()
  t.deepEqual(keysOf((await digestsOf(store)).at(-1)?.segments ?? []), [key])
})

test('of many processes that come at once each digest is made by one, and nothing is left out', async (t) => {
  const { store, time } = openArchive()
  const processes = Array.from({ length: 8 }, (_, index) => digestProcess(store, { time, node: `node-${index}` }))
  const created: string[] = []
  for (let hour = 0; hour < 4; hour++) {
    for (const [index, { store: own }] of processes.entries())
      created.push(...(await archiveSource(own, ['x\n'], { source: `s-${index}-${hour}` })))
    await Promise.all(processes.map((process) => process.turn()))
    time.nowMs += hourMs
  }
  await Promise.all(processes.map((process) => process.turn()))
  const digests = await digestsOf(store)
  t.deepEqual(
    digests.map(({ n }) => n),
    digests.map((_, index) => index + 1),
  )
  t.true(digests.length <= 5 * processes.length)
  const held = new Set(digests.flatMap(({ segments }) => keysOf(segments)))
  t.deepEqual(
    created.filter((key) => !held.has(key)),
    [],
  )
  for (const { n } of digests) t.truthy(await store.get(signatureKey(n)), `signature of ${n}`)
})

test('a large archive is split over several digests, and the next process goes on where one died', async (t) => {
  const { store, time } = openArchive()
  const { object } = segmentObject([Buffer.from('x\n')])
  const count = 20_500
  for (let index = 0; index < count; index++)
    await store.create(segmentKey('r', `s-${String(index).padStart(5, '0')}`, 0), object)
  const dying = digestProcess({ ...store, create: stopsAt(store, digestKey(2)) }, { time })
  await t.throwsAsync(dying.turn())
  t.like((await digestsOf(store)).at(-1), { n: 1, listed: { to: null, began: '2026-03-01T00:00:00Z' } })
  time.nowMs += hourMs
  await digestProcess(store, { time }).turn()
  const digests = await digestsOf(store)
  t.deepEqual(
    digests.map(({ segments }) => segments.length),
    [10_000, 10_000, 500],
  )
  t.is(new Set(digests.flatMap(({ segments }) => keysOf(segments))).size, count)
  t.deepEqual(digests.at(-1)?.listed, { to: '2026-03-01T00:00:00Z', began: null, after: null })
})

function stopsAt(store: Store, key: string): Store['create'] {
  return async (wanted, body) => {
    if (wanted === key) throw new Error('died')
    return store.create(wanted, body)
  }
}

test('a missing signature is added by the next process, once the digest was checked', async (t) => {
  const { store, time } = openArchive()
  const first = digestProcess(store, { time })
  const [key] = await archiveSource(first.store, ['one\n'])
  await first.turn()
  await store.remove(signatureKey(1))
  time.nowMs += hourMs
  const second = digestProcess(store, { time })
  await second.turn()
  const bytes = (await store.get(digestKey(1)))?.body as Buffer
  const signature = (await store.get(signatureKey(1)))?.body.toString() ?? ''
  t.like(signerOf(bytes, digestNamespace, signature), { line: second.key.publicKey.line })
  await store.remove(signatureKey(1))
  await store.remove(key as string)
  time.nowMs += hourMs
  await second.turn()
  t.is(await store.get(signatureKey(1)), null)
  t.regex(String(second.troubles[0]), /digests\/0000000000000001\.json: it has no signature and gets none/)
})

test('an object that is damaged or gone keeps nothing else out of a digest', async (t) => {
  const { store, time } = openArchive()
  const process = digestProcess(store, { time })
  const [good] = await archiveSource(process.store, ['one\n'])
  await process.store.create(segmentKey('r', 's-1', 0), Buffer.from('no segment'))
  process.news.created(segmentKey('r', 's-2', 0))
  await process.turn()
  t.deepEqual(keysOf((await digestsOf(store))[0]?.segments ?? []), [good])
  t.is(process.troubles.length, 1)
  t.is(process.news.oldestAgeMs(), null)
})

test('the last digest is found among many without a list of all', async (t) => {
  for (const count of [0, 1, 2, 3, 7, 8, 9, 1000]) {
    const { store } = openArchive()
    for (let n = 1; n <= count; n++) await store.create(digestKey(n), Buffer.from('{}'))
    if (count > 0) await store.create(signatureKey(count), Buffer.from(''))
    t.is(await lastDigestNumber(store), count)
  }
})
