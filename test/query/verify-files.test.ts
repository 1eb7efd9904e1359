import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { contentId, sourceId } from '../../src/core/identity.ts'
import { revisionKey } from '../../src/core/segment.ts'
import { verifyFiles } from '../../src/query/verify-files.ts'
import { openRoot, type RootOnDisk } from '../support/root-context.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'

/** Three segments; the first is longer than what is compared of a beginning. */
const segments = [`first\n${'x'.repeat(6000)}\n`, `${'y'.repeat(5000)}\n`, 'last\n']
const whole = segments.join('')
const source = sourceId(contentId('r', Buffer.from('acct'), Buffer.from('first')), 0)

async function openSite(
  t: Parameters<typeof openRoot>[0],
): Promise<RootOnDisk & { put: (path: string, body: string | Buffer) => void }> {
  const site = openRoot(t)
  await archiveSource(site.store, segments, { source, path: 'acct' })
  return { ...site, put: (path, body) => writeFileSync(join(site.path, path), body) }
}

function edited(offset: number): string {
  return `${whole.slice(0, offset)}#${whole.slice(offset + 1)}`
}

test('files that hold what is archived, and more, differ nowhere', async (t) => {
  const site = await openSite(t)
  site.put('acct', `${whole}more\n`)
  site.put('acct.1', whole)
  t.deepEqual(await verifyFiles(site.context), { files: 2, bytes: 2 * whole.length, different: [], unread: [] })
})

test('without any file there is nothing to compare', async (t) => {
  t.deepEqual(await verifyFiles((await openSite(t)).context), { files: 0, bytes: 0, different: [], unread: [] })
})

for (const offset of [5000, 7000, whole.length - 3]) {
  test(`one byte edited at ${offset} is found there`, async (t) => {
    const site = await openSite(t)
    site.put('acct', edited(offset))
    t.deepEqual((await verifyFiles(site.context)).different, [{ root: 'r', path: 'acct', source, offset }])
  })
}

test('one byte edited in what identifies a file, after its first record, is found as well', async (t) => {
  const site = await openSite(t)
  site.put('acct', edited(100))
  t.deepEqual((await verifyFiles(site.context)).different, [{ root: 'r', path: 'acct', source, offset: 100 }])
})

test('a new file that begins like a source which another file holds is no difference', async (t) => {
  const site = await openSite(t)
  site.put('acct', 'first\nof a new one\n')
  site.put('acct.1', whole)
  t.deepEqual((await verifyFiles(site.context)).different, [])
})

test('a file that is behind is compared as far as it goes', async (t) => {
  const site = await openSite(t)
  site.put('acct', whole.slice(0, 8000))
  t.like(await verifyFiles(site.context), { files: 1, different: [] })
})

test('a range that differs from its segment but equals a revision is known', async (t) => {
  const site = await openSite(t)
  const [first, second] = segments as [string, string]
  const changed = `${first}${'z'.repeat(5000)}\nlast\n`
  site.put('acct', changed)
  t.is((await verifyFiles(site.context)).different[0]?.offset, first.length)
  const revision = segmentObject([Buffer.from(changed.slice(first.length, first.length + second.length))], {
    source,
    start: first.length,
  })
  await site.store.create(revisionKey('r', source, { start: first.length, n: 1 }), revision.object)
  t.deepEqual((await verifyFiles(site.context)).different, [])
})

test('a compressed file is compared as its content', async (t) => {
  const site = await openSite(t)
  site.put('acct.1.gz', gzipSync(whole))
  t.like(await verifyFiles(site.context), { files: 1, different: [], unread: [] })
})

test('a file that cannot be read is told, not passed over', async (t) => {
  const site = await openSite(t)
  site.put('acct.1.gz', gzipSync(whole).subarray(0, -20))
  const { unread, different } = await verifyFiles(site.context)
  t.deepEqual(
    unread.map(({ path }) => path),
    ['acct.1.gz'],
  )
  t.deepEqual(different, [])
})

test('a root that is not there is an error, not a match', async (t) => {
  const site = await openSite(t)
  renameSync(site.path, `${site.path}-away`)
  await t.throwsAsync(verifyFiles(site.context), { code: 'root-unavailable' })
  rmSync(`${site.path}-away`, { recursive: true })
})
