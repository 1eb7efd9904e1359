import test from 'ava'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { GleanerError } from '../../src/errors.ts'
import { archiveTexts, editionOf, writeArchiveTexts } from '../../src/roles/archive-texts.ts'

test('an archive that lacks the texts gets them, and one with an older edition this one', async (t) => {
  const store = openMemoryStore('memory://a')
  await writeArchiveTexts(store)
  const bodies = await Promise.all(archiveTexts.map(async (name) => (await store.get(name))?.body as Buffer))
  for (const body of bodies) t.true(editionOf(body) >= 1)
  await store.put('README.md', Buffer.from('of before there were editions'))
  await writeArchiveTexts(store)
  t.deepEqual((await store.get('README.md'))?.body, bodies[0])
})

test('the texts of a newer Gleaner stay, and so do those of the same edition', async (t) => {
  const store = openMemoryStore('memory://a')
  for (const edition of [1, 999_999]) {
    const text = `<!-- Gleaner archive, edition ${edition} -->`
    await store.put('README.md', Buffer.from(text))
    await writeArchiveTexts(store)
    t.is((await store.get('README.md'))?.body.toString(), text)
  }
})

test('a writer that may only create evidence leaves the texts out; one whose store is away does not go on', async (t) => {
  const refusing = (code: 'store-denied' | 'store-unreachable') => ({
    ...openMemoryStore('memory://a'),
    put: () => Promise.reject(new GleanerError(code, { operation: 'put', subject: 'README.md' })),
  })
  await t.notThrowsAsync(writeArchiveTexts(refusing('store-denied')))
  await t.throwsAsync(writeArchiveTexts(refusing('store-unreachable')), { code: 'store-unreachable' })
})
