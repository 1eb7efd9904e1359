import { appendFile, rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { boundaryPrefix, readBoundary } from '../../src/core/boundary.ts'
import { sha256 } from '../../src/core/hash.ts'
import { encodePosition } from '../../src/core/position.ts'
import { revisionKey, segmentKey } from '../../src/core/segment.ts'
import { GleanerError } from '../../src/errors.ts'
import type { Feed } from '../../src/ports/feed.ts'
import type { Store } from '../../src/ports/store.ts'
import { boundaryOf } from '../../src/roles/boundaries.ts'
import { listAll, openLedger } from '../../src/roles/ledger.ts'
import { openParseContexts } from '../../src/roles/parse-context.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { verifyArchive } from '../../src/query/verify.ts'
import { verifyFiles } from '../../src/query/verify-files.ts'
import { expireBefore, putCatalog } from '../support/expiry.ts'
import { openRoot, settingsOf } from '../support/root-context.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'

const id = `${'a'.repeat(32)}-0`
const texts = ['one\n', 'two two\n', 'three\n', 'four\n']
const times = [1, 2, 3, 4].map((day) => `2026-01-0${day}T12:00:00Z`)
const day = (number: number): string => `2026-01-0${number}T00:00:00Z`

async function archived(): Promise<Store> {
  const store = openMemoryStore('memory://a')
  await archiveSource(store, texts, { source: id, times })
  await putCatalog(store)
  return store
}

const keysOf = async (store: Store, prefix = 'evidence/'): Promise<string[]> =>
  (await listAll(store, prefix)).map(({ key }) => key)

async function contentOf(store: Store): Promise<Record<string, string>> {
  const keys = await keysOf(store)
  const bodies = await Promise.all(keys.map(async (key) => sha256((await store.get(key))?.body ?? '')))
  return Object.fromEntries(keys.map((key, index) => [key.replace(/0{2,}/, ''), bodies[index] ?? '']))
}

test('the beginning that is older than the date goes, and what is kept of it is all of it', async (t) => {
  const store = await archived()
  const [one] = await expireBefore(store, day(3))
  t.deepEqual(one, {
    source: id,
    family: 'acct',
    path: 'acct',
    start: 0,
    end: 12,
    segments: 2,
    from: times[0] ?? '',
    to: times[1] ?? '',
    leftOver: 0,
    kept: null,
  })
  t.deepEqual(await keysOf(store, 'evidence/segments/'), [segmentKey('r', id, 12), segmentKey('r', id, 18)])
  const boundary = await boundaryOf(store, 'r', id)
  t.deepEqual(
    boundary?.segments.map(({ start, end, sha256: hash }) => [start, end, hash]),
    [
      [0, 4, sha256('one\n')],
      [4, 12, sha256('two two\n')],
    ],
  )
  t.is(Buffer.from(boundary?.beginning.bytes ?? '', 'base64').toString(), 'one\ntwo two\n')
  t.is(boundary?.lines, 2)
  const report = await verifyArchive(store, { root: null, feed: null })
  t.deepEqual([report.damaged, report.missing, report.expired], [[], [], 12])
})

test('the next expiry takes over the boundary before, which goes; a dry run changes nothing; a second run has nothing to do', async (t) => {
  const store = await archived()
  await expireBefore(store, day(2))
  const before = await contentOf(store)
  const [dry] = await expireBefore(store, day(4), { dryRun: true })
  t.deepEqual([dry?.start, dry?.end, dry?.segments], [4, 18, 2])
  t.deepEqual(await contentOf(store), before)
  await expireBefore(store, day(4))
  t.deepEqual(await keysOf(store, boundaryPrefix('r')), [`${boundaryPrefix('r', id)}${'18'.padStart(16, '0')}.json`])
  t.is((await boundaryOf(store, 'r', id))?.segments.length, 3)
  const after = await contentOf(store)
  t.deepEqual(await expireBefore(store, day(4)), [])
  t.deepEqual(await contentOf(store), after)
})

test('a segment in the middle that is not old keeps all after it', async (t) => {
  const store = openMemoryStore('memory://a')
  await archiveSource(store, texts, { source: id, times: [day(1), day(9), day(1), day(1)] })
  await putCatalog(store)
  const [one] = await expireBefore(store, day(5))
  t.deepEqual([one?.end, one?.kept], [4, null])
})

test('a format without times goes by the time of writing', async (t) => {
  const store = openMemoryStore('memory://a')
  await archiveSource(store, texts, { source: id })
  await putCatalog(store)
  t.deepEqual(await expireBefore(store, '2026-03-01T00:00:00Z'), [])
  t.is((await expireBefore(store, '2026-03-01T00:00:01Z'))[0]?.segments, 4)
})

test('what was stored lately, does not continue the chain, or cannot be read stays, and says so', async (t) => {
  const store = await archived()
  t.regex((await expireBefore(store, day(9), { settledMs: 60_000 }))[0]?.kept ?? '', /short while/)
  const key = segmentKey('r', id, 4)
  const good = await store.get(key)
  for (const [body, said] of [
    [
      segmentObject([Buffer.from('TWO TWO\n')], { source: id, start: 4, header: { lastTime: day(1) } }).object,
      /verify/,
    ],
    [Buffer.from('nothing of the kind'), /damaged/],
  ] as const) {
    await store.remove(key)
    await store.create(key, body)
    const [one] = await expireBefore(store, day(9), { dryRun: true })
    t.deepEqual([one?.segments, one?.end], [1, 4])
    t.regex(one?.kept ?? '', said)
  }
  await store.remove(key)
  t.regex((await expireBefore(store, day(9), { dryRun: true }))[0]?.kept ?? '', /does not continue/)
  await store.create(key, good?.body ?? Buffer.alloc(0))
  t.is((await expireBefore(store, day(9)))[0]?.segments, 4)
})

test('what a file holds and is not proven stays; what no file holds can be proven no more, and goes', async (t) => {
  const store = await archived()
  const ends = async (files: [string, string, number][], feed: Feed | null = null): Promise<unknown> => {
    await putCatalog(store, files)
    const [one] = await expireBefore(store, day(9), { dryRun: true, feed })
    return [one?.end, one?.kept?.includes('proven') ?? false]
  }
  t.deepEqual(await ends([['acct', id, 12]]), [12, true])
  t.deepEqual(await ends([['acct', id, 23]]), [23, false])
  t.deepEqual(await ends([['other', 'b-0', 0]]), [23, false])
  t.deepEqual(await ends([['acct', '', 0]]), [0, true], 'a file of the family may hold it')
  const feed = openMemoryFeed({ clock: systemClock })
  await feed.setProven('r', [{ source: id, mark: '18 1' }])
  t.deepEqual(await ends([['acct', id, 4]], feed), [18, true])
  await putCatalog(store, [['acct', id, 23]], 1)
  t.is((await expireBefore(store, day(9), { dryRun: true }))[0]?.end, 0, 'all of it was archived after the catalog')
  await putCatalog(store, [], Date.now() + 60_000, 1)
  t.is((await expireBefore(store, day(9), { dryRun: true }))[0]?.end, 0, 'its file may have come during the pass')
  await store.remove('derived/catalog/r.json.zst')
  t.deepEqual((await expireBefore(store, day(9), { dryRun: true }))[0]?.end, 0, 'without a catalog nothing is known')
})

test('with Redis, what is not published stays', async (t) => {
  const store = await archived()
  const feed = openMemoryFeed({ clock: systemClock })
  const end = async (): Promise<number | undefined> =>
    (await expireBefore(store, day(9), { dryRun: true, feed }))[0]?.end
  t.is(await end(), 23, 'nothing has begun to publish')
  const epoch = { id: 'e', archive: store.url, floorMs: 0, state: 'starting' as const }
  await feed.begin('r', epoch)
  t.is(await end(), 0, 'the first positions are not set yet')
  await feed.positionIfAbsent('r', 'e', {
    source: id,
    position: encodePosition({ published: 12, announced: 18, ahead: null }),
  })
  t.is(await end(), 0, 'nor all of them')
  await feed.open('r', 'e')
  t.is(await end(), 12)
  const ahead = openMemoryFeed({ clock: systemClock })
  await ahead.begin('r', epoch)
  const digest = '0'.repeat(64)
  const unsettled = {
    at: 18,
    digest,
    isFalse: false,
    marks: [{ end: 30, digest }],
    witness: { length: 0, sha256: digest },
  }
  await ahead.positionIfAbsent('r', 'e', {
    source: id,
    position: encodePosition({ published: 30, announced: 18, ahead: unsettled }),
  })
  await ahead.open('r', 'e')
  t.is(
    (await expireBefore(store, day(9), { dryRun: true, feed: ahead }))[0]?.end,
    12,
    'what was published ahead may have to be disowned, and a revision names the last segment',
  )
  const none = openMemoryFeed({ clock: systemClock })
  await none.begin('r', { ...epoch, state: 'open' })
  t.is(
    (await expireBefore(store, day(9), { dryRun: true, feed: none }))[0]?.end,
    0,
    'no position, stored after the floor',
  )
  const late = openMemoryFeed({ clock: systemClock })
  await late.begin('r', { ...epoch, state: 'open', floorMs: Date.now() + 1000 })
  t.is((await expireBefore(store, day(9), { dryRun: true, feed: late }))[0]?.end, 23, 'stored by the floor')
  const other = openMemoryFeed({ clock: systemClock })
  await other.begin('r', { ...epoch, archive: 'memory://other' })
  await t.throwsAsync(expireBefore(store, day(9), { feed: other }), { code: 'redis-other-archive' })
})

/** A store whose process is killed before the call of this number that writes or removes. */
function killedAt(store: Store, calls: number): Store {
  let left = calls
  const die = (): Promise<never> =>
    Promise.reject(new GleanerError('store-unreachable', { operation: 'kill', subject: '' }))
  return {
    ...store,
    create: (key, body) => (left-- > 0 ? store.create(key, body) : die()),
    remove: (key) => (left-- > 0 ? store.remove(key) : die()),
  }
}

test('killed at any moment, identity holds, and the next run ends where an undisturbed one does', async (t) => {
  const withRevision = async (): Promise<Store> => {
    const store = await archived()
    const { object } = segmentObject([Buffer.from('ONE\n')], { source: id })
    await store.create(revisionKey('r', id, { start: 0, n: 1 }), object)
    await expireBefore(store, day(2))
    return store
  }
  const names = async (store: Store): Promise<string[]> => Object.keys(await contentOf(store))
  for (const last of [4, 9]) {
    const undisturbed = await withRevision()
    await expireBefore(undisturbed, day(last))
    for (let calls = 0; calls < 6; calls++) {
      const store = await withRevision()
      await expireBefore(killedAt(store, calls), day(last)).catch(() => undefined)
      const head = await openLedger(store, 'r').last(id)
      t.is(head?.end, 23, `${last} ${calls}`)
      const reading = openLedger(store, 'r').prefix(id, 10)
      t.is((await reading).beginning, sha256(texts.join('').slice(0, 10)))
      await expireBefore(store, day(last))
      t.deepEqual(await names(store), await names(undisturbed), `${last} ${calls}`)
    }
  }
})

test('what an expiry was to delete and did not is counted and finished, whatever the date', async (t) => {
  const store = await archived()
  await expireBefore(killedAt(store, 2), day(4)).catch(() => undefined)
  t.is((await expireBefore(store, day(1), { dryRun: true }))[0]?.leftOver, 2)
  t.is((await expireBefore(store, day(1)))[0]?.leftOver, 2)
  t.deepEqual(await keysOf(store, 'evidence/segments/'), [segmentKey('r', id, 18)])
})

test('where an expiry left the first segment and not the next, the boundary says how the source began', async (t) => {
  const store = await archived()
  const first = (await store.get(segmentKey('r', id, 0)))?.body ?? Buffer.alloc(0)
  await expireBefore(store, day(3))
  const expected = await openLedger(store, 'r').prefix(id, 15)
  await store.create(segmentKey('r', id, 0), first)
  t.deepEqual(await openLedger(store, 'r').prefix(id, 15), expected)
  const [next] = await expireBefore(store, day(4))
  t.deepEqual([next?.start, next?.end, next?.kept], [12, 18, null])
  t.deepEqual(await keysOf(store, 'evidence/segments/'), [segmentKey('r', id, 18)])
})

test('two at once leave one true boundary that counts', async (t) => {
  for (const [one, other] of [
    [3, 3],
    [2, 5],
    [5, 3],
  ] as const) {
    const store = await archived()
    await Promise.all([expireBefore(store, day(one)), expireBefore(store, day(other))])
    await expireBefore(store, day(1))
    const boundary = await boundaryOf(store, 'r', id)
    t.is(boundary?.end, [0, 0, 4, 12, 18, 23][Math.max(one, other)])
    t.is((await openLedger(store, 'r').last(id))?.end, 23)
    for (const key of await keysOf(store, boundaryPrefix('r')))
      t.notThrows(async () => readBoundary((await store.get(key))?.body ?? Buffer.alloc(0), key))
  }
})

test('a store that refuses to delete: the lock is named, nothing is lost, and the next run goes on', async (t) => {
  const store = await archived()
  const denied = new GleanerError('store-denied', {
    operation: 'remove',
    subject: 'k',
    message: 'HTTP 403, AccessDenied',
  })
  const locked: Store = { ...store, remove: () => Promise.reject(denied) }
  const error = await t.throwsAsync(expireBefore(locked, day(3)), { code: 'store-denied' })
  t.regex(error.message, /Object Lock/)
  t.is((await keysOf(store, 'evidence/segments/')).length, 4)
  t.is((await openLedger(store, 'r').last(id))?.end, 23)
  await expireBefore(store, day(3))
  t.is((await keysOf(store, 'evidence/segments/')).length, 2)
})

test('archived first bytes that a revision corrects are kept as the files had them; where none does, the source stays', async (t) => {
  const archive = async (): Promise<Store> => {
    const store = openMemoryStore('memory://a')
    const wrong = segmentObject([Buffer.from('\0\0\0\n')], { source: id, header: { lastTime: day(1) } })
    await store.create(segmentKey('r', id, 0), wrong.object)
    const [before, previousChain] = [Buffer.from('one\n'), wrong.header.chain]
    const next = segmentObject([Buffer.from('two\n')], {
      source: id,
      before,
      previousChain,
      header: { lastTime: day(1) },
    })
    await store.create(segmentKey('r', id, 4), next.object)
    await putCatalog(store)
    return store
  }
  const bad = await archive()
  const [kept] = await expireBefore(bad, day(9))
  t.deepEqual([kept?.segments, kept?.end], [0, 0])
  t.regex(kept?.kept ?? '', /begin/)
  const store = await archive()
  await store.create(
    revisionKey('r', id, { start: 0, n: 1 }),
    segmentObject([Buffer.from('one\n')], { source: id }).object,
  )
  t.is((await expireBefore(store, day(9)))[0]?.segments, 2)
  const head = await openLedger(store, 'r').last(id)
  t.is(head?.beginning.sha256, sha256('one\ntwo\n'))
})

test('column names stay known; where they would be lost, the source stays', async (t) => {
  const columns = (beginning: Buffer): string[] => beginning.toString().split('\n', 1)
  const root = { ...settingsOf(), format: { ...settingsOf().format, columns } }
  for (const [header, kept] of [
    ['a|b\n', 0],
    [`${'a|'.repeat(2100)}b\n`, 2],
  ] as const) {
    const store = openMemoryStore('memory://a')
    await archiveSource(store, [header, '1|2\n'], { source: id })
    await putCatalog(store)
    await expireBefore(store, '2026-04-01T00:00:00Z', { root })
    t.is((await keysOf(store, 'evidence/segments/')).length, kept)
    const parse = await openParseContexts(root, openLedger(store, 'r'))(id)
    t.deepEqual(parse.columns, [header.trimEnd()])
  }
})

/** A worker on real files. */
function work(t: ExecutionContext) {
  const opened = openRoot(t)
  let writes = 0
  const context = { ...opened.context, random: () => String(writes++).padStart(32, '0') }
  const open = (headTrustedMs?: number) => {
    const worker = openWorker(context, {
      inFlight: openThrottle(1e8),
      ...(headTrustedMs !== undefined && { headTrustedMs }),
    })
    worker.setRemote(false)
    const pass = () => openReconciler(context, worker).pass({ full: true })
    const visit = async (path: string): Promise<void> => {
      worker.signal({ path, cause: 'test' })
      await worker.caughtUp(100)
    }
    return { worker, visit, pass }
  }
  const later = (): string => new Date(Date.now() + 60_000).toISOString()
  const expireAll = async () => {
    await putCatalog(opened.store)
    return expireBefore(opened.store, later(), { feed: opened.feed })
  }
  const published = (): string[] =>
    opened.feed.records('r').map(({ fields }) => `${String(fields['source'])} ${String(fields['start'])}`.slice(33))
  return { ...opened, context, open, expireAll, published, file: (name: string) => join(opened.path, name) }
}

test('a file whose source has expired whole is that source still: renamed, cut short, or grown; and nothing is published again', async (t) => {
  const { open, file, store, feed, expireAll, published, context } = work(t)
  await writeFile(file('acct'), 'one\ntwo\n')
  await open().visit('acct')
  t.is((await expireAll())[0]?.segments, 1)
  const seen = published()
  t.deepEqual(seen, ['0 0', '0 4'])

  const next = open()
  await next.visit('acct')
  await rename(file('acct'), file('acct.1'))
  await writeFile(file('acct'), 'one\n')
  await next.pass()
  await next.worker.caughtUp(100)
  t.deepEqual(await keysOf(store, 'evidence/segments/'), [])
  t.deepEqual(published(), seen)
  const compared = await verifyFiles(context)
  t.deepEqual([compared.files, compared.different, compared.bytes], [2, [], 8])

  await truncate(file('acct'), 0)
  await writeFile(file('acct'), 'one\nother\n')
  await appendFile(file('acct.1'), 'three\n')
  const last = open()
  await last.pass()
  await last.worker.caughtUp(100)
  const sources = (await keysOf(store, 'evidence/segments/')).map((key) => key.slice(-22, -4))
  t.deepEqual(sources, ['0/0000000000000008', '1/0000000000000000'])
  t.deepEqual(published().slice(2).sort(), ['0 8', '1 0', '1 4'])
  await writeFile(file('acct.1'), 'one\ntWo\nthree\n')
  t.is((await verifyFiles(context)).different[0]?.offset, 0)

  await feed.close()
  const report = await verifyArchive(store, { root: null, feed: null })
  t.deepEqual([report.damaged, report.missing], [[], []])
})

test('a Redis that is wiped, or gives back an old position, publishes nothing of what has expired', async (t) => {
  const { open, file, feed, expireAll, published } = work(t)
  await writeFile(file('acct'), 'one\ntwo\n')
  const first = open()
  await first.visit('acct')
  const old = feed.snapshot()
  await appendFile(file('acct'), 'three\n')
  await first.visit('acct')
  t.is((await expireAll())[0]?.segments, 2)
  feed.restore(old)
  await appendFile(file('acct'), 'four\n')
  await open().visit('acct')
  t.deepEqual(published(), ['0 0', '0 4', '0 14'])
  await expireAll()
  feed.wipe()
  const next = open()
  await next.pass()
  await next.worker.caughtUp(100)
  await appendFile(file('acct'), 'five\n')
  await next.visit('acct')
  t.deepEqual(published(), ['0 19'])
})

test('a collector that heard of a head long ago does not build on it where what follows has expired', async (t) => {
  const { open, file, store, expireAll } = work(t)
  await writeFile(file('acct'), 'one\n')
  const stale = open(0)
  await stale.visit('acct')
  await appendFile(file('acct'), 'two\n')
  await open().visit('acct')
  t.is((await expireAll())[0]?.segments, 2)
  await stale.visit('acct')
  await appendFile(file('acct'), 'three\n')
  await stale.visit('acct')
  t.deepEqual(
    (await keysOf(store, 'evidence/segments/')).map((key) => key.slice(-20)),
    ['0000000000000008.zst'],
  )
})
