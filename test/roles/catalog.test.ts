import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import type { Store } from '../../src/ports/store.ts'
import type { RootContext } from '../../src/roles/context.ts'
import { listAll } from '../../src/roles/ledger.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openRoot } from '../support/root-context.ts'

/** A root whose processes come one after the other: each begins with what the last one's pass left. */
function open(t: ExecutionContext) {
  const opened = openRoot(t)
  const looked: string[] = []
  const catalogs: string[] = []
  let writes = 0
  const files: RootContext['files'] = {
    ...opened.context.files,
    look(path, request) {
      looked.push(path)
      return opened.context.files.look(path, request)
    },
  }
  const derived: Store = {
    ...opened.store,
    put(key, body) {
      catalogs.push(key)
      return opened.store.put(key, body)
    },
  }
  const begun: RootContext = { ...opened.context, files, derived, random: () => String(writes++).padStart(32, '0') }
  const begin = (change: Partial<RootContext> = {}) => {
    const context = { ...begun, ...change }
    const worker = openWorker(context, { inFlight: openThrottle(1e8) })
    worker.setRemote(false)
    const reconciler = openReconciler(context, worker)
    return async () => {
      looked.length = 0
      const { signalled } = await reconciler.pass({ full: true })
      await worker.caughtUp(100)
      return signalled
    }
  }
  return { ...opened, begin, looked, catalogs, file: (name: string) => join(opened.path, name) }
}

async function twoFiles({ file }: { file: (name: string) => string }): Promise<void> {
  await mkdir(file('d'))
  await writeFile(file('a'), 'one\n')
  await writeFile(file('d/b'), 'two\n')
}

test('the next process opens no file that is settled, and goes on with one that grew', async (t) => {
  const opened = open(t)
  await twoFiles(opened)
  t.is(await opened.begin()(), 2)
  await appendFile(opened.file('a'), 'three\n')
  const pass = opened.begin()
  t.is(await pass(), 1)
  t.deepEqual([...new Set(opened.looked)], ['a'])
  t.is(await pass(), 0)
  t.is((await listAll(opened.store, 'evidence/segments/r/')).length, 3)
  t.is(opened.feed.records('r').length, 3)
})

test('a file is looked at again where the archive is not what the catalog saw: emptied, or another', async (t) => {
  const opened = open(t)
  await twoFiles(opened)
  await opened.begin()()
  const [first] = await listAll(opened.store, 'evidence/segments/r/')
  await opened.store.remove(first?.key ?? '')
  t.is(await opened.begin()(), 1)
  t.is((await listAll(opened.store, 'evidence/segments/r/')).length, 2)
  const other = openMemoryStore('memory://b')
  const feed = openMemoryFeed({ clock: systemClock })
  t.is(await opened.begin({ store: other, feed })(), 2)
  t.is((await listAll(other, 'evidence/segments/r/')).length, 2)
})

test('what the next process is told of positions is compared with the archive, though no file is opened', async (t) => {
  const opened = open(t)
  await twoFiles(opened)
  await opened.begin()()
  const wiped = openMemoryFeed({ clock: systemClock })
  await wiped.begin('r', { id: 'wiped', archive: opened.store.url, floorMs: 0, state: 'open' })
  t.is(await opened.begin({ feed: wiped })(), 2)
  t.is(wiped.records('r').length, 2)
})

test('the catalog is saved when something changed, and only then', async (t) => {
  const opened = open(t)
  await twoFiles(opened)
  const pass = opened.begin()
  await pass()
  t.is(opened.catalogs.length, 1)
  await pass()
  t.is(opened.catalogs.length, 1)
  await appendFile(opened.file('a'), 'three\n')
  await pass()
  t.is(opened.catalogs.length, 2)
})

test('a file that is renamed, replaced or gone between two passes is found, whatever its place in the listing', async (t) => {
  const opened = open(t)
  for (const name of ['a', 'b', 'c', 'e']) await writeFile(opened.file(name), `${name}\n`)
  const pass = opened.begin()
  t.is(await pass(), 4)
  t.is(await pass(), 0)
  await rm(opened.file('a'))
  await rename(opened.file('c'), opened.file('c.1'))
  await writeFile(opened.file('d'), 'd\n')
  t.is(await pass(), 2)
  t.is(await pass(), 0)
  await writeFile(opened.file('a'), 'a again\n')
  t.is(await pass(), 1)
  t.is(await pass(), 0)
  t.is((await listAll(opened.store, 'evidence/segments/r/')).length, 6)
})

test('what the catalog says is proven does not hold for an archive that was begun anew since', async (t) => {
  const { context, store, path } = openRoot(t)
  const emptied = openMemoryStore('memory://a')
  let writes = 0
  const begin = (archive: Store) => {
    const random = () => String(writes++).padStart(32, '0')
    const settle = { readMs: 1, tailMs: 10, finalMs: 1e9 }
    const root = { ...context.root, settle }
    const one: RootContext = { ...context, root, feed: null, store: archive, derived: store, random }
    const worker = openWorker(one, { inFlight: openThrottle(1e8) })
    worker.setRemote(false)
    return { worker, pass: () => openReconciler(one, worker).pass({ full: true }) }
  }
  await writeFile(join(path, 'a'), 'one\n')
  const first = begin(store)
  await first.pass()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await first.worker.prover.step()
  const source = first.worker.entries.get('a')?.source ?? ''
  t.is(first.worker.prover.provenTo(source), 4)
  await first.pass()
  const again = begin(store)
  await again.pass()
  t.is(again.worker.prover.provenTo(source), 4)
  const anew = begin(emptied)
  await anew.pass()
  t.is(anew.worker.entries.get('a')?.source, source)
  t.is(anew.worker.prover.provenTo(source), 0)
})
