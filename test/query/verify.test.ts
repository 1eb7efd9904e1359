import test from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { boundaryKey } from '../../src/core/boundary.ts'
import { encodePosition } from '../../src/core/position.ts'
import { revisionKey, segmentKey } from '../../src/core/segment.ts'
import type { SegmentHeader } from '../../src/core/segment.ts'
import type { Store } from '../../src/ports/store.ts'
import { rootsOf, verifyArchive } from '../../src/query/verify.ts'
import { archiveSource, boundaryFor, segmentObject } from '../support/segments.ts'

const texts = ['one\ntwo\n', 'three\n', 'four\nfive']
const options = { root: null, feed: null }
const noDigests = { checked: 0, signed: 0, unsigned: 0, trustedKeys: 0, last: null }
const clean = { damaged: [], missing: [], expired: 0, digests: noDigests }

async function archived(): Promise<{ store: Store; keys: string[] }> {
  const store = openMemoryStore('memory://a')
  return { store, keys: await archiveSource(store, texts) }
}

/** Puts another object where one stands: what no collector does. */
async function replace(store: Store, key: string, body: Buffer): Promise<void> {
  await store.remove(key)
  await store.create(key, body)
}

test('an empty archive is as it should be', async (t) => {
  t.deepEqual(await verifyArchive(openMemoryStore('memory://a'), options), {
    sources: 0,
    segments: 0,
    bytes: 0,
    ...clean,
  })
})

test('a whole archive is as it should be, root by root', async (t) => {
  const { store } = await archived()
  await archiveSource(store, ['x\n'.repeat(5000), 'y\n'], { source: 's-1' })
  await archiveSource(store, ['z\n'], { root: 'r-2' })
  await archiveSource(store, ['z\n'], { root: 'r.1', source: 's-10' })
  t.deepEqual((await rootsOf(store)).sort(), ['r', 'r-2', 'r.1'])
  t.deepEqual(await verifyArchive(store, options), { sources: 4, segments: 7, bytes: 23 + 10_002 + 4, ...clean })
  t.like(await verifyArchive(store, { ...options, root: 'r' }), { sources: 2, segments: 5 })
})

test('a segment that is gone is missing, from where to where', async (t) => {
  const { store, keys } = await archived()
  await store.remove(keys[1] as string)
  const report = await verifyArchive(store, options)
  t.deepEqual(report.missing, [{ root: 'r', source: 's-0', at: 8, upTo: 14 }])
  t.deepEqual(report.damaged, [])
})

test('a first segment that is gone is missing from 0', async (t) => {
  const { store, keys } = await archived()
  await store.remove(keys[0] as string)
  t.deepEqual((await verifyArchive(store, options)).missing, [{ root: 'r', source: 's-0', at: 0, upTo: 8 }])
})

test('a last segment that is gone cannot be seen without Redis', async (t) => {
  const { store, keys } = await archived()
  await store.remove(keys[2] as string)
  t.like(await verifyArchive(store, options), clean)
})

test('a last segment that is gone is missing where Redis was told of it', async (t) => {
  const { store, keys } = await archived()
  const feed = openMemoryFeed({ clock: systemClock })
  t.teardown(() => feed.close())
  const position = encodePosition({ published: 23, announced: 23, ahead: null })
  await feed.begin('r', { id: 'e', archive: store.url, floorMs: 0, state: 'starting' })
  await feed.positionIfAbsent('r', 'e', { source: 's-0', position })
  t.like(await verifyArchive(store, { root: null, feed }), clean)
  await store.remove(keys[2] as string)
  t.deepEqual((await verifyArchive(store, { root: null, feed })).missing, [
    { root: 'r', source: 's-0', at: 14, upTo: 23 },
  ])
})

test('a Redis that publishes another archive is not asked', async (t) => {
  const { store } = await archived()
  const feed = openMemoryFeed({ clock: systemClock })
  t.teardown(() => feed.close())
  await feed.begin('r', { id: 'e', archive: 'memory://other', floorMs: 0, state: 'starting' })
  const position = encodePosition({ published: 99, announced: 99, ahead: null })
  await feed.positionIfAbsent('r', 'e', { source: 's-0', position })
  t.deepEqual((await verifyArchive(store, { root: null, feed })).missing, [])
})

test('any one byte of an object that changes is found, and says where', async (t) => {
  const { store, keys } = await archived()
  const key = keys[1] as string
  const whole = (await store.get(key))?.body as Buffer
  // Fields that nothing is computed from: they are bound by digests, not by the chain.
  const header = whole.toString('latin1', 8, 8 + whole.readUInt32LE(4))
  const unbound = ['family', 'path', 'firstTime', 'lastTime', 'format', 'node', 'writeId', 'writtenAt'].map((name) => {
    const from = header.indexOf(`"${name}"`)
    const next = header.slice(from + 1).search(/,"[a-zA-Z]+":|\}\n$/)
    return [8 + from, 8 + from + 1 + next] as const
  })
  const missed: number[] = []
  for (let at = 0; at < whole.length; at++) {
    if (unbound.some(([from, to]) => at >= from && at <= to)) continue
    const body = Buffer.from(whole)
    body[at] = (body[at] as number) ^ 0x01
    await replace(store, key, body)
    try {
      const { damaged } = await verifyArchive(store, options)
      if (!damaged.some((one) => one.key === key)) missed.push(at)
    } catch (error) {
      if ((error as { code?: string }).code !== 'archive-newer') throw error
    }
  }
  t.deepEqual(
    missed.map((at) => [at, whole.toString('latin1', at - 10, at + 10)]),
    [],
  )
})

const lies: [string, Partial<SegmentHeader>, string][] = [
  ['root', { root: 'x' }, 'root'],
  ['source', { source: 's-1' }, 'source'],
  ['start', { start: 7 }, 'start'],
  ['lines', { lines: 3 }, 'lines'],
  ['sha256', { sha256: '0'.repeat(64) }, 'sha256'],
  ['previous chain', { previousChain: '0'.repeat(64) }, 'previous chain'],
  ['chain', { chain: '0'.repeat(64) }, 'chain'],
  ['witness', { witness: { length: 14, sha256: '0'.repeat(64) } }, 'witness'],
  ['witness length', { witness: { length: 13, sha256: '0'.repeat(64) } }, 'witness length'],
  ['beginning', { beginning: { length: 14, sha256: '0'.repeat(64) } }, 'beginning'],
  ['beginning length', { beginning: { length: 4, sha256: '0'.repeat(64) } }, 'beginning length'],
  ['tail', { tail: 'incomplete' }, 'tail'],
  ['end', { end: 15 }, 'frames'],
]
for (const [title, header, problem] of lies) {
  test(`a header that lies about its ${title} is damage`, async (t) => {
    const { store, keys } = await archived()
    const before = Buffer.from(texts[0] as string)
    const first = segmentObject([before]).header
    const { object } = segmentObject([Buffer.from(texts[1] as string)], { before, previousChain: first.chain, header })
    await replace(store, keys[1] as string, object)
    const { damaged } = await verifyArchive(store, options)
    const found = damaged.find((one) => one.problem === problem)
    t.is(found?.key, keys[1], JSON.stringify(damaged))
    t.not(found?.expected, found?.found)
  })
}

test('a chain that was computed anew from other bytes does not join what follows', async (t) => {
  const { store, keys } = await archived()
  const before = Buffer.from(texts[0] as string)
  const first = segmentObject([before]).header
  const { object } = segmentObject([Buffer.from('THREE\n')], { before, previousChain: first.chain })
  await replace(store, keys[1] as string, object)
  const { damaged } = await verifyArchive(store, options)
  t.true(damaged.some(({ key, problem }) => key === keys[2] && problem === 'previous chain'))
})

test('a segment that overlaps the one before it is damage', async (t) => {
  const { store } = await archived()
  const { object } = segmentObject([Buffer.from('x\n')], { start: 10 })
  await store.create(segmentKey('r', 's-0', 10), object)
  const { damaged } = await verifyArchive(store, options)
  t.true(
    damaged.some(
      ({ problem, expected, found }) => problem === 'overlaps the segment before' && expected === 14 && found === 10,
    ),
  )
})

test('what is no segment, or stands under no segment key, is damage, and the rest is verified all the same', async (t) => {
  const { store, keys } = await archived()
  await replace(store, keys[0] as string, Buffer.from('not a segment at all'))
  await store.create('evidence/segments/r/s-0/stray', Buffer.from('x'))
  const report = await verifyArchive(store, options)
  t.is(report.segments, 3)
  t.deepEqual(
    new Map(report.damaged.map(({ key, problem }) => [key, problem])),
    new Map([
      [keys[0] as string, 'header'],
      ['evidence/segments/r/s-0/stray', 'key'],
    ]),
  )
})

test('a revision is checked like a segment, and bound to the one it stands beside', async (t) => {
  const { store, keys } = await archived()
  const before = Buffer.from(texts[0] as string)
  const mark = segmentObject([Buffer.from(texts[1] as string)], {
    before,
    previousChain: segmentObject([before]).header.chain,
  }).header
  const facts = { before, header: { chain: mark.chain, previousChain: mark.chain } }
  const good = segmentObject([Buffer.from('THREE\n')], facts)
  const key = revisionKey('r', 's-0', { start: 8, n: 1 })
  await store.create(key, good.object)
  t.like(await verifyArchive(store, options), { ...clean, segments: 3 })
  await replace(store, key, segmentObject([Buffer.from('THREE\n')], { before }).object)
  t.deepEqual(
    (await verifyArchive(store, options)).damaged.map(({ key, problem }) => [key, problem]),
    [[key, 'chain']],
  )
  await replace(store, key, good.object.subarray(0, -1))
  t.true((await verifyArchive(store, options)).damaged.some((one) => one.key === key))
  t.is(keys.length, 3)
})

test('where the file did not hold what is archived, a later witness may be of the file', async (t) => {
  const store = openMemoryStore('memory://a')
  const [first] = await archiveSource(store, ['aaaa\n'])
  const chain = segmentObject([Buffer.from('aaaa\n')]).header.chain
  const truth = Buffer.from('AAAA\n')
  const { object } = segmentObject([Buffer.from('b\n')], { before: truth, previousChain: chain })
  await store.create(segmentKey('r', 's-0', 5), object)
  t.true((await verifyArchive(store, options)).damaged.length > 0)
  const revision = segmentObject([truth], { header: { chain, previousChain: chain } })
  await store.create(revisionKey('r', 's-0', { start: 0, n: 1 }), revision.object)
  t.like(await verifyArchive(store, options), clean)
  t.truthy(first)
})

/** As `expire` leaves it: the first `count` segments are gone but for their boundary. Gives its key. */
async function expired(store: Store, keys: string[], count: number): Promise<string> {
  const boundary = await boundaryFor(store, keys.slice(0, count))
  const key = boundaryKey('r', 's-0', boundary.end)
  await store.create(key, Buffer.from(JSON.stringify(boundary)))
  return key
}

test('what was expired is not missing, and what follows goes on from there', async (t) => {
  const { store, keys } = await archived()
  await expired(store, keys, 1)
  await expired(store, keys, 2)
  // Interrupted: what is left before the boundary's end is no damage.
  t.like(await verifyArchive(store, options), { ...clean, expired: 14, segments: 3 })
  await store.remove(keys[0] as string)
  t.like(await verifyArchive(store, options), { ...clean, expired: 14, segments: 2 })
  await store.remove(keys[1] as string)
  t.like(await verifyArchive(store, options), { ...clean, expired: 14, segments: 1 })
})

test('an archive of which everything was expired is as it should be', async (t) => {
  const { store, keys } = await archived()
  await expired(store, keys, 3)
  for (const key of keys) await store.remove(key)
  t.deepEqual(await rootsOf(store), ['r'])
  t.like(await verifyArchive(store, options), { ...clean, expired: 23, segments: 0 })
})

test('a segment behind a boundary is bound by it', async (t) => {
  const { store, keys } = await archived()
  await expired(store, keys, 2)
  await store.remove(keys[2] as string)
  const { object } = segmentObject([Buffer.from('four\nfive')], { before: Buffer.from('one\ntwo\nother\n') })
  await store.create(keys[2] as string, object)
  const { damaged } = await verifyArchive(store, options)
  t.true(damaged.some(({ key, problem }) => key === keys[2] && problem === 'previous chain'))
  await store.remove(keys[2] as string)
  await store.create(segmentKey('r', 's-0', 20), segmentObject([Buffer.from('x\n')], { start: 20 }).object)
  t.deepEqual((await verifyArchive(store, options)).missing, [{ root: 'r', source: 's-0', at: 14, upTo: 20 }])
})

const boundaryLies: [string, Record<string, unknown>][] = [
  ['chain', { chain: '0'.repeat(64) }],
  ['end', { end: 13 }],
  ['source', { source: 's-1' }],
  ['segments', { segments: [] }],
  ['beginning', { beginning: { length: 3, sha256: '0'.repeat(64), bytes: 'AAAA' } }],
  ['boundary', { segments: null }],
]
for (const [problem, lie] of boundaryLies) {
  test(`a boundary that lies about its ${problem} is damage`, async (t) => {
    const { store, keys } = await archived()
    const boundary = await boundaryFor(store, keys.slice(0, 2))
    const key = boundaryKey('r', 's-0', 14)
    await store.create(key, Buffer.from(JSON.stringify({ ...boundary, ...lie })))
    const { damaged } = await verifyArchive(store, options)
    t.true(
      damaged.some((one) => one.key === key && one.problem === problem),
      JSON.stringify(damaged),
    )
  })
}

test('a segment that an interrupted expiry has left is what its boundary says', async (t) => {
  const { store, keys } = await archived()
  await expired(store, keys, 2)
  const { object } = segmentObject([Buffer.from('ONE\nTWO\n')])
  await replace(store, keys[0] as string, object)
  t.deepEqual(
    (await verifyArchive(store, options)).damaged.map(({ key, problem }) => [key, problem]),
    [[keys[0], 'sha256 in its boundary']],
  )
})

test('an archive of many segments is walked page by page, and every gap is found', async (t) => {
  const store = openMemoryStore('memory://a')
  const keys = await archiveSource(
    store,
    Array.from({ length: 2500 }, (_, index) => `${index}\n`),
  )
  let seen = 0
  const report = await verifyArchive(store, { ...options, progress: ({ segments }) => (seen = segments) })
  t.like(report, { ...clean, segments: 2500, sources: 1 })
  t.is(seen, 2500)
  for (const index of [999, 1000, 2000]) await store.remove(keys[index] as string)
  t.is((await verifyArchive(store, options)).missing.length, 2)
})
