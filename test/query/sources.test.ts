import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { contentId, sourceId } from '../../src/core/identity.ts'
import { encodePosition } from '../../src/core/position.ts'
import type { AnomalyKind } from '../../src/core/anomaly.ts'
import type { SourceRow } from '../../src/query/sources.ts'
import { sourcesOf } from '../../src/query/sources.ts'
import { openRoot, type RootOnDisk } from '../support/root-context.ts'
import { archiveSource } from '../support/segments.ts'

/** Archives a file's content as the collector would name it. */
async function archived({ store }: RootOnDisk, segments: string[], { path = 'acct', n = 0 } = {}): Promise<string> {
  const family = path.replace(/\.\d+$/, '')
  const first = segments.join('').split('\n')[0] as string
  const source = sourceId(contentId('r', Buffer.from(family), Buffer.from(first)), n)
  await archiveSource(store, segments, { source, path, family })
  return source
}

function write(site: RootOnDisk, path: string, text: string, ageS = 0): void {
  const at = join(site.path, path)
  mkdirSync(join(at, '..'), { recursive: true })
  writeFileSync(at, text)
  const changed = Date.now() / 1000 - ageS
  utimesSync(at, changed, changed)
}

async function journaled({ store }: RootOnDisk, kind: AnomalyKind, source: string): Promise<void> {
  const entry = {
    v: 1,
    id: `${kind}-0`,
    root: 'r',
    at: '',
    node: '',
    kind,
    source,
    path: 'acct',
    start: 0,
    end: 0,
    detail: '',
  }
  await store.create(`evidence/journal/r/${kind}-0.json`, Buffer.from(JSON.stringify(entry)))
}

async function only(site: RootOnDisk): Promise<SourceRow> {
  const rows = await sourcesOf(site.context)
  if (rows.length !== 1) throw new Error(JSON.stringify(rows))
  return rows[0] as SourceRow
}

test('nothing archived and nothing there: no sources', async (t) => {
  t.deepEqual(await sourcesOf(openRoot(t).context), [])
})

test('a file that goes on at the head is growing, with its size beside what is archived', async (t) => {
  const site = openRoot(t)
  const source = await archived(site, ['one\n', 'two\n'])
  write(site, 'acct', 'one\ntwo\nthree\n')
  const place = { root: 'r', source, family: 'acct', path: 'acct' }
  t.deepEqual(await only(site), { ...place, size: 14, archived: 8, published: null, proven: null, state: 'growing' })
})

test('a file that was not archived yet is shown under the id that it would get', async (t) => {
  const site = openRoot(t)
  write(site, 'acct', 'one\ntwo')
  const source = sourceId(contentId('r', Buffer.from('acct'), Buffer.from('one')), 0)
  t.like(await only(site), { source, path: 'acct', size: 7, archived: 0, state: 'growing' })
})

test('an active file unchanged for settle.final is final', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  write(site, 'acct', 'one\n', 3601)
  t.is((await only(site)).state, 'final')
})

test('a file that no active name holds is rotated after settle.tail, and the next one is growing', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  write(site, 'acct.1', 'one\n')
  t.like(await only(site), { path: 'acct.1', state: 'growing' })
  write(site, 'acct.1', 'one\n', 61)
  t.like(await only(site), { path: 'acct.1', state: 'rotated' })
  await archived(site, ['next\n'])
  write(site, 'acct', 'next\n')
  t.deepEqual(
    (await sourcesOf(site.context)).map(({ path, state }) => [path, state]),
    [
      ['acct', 'growing'],
      ['acct.1', 'rotated'],
    ],
  )
})

test('of a copy and the active file, the active one is shown', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  write(site, 'acct', 'one\n')
  write(site, 'acct.1', 'one\ntwo\n', 61)
  t.like(await only(site), { path: 'acct', size: 4, state: 'growing' })
})

test('a file shorter than what is archived is behind, or truncated where the collector has said so', async (t) => {
  const site = openRoot(t)
  const source = await archived(site, ['one\n', 'two\n'])
  write(site, 'acct', 'one\n')
  t.like(await only(site), { size: 4, archived: 8, state: 'behind' })
  await journaled(site, 'truncated', source)
  t.is((await only(site)).state, 'truncated')
  write(site, 'acct.1', 'one\ntwo\n')
  t.like(await only(site), { path: 'acct.1', state: 'growing' })
})

test('a source without a file is gone, or vanished where the collector has said so', async (t) => {
  const site = openRoot(t)
  const source = await archived(site, ['one\n'])
  t.like(await only(site), { path: 'acct', size: null, archived: 4, state: 'gone' })
  await journaled(site, 'vanished', source)
  t.is((await only(site)).state, 'vanished')
})

test('two files that begin alike are two sources', async (t) => {
  const site = openRoot(t)
  const first = await archived(site, ['one\n', 'aaa\n'])
  const second = await archived(site, ['one\n', 'bbb\n'], { n: 1, path: 'acct.1' })
  write(site, 'acct', 'one\naaa\n')
  write(site, 'acct.1', 'one\nbbb\n')
  t.deepEqual(
    (await sourcesOf(site.context)).map(({ source, path }) => [source, path]),
    [
      [first, 'acct'],
      [second, 'acct.1'],
    ],
  )
})

test('a file edited before its end is still its source, by an earlier witness', async (t) => {
  const site = openRoot(t)
  const long = `${'x'.repeat(5000)}\n`
  const source = await archived(site, [long, 'two\n'])
  write(site, 'acct', `${long}TWO\n`)
  t.like(await only(site), { source, state: 'growing' })
})

test('a root that is not there is unavailable, and none of its sources is gone', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  renameSync(site.path, `${site.path}-away`)
  const told: unknown[] = []
  const rows = await sourcesOf(site.context, (error) => told.push(error))
  t.deepEqual(
    rows.map(({ size, state }) => [size, state]),
    [[null, 'unavailable']],
  )
  t.is(told.length, 1)
})

const unlessRoot = process.getuid?.() === 0 ? test.skip : test
unlessRoot('of a directory that cannot be read, nothing is concluded', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'], { path: 'd/acct' })
  write(site, 'd/acct', 'one\n')
  chmodSync(join(site.path, 'd'), 0)
  t.is((await only(site)).state, 'unavailable')
  chmodSync(join(site.path, 'd'), 0o700)
})

test('published and proven come from Redis; without a position, what the epoch floor says', async (t) => {
  const site = openRoot(t)
  const { feed, store } = site
  const first = await archived(site, ['one\n', 'two\n'])
  const other = await archived(site, ['uno\n', 'due\n'], { path: 'other' })
  await feed.begin('r', { id: 'e', archive: store.url, floorMs: Number.MAX_SAFE_INTEGER, state: 'starting' })
  await feed.positionIfAbsent('r', 'e', {
    source: first,
    position: encodePosition({ published: 4, announced: 4, ahead: null }),
  })
  await feed.setProven('r', [{ source: other, mark: '4 1700000000000' }])
  const rows = await sourcesOf(site.context)
  t.deepEqual(
    rows.map(({ path, published, proven }) => [path, published, proven]),
    [
      ['acct', 4, 0],
      ['other', 8, 4],
    ],
  )
})

test('what was stored after the floor counts as not published', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  await site.feed.begin('r', { id: 'e', archive: site.store.url, floorMs: 1, state: 'open' })
  t.is((await only(site)).published, 0)
})

test('a Redis that publishes another archive, or is away, says nothing of this one', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  await site.feed.begin('r', { id: 'e', archive: 'memory://other', floorMs: 1, state: 'open' })
  t.like(await only(site), { published: null, proven: null })
  await site.feed.close()
  const told: unknown[] = []
  const rows = await sourcesOf(site.context, (error) => told.push(error))
  t.like(rows[0], { published: null, proven: null, state: 'gone' })
  t.is(told.length, 1)
})

test('a file that is removed or grows meanwhile fails nothing', async (t) => {
  const site = openRoot(t)
  await archived(site, ['one\n'])
  for (let at = 0; at < 200; at++) write(site, `f${at}`, `${at}\n`)
  const asked = sourcesOf(site.context)
  for (let at = 0; at < 200; at += 2) rmSync(join(site.path, `f${at}`))
  for (let at = 1; at < 200; at += 2) appendFileSync(join(site.path, `f${at}`), 'more\n')
  t.true((await asked).length >= 101)
})
