import test from 'ava'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { systemClock as clock } from '../../src/adapters/system-clock.ts'
import type { RootRules } from '../../src/core/family.ts'
import { rulesOf } from '../../src/core/rules.ts'
import type { Store } from '../../src/ports/store.ts'
import { effectiveRules, freezeRules, openArchive, readArchive } from '../../src/roles/rules.ts'

const rules: RootRules = {
  v: 1,
  root: 'a',
  format: 'lines',
  header: 'none',
  rotation: ['x$', 'y$'],
  oldDirectories: ['old/'],
}

function archive(): { store: Store; clock: typeof clock; random(): string } {
  let n = 0
  return { store: openMemoryStore('memory:'), clock, random: () => `id${n++}` }
}

async function json(store: Store, key: string): Promise<unknown> {
  const object = await store.get(key)
  return object && JSON.parse(object.body.toString())
}

async function put(store: Store, key: string, value: unknown): Promise<void> {
  await store.create(key, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
}

test('an archive is begun once, by whoever is first', async (t) => {
  const one = archive()
  const begun = await Promise.all([openArchive(one), openArchive(one), openArchive(one)])
  t.is(new Set(begun.map(({ id }) => id)).size, 1)
  t.deepEqual(await json(one.store, 'evidence/store.json'), { v: 1, reader: 1, id: begun[0]?.id })
})

test('a newer archive is not written, and read only if its reader says so', async (t) => {
  const one = archive()
  t.is(await readArchive(one.store), null)
  await put(one.store, 'evidence/store.json', { v: 2, reader: 1, id: 'x' })
  await t.throwsAsync(openArchive(one), { code: 'archive-newer' })
  t.is((await readArchive(one.store))?.v, 2)
  const other = archive()
  await put(other.store, 'evidence/store.json', { v: 2, reader: 2, id: 'x' })
  await t.throwsAsync(readArchive(other.store), { code: 'archive-newer' })
})

test('a damaged store.json is said to be damaged', async (t) => {
  for (const text of ['', '{', 'null', '[]', '{"reader":1}']) {
    const one = archive()
    await put(one.store, 'evidence/store.json', text)
    await t.throwsAsync(openArchive(one), { code: 'store-damaged' }, text)
  }
})

test('rules are frozen by the first, and the same ones go on', async (t) => {
  const one = archive()
  t.deepEqual(await freezeRules(one, rules), rules)
  t.deepEqual(await freezeRules(one, rules), rules)
  t.deepEqual(await json(one.store, 'evidence/roots/a.json'), rules)
  t.is((await one.store.list('evidence/roots/')).objects.length, 1)
})

test('each difference is named, with the old and the new value', async (t) => {
  const one = archive()
  await freezeRules(one, rules)
  const changed: RootRules = {
    ...rules,
    format: 'jsonl',
    header: { lines: 1 },
    rotation: ['y$', 'z$'],
    oldDirectories: [],
  }
  const { message } = await t.throwsAsync(freezeRules(one, changed), { code: 'rules-frozen' })
  t.regex(message, /format: the archive has lines, the configuration jsonl/)
  t.regex(message, /header: the archive has none, the configuration lines: 1/)
  t.regex(message, /rotation: the archive has x\$, the configuration does not/)
  t.regex(message, /oldDirectories: the archive has old\/, the configuration does not/)
  await t.throwsAsync(freezeRules(one, { ...rules, rotation: ['y$', 'x$'] }), {
    code: 'rules-frozen',
    message: /order/,
  })
  await t.throwsAsync(effectiveRules(one.store, changed), { code: 'rules-frozen' })
  t.is((await one.store.list('evidence/roots/')).objects.length, 1)
})

test('rules may be added, wherever they stand in the configuration; they come last', async (t) => {
  const one = archive()
  await freezeRules(one, rules)
  const more = { ...rules, rotation: ['new$', 'x$', 'y$'] }
  t.deepEqual((await freezeRules(one, more)).rotation, ['x$', 'y$', 'new$'])
  t.deepEqual((await freezeRules(one, more)).rotation, ['x$', 'y$', 'new$'])
  const most = { ...more, rotation: [...more.rotation, 'newer$'], oldDirectories: ['old/', 'older/'] }
  const effective = await freezeRules(one, most)
  t.deepEqual(effective.rotation, ['x$', 'y$', 'new$', 'newer$'])
  t.deepEqual(effective.oldDirectories, ['old/', 'older/'])
  t.deepEqual(await json(one.store, 'evidence/roots/a.2.json'), {
    v: 1,
    root: 'a',
    addition: 2,
    rotation: ['newer$'],
    oldDirectories: ['older/'],
  })
  t.deepEqual(await effectiveRules(one.store, most), effective)
  await t.throwsAsync(freezeRules(one, rules), { code: 'rules-frozen', message: /new\$/ })
})

test('two that add at once both find what they added', async (t) => {
  const one = archive()
  await freezeRules(one, rules)
  const [left, right] = [
    ['x$', 'y$', 'l$'],
    ['x$', 'y$', 'r$'],
  ]
  const settled = await Promise.allSettled([
    freezeRules(one, { ...rules, rotation: left }),
    freezeRules(one, { ...rules, rotation: right }),
  ])
  // Whoever lost lacks the winner's rule now, and is told so; the archive holds one addition.
  t.deepEqual(settled.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.is((await one.store.list('evidence/roots/')).objects.length, 2)
})

test('effectiveRules of an archive that was not begun: the wanted ones, and nothing is written', async (t) => {
  const one = archive()
  t.deepEqual(await effectiveRules(one.store, rules), rules)
  t.deepEqual((await one.store.list('')).objects, [])
})

test('a root called a.1 beside the additions of a', async (t) => {
  const one = archive()
  await freezeRules(one, { ...rules, root: 'a.1' })
  await freezeRules(one, rules)
  const more = { ...rules, rotation: [...rules.rotation, 'new$'] }
  await freezeRules(one, more)
  t.deepEqual((await freezeRules(one, more)).rotation, more.rotation)
  t.is(((await json(one.store, 'evidence/roots/a.2.json')) as { root: string }).root, 'a')
  await t.throwsAsync(freezeRules(one, { ...rules, root: 'a.2' }), { code: 'config-invalid' })
})

test('rulesOf: configured rules before the format’s own, none instead of them', (t) => {
  const defaults = { header: { prefix: '#' } as const, rotation: ['f$'] }
  t.deepEqual(rulesOf({ name: 'a', format: 'gridengine' }, defaults).rotation, ['f$'])
  t.deepEqual(rulesOf({ name: 'a', format: 'gridengine' }, defaults).header, { prefix: '#' })
  t.deepEqual(
    rulesOf({ name: 'a', format: 'gridengine', rotation: [{ match: 'g$' }, { match: 'f$' }] }, defaults).rotation,
    ['g$', 'f$'],
  )
  t.deepEqual(rulesOf({ name: 'a', format: 'gridengine', rotation: 'none', header: 'none' }, defaults), {
    v: 1,
    root: 'a',
    format: 'gridengine',
    header: 'none',
    rotation: [],
    oldDirectories: [],
  })
})
