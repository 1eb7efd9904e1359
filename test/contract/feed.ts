import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { Batch, Epoch, Feed } from '../../src/ports/feed.ts'

const epoch: Epoch = { id: 'e1', archive: 'file:///archive', floorMs: 1_700_000_000_000, state: 'open' }
const batch = batchOf(epoch)

/** What every adapter of `Feed` does. */
export function feedContract(name: string, open: () => Promise<Feed>): void {
  const each = (title: string, body: (feed: Feed, root: string, t: ExecutionContext) => Promise<void>): void => {
    test(`${name}: ${title}`, async (t) => {
      const feed = await open()
      try {
        await body(feed, `root-${randomUUID()}`, t)
      } finally {
        await feed.close()
      }
    })
  }

  each('an empty feed has no epoch, no positions and no entries', async (feed, root, t) => {
    t.is(await feed.epoch(root), null)
    t.deepEqual(await feed.positions(root, ['a', 'b']), [null, null])
    t.deepEqual(await feed.positions(root, []), [])
    t.deepEqual(await feed.proven(root, ['a']), [null])
    t.is(await feed.lastSeq(root), 0)
    t.deepEqual(await feed.trim(root, { maxAgeMs: 1, maxBytes: 1 }), { removed: 0, unread: 0 })
  })

  each('the first epoch stands', async (feed, root, t) => {
    const starting: Epoch = { ...epoch, state: 'starting' }
    t.deepEqual(await feed.begin(root, starting), starting)
    t.deepEqual(await feed.begin(root, { ...epoch, id: 'e2', archive: 's3://other' }), starting)
    await feed.open(root, 'e2')
    t.deepEqual(await feed.epoch(root), starting)
    await feed.open(root, 'e1')
    t.deepEqual(await feed.epoch(root), epoch)
  })

  each('positions are set beforehand only while starting, and only once', async (feed, root, t) => {
    await feed.begin(root, { ...epoch, state: 'starting' })
    await feed.positionIfAbsent(root, 'e0', { source: 'a', position: 'wrong epoch' })
    await feed.positionIfAbsent(root, 'e1', { source: 'a', position: '10' })
    await feed.positionIfAbsent(root, 'e1', { source: 'a', position: '20' })
    t.deepEqual(await feed.publish(root, batch({ expected: '10' })), { outcome: 'stale' })
    await feed.open(root, 'e1')
    await feed.positionIfAbsent(root, 'e1', { source: 'b', position: 'too late' })
    t.deepEqual(await feed.positions(root, ['a', 'b']), ['10', null])
  })

  each('a batch is published once, and says where it stands', async (feed, root, t) => {
    await feed.begin(root, epoch)
    const first = batch({ expected: null, next: '{"published":20}', entries: entries(2) })
    t.deepEqual(await feed.publish(root, first), { outcome: 'published', firstSeq: 1 })
    t.deepEqual(await feed.publish(root, first), { outcome: 'moved', position: '{"published":20}' })
    const second = batch({ expected: '{"published":20}', next: '30', entries: entries(1) })
    t.deepEqual(await feed.publish(root, second), { outcome: 'published', firstSeq: 3 })
    t.deepEqual(await feed.publish(root, batch({ source: 'b', expected: '5' })), { outcome: 'moved', position: null })
    t.deepEqual(await feed.positions(root, ['b', 'a']), [null, '30'])
    t.is(await feed.lastSeq(root), 3)
    t.is((await feed.read(root, '0', 10)).length, 3)
  })

  each('nothing is published under another epoch or floor', async (feed, root, t) => {
    t.deepEqual(await feed.publish(root, batch({})), { outcome: 'stale' })
    await feed.begin(root, epoch)
    t.deepEqual(await feed.publish(root, batch({ epoch: 'e2' })), { outcome: 'stale' })
    t.deepEqual(await feed.publish(root, batch({ floorMs: epoch.floorMs + 1 })), { outcome: 'stale' })
    t.is(await feed.lastSeq(root), 0)
    t.deepEqual(await feed.positions(root, ['a']), [null])
  })

  each('entries keep every byte, and get epoch and seq', async (feed, root, t) => {
    await feed.begin(root, epoch)
    const raw = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const start = '100000000000001'
    const entry = { v: '1', start, raw, path: 'a%20b', fields: '{"ü":"€"}', error: '' }
    await feed.publish(root, batch({ entries: [entry], announcements: [{ source: 'a', start, key: 'k' }] }))
    const [got] = await feed.read(root, '0', 1)
    const expected = { ...entry, epoch: 'e1', seq: '1' }
    t.deepEqual(
      got?.fields,
      Object.fromEntries(Object.entries(expected).map(([field, value]) => [field, Buffer.from(value)])),
    )
  })

  each('announcements alone move the position and take no number', async (feed, root, t) => {
    await feed.begin(root, epoch)
    const announcement = { source: 'a', start: '0', end: '10', key: 'k', sha256: 'x' }
    t.deepEqual(await feed.publish(root, batch({ next: '1', announcements: [announcement] })), {
      outcome: 'published',
      firstSeq: 1,
    })
    t.is(await feed.lastSeq(root), 0)
    t.deepEqual(await feed.publish(root, batch({ expected: '1', next: '2', entries: entries(1) })), {
      outcome: 'published',
      firstSeq: 1,
    })
  })

  each('announcements are given in order, from a place or a time on, up to a limit', async (feed, root, t) => {
    t.deepEqual(await feed.announced(root, '0', 10), [])
    await feed.begin(root, epoch)
    const announcements = ['a', 'b', 'c'].map((key) => ({ source: 's', key }))
    await feed.publish(root, batch({ next: '1', announcements }))
    const keys = (entries: { fields: Record<string, Buffer> }[]): string[] =>
      entries.map(({ fields }) => String(fields['key']))
    const first = await feed.announced(root, '1000', 2)
    t.deepEqual(keys(first), ['a', 'b'])
    t.deepEqual(keys(await feed.announced(root, first.at(-1)?.id ?? '', 10)), ['c'])
    t.deepEqual(await feed.announced(root, '99999999999999', 10), [])
  })

  each('read gives what follows, up to a limit, and waits for more', async (feed, root, t) => {
    await feed.begin(root, epoch)
    await feed.publish(root, batch({ next: '1', entries: entries(5) }))
    const first = await feed.read(root, '0', 3)
    t.deepEqual(seqs(first), ['1', '2', '3'])
    const rest = await feed.read(root, first.at(-1)?.id ?? '', 10)
    t.deepEqual(seqs(rest), ['4', '5'])
    const last = rest.at(-1)?.id ?? ''
    t.deepEqual(await feed.read(root, last, 10), [])
    const waiting = feed.read(root, last, 10)
    await feed.publish(root, batch({ expected: '1', next: '2', entries: entries(1) }))
    t.deepEqual(seqs(await waiting), ['6'])
    t.deepEqual(await feed.read(root, '$', 10), [])
  })

  each('raising the floor drops what says no more', async (feed, root, t) => {
    await feed.begin(root, epoch)
    for (const source of ['a', 'b', 'c']) await feed.publish(root, batch({ source, next: '10' }))
    const drops = [
      { source: 'a', position: '10' },
      { source: 'b', position: '9' },
      { source: 'none', position: '10' },
    ]
    const to = epoch.floorMs + 60_000
    t.false(await feed.raiseFloor(root, { id: 'e2', from: epoch.floorMs, to, drops }))
    t.false(await feed.raiseFloor(root, { id: 'e1', from: epoch.floorMs - 1, to, drops }))
    t.deepEqual(await feed.positions(root, ['a', 'b', 'c']), ['10', '10', '10'])
    t.true(await feed.raiseFloor(root, { id: 'e1', from: epoch.floorMs, to, drops }))
    t.deepEqual(await feed.positions(root, ['a', 'b', 'c']), [null, '10', '10'])
    t.is((await feed.epoch(root))?.floorMs, to)
    t.deepEqual(await feed.publish(root, batch({ source: 'c', expected: '10' })), { outcome: 'stale' })
  })

  each('the floor drops more positions than one step takes', async (feed, root, t) => {
    await feed.begin(root, { ...epoch, state: 'starting' })
    const drops = Array.from({ length: 2500 }, (_, i) => ({ source: `s${i}`, position: '1' }))
    await Promise.all(drops.map((drop) => feed.positionIfAbsent(root, 'e1', drop)))
    const names = drops.map(({ source }) => source)
    t.deepEqual(new Set(await feed.positions(root, names)), new Set(['1']))
    t.true(await feed.raiseFloor(root, { id: 'e1', from: epoch.floorMs, to: epoch.floorMs + 1, drops }))
    t.deepEqual(new Set(await feed.positions(root, names)), new Set([null]))
    t.true(await feed.raiseFloor(root, { id: 'e1', from: epoch.floorMs + 1, to: epoch.floorMs + 2, drops: [] }))
  })

  each('proven marks are kept', async (feed, root, t) => {
    await feed.setProven(root, [])
    const marks = Array.from({ length: 1500 }, (_, i) => ({ source: `s${i}`, mark: `m${i}` }))
    await feed.setProven(root, marks)
    await feed.setProven(root, [{ source: 's1', mark: 'again' }])
    t.deepEqual(await feed.proven(root, ['s1', 'none', 's1499']), ['again', null, 'm1499'])
  })

  each('nodes that passed lately are counted, each once', async (feed, root, t) => {
    t.is(await feed.reconcilers(root), 0)
    t.is(await feed.reconcilers(root, { node: 'a', countsMs: 60_000 }), 1)
    t.is(await feed.reconcilers(root, { node: 'a', countsMs: 60_000 }), 1)
    t.is(await feed.reconcilers(root, { node: 'b "quoted"\n', countsMs: 1 }), 2)
    let count = 2
    for (let attempt = 0; count > 1 && attempt < 10_000; attempt++) count = await feed.reconcilers(root)
    t.is(count, 1)
    t.is(await feed.reconcilers(`${root}-other`), 0)
    t.deepEqual(await feed.lags(root), [])
  })

  each('one holds the lease until it is released or runs out', async (feed, root, t) => {
    t.true(await feed.lease(root, 'a', 60_000))
    t.false(await feed.lease(root, 'b', 60_000))
    t.true(await feed.lease(root, 'a', 60_000))
    await feed.release(root, 'b')
    t.false(await feed.lease(root, 'b', 60_000))
    await feed.release(root, 'a')
    t.true(await feed.lease(root, 'b', 1))
    let taken = false
    for (let attempt = 0; !taken && attempt < 10_000; attempt++) taken = await feed.lease(root, 'c', 60_000)
    t.true(taken)
  })

  each('trimming keeps the newest that fit', async (feed, root, t) => {
    await feed.begin(root, epoch)
    const raw = Buffer.alloc(10_000, 'x')
    const large = Array.from({ length: 200 }, () => ({ v: '1', raw }))
    await feed.publish(root, batch({ next: '1', entries: large }))
    t.deepEqual(await feed.trim(root, { maxAgeMs: 3_600_000, maxBytes: 1e9 }), { removed: 0, unread: 0 })
    const { removed, unread } = await feed.trim(root, { maxAgeMs: 3_600_000, maxBytes: 1_000_000 })
    t.is(unread, 0)
    t.true(removed >= 80 && removed <= 130, `removed ${removed}`)
    const left = await feed.read(root, '0', 1000)
    t.deepEqual(
      seqs(left),
      Array.from({ length: 200 - removed }, (_, i) => String(removed + i + 1)),
    )
  })

  each('racing publishers publish each batch once, without a gap', async (feed, root, t) => {
    const other = name === 'memory' ? feed : await open()
    await feed.begin(root, epoch)
    const [publishers, batches, size] = [8, 20, 3]
    const publisher = async (from: Feed): Promise<number> => {
      let won = 0
      let position: string | null = null
      while (Number(position ?? 0) < batches) {
        const n: number = Number(position ?? 0)
        const own = entries(size).map((entry, i) => ({ ...entry, start: String(n * size + i) }))
        const outcome = await from.publish(root, batch({ expected: position, next: String(n + 1), entries: own }))
        if (outcome.outcome === 'published') won += 1
        position = outcome.outcome === 'moved' ? outcome.position : String(n + 1)
      }
      return won
    }
    const wins = await Promise.all(Array.from({ length: publishers }, (_, i) => publisher(i % 2 === 0 ? feed : other)))
    if (other !== feed) await other.close()
    t.is(
      wins.reduce((sum, won) => sum + won, 0),
      batches,
    )
    const all = await feed.read(root, '0', 1000)
    const wanted = Array.from({ length: batches * size }, (_, i) => i)
    t.deepEqual(
      seqs(all),
      wanted.map((i) => String(i + 1)),
    )
    t.deepEqual(
      all.map(({ fields }) => Number(fields['start']?.toString())),
      wanted,
    )
  })

  each('roots are apart', async (feed, root, t) => {
    await feed.begin(`${root}-a`, epoch)
    await feed.publish(`${root}-a`, batch({ entries: entries(1) }))
    t.is(await feed.epoch(`${root}-b`), null)
    t.is(await feed.lastSeq(`${root}-b`), 0)
    t.true(await feed.lease(`${root}-a`, 'x', 60_000))
    t.true(await feed.lease(`${root}-b`, 'y', 60_000))
  })

  each('closing ends a wait, and later calls are refused', async (feed, root, t) => {
    const waiting = feed.read(root, '0', 1).catch((error: unknown) => error)
    await feed.close()
    await waiting
    await t.throwsAsync(feed.epoch(root), { code: 'redis-unreachable' })
    await t.throwsAsync(feed.read(root, '0', 1), { code: 'redis-unreachable' })
  })
}

/** A batch of one source that expects no position. */
export function batchOf({ id, floorMs }: Epoch): (change: Partial<Batch>) => Batch {
  const plain = { source: 'a', expected: null, next: 'next', entries: [], announcements: [] }
  return (change) => ({ epoch: id, floorMs, ...plain, ...change })
}

function entries(count: number): Record<string, string>[] {
  return Array.from({ length: count }, (_, i) => ({ v: '1', kind: 'record', start: String(i) }))
}

function seqs(list: { fields: Record<string, Buffer> }[]): (string | undefined)[] {
  return list.map(({ fields }) => fields['seq']?.toString())
}
