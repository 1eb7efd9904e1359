import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import type { Format } from '../../src/formats/format.ts'
import { htcondor } from '../../src/formats/htcondor.ts'
import { lines } from '../../src/formats/lines.ts'
import type { Feed } from '../../src/ports/feed.ts'
import { listAll, openLedger } from '../../src/roles/ledger.ts'
import { recordBoundary } from '../../src/roles/record-boundary.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openRoot } from '../support/root-context.ts'

const ad = (n: number): string =>
  `MyType = "Job"\nClusterId = ${n}\nProcId = 0\n*** Offset = 0 ClusterId = ${n} ProcId = 0 Owner = "o" CompletionDate = 5\n`
const half = 'MyType = "Job"\nClusterId = '

/** A root whose file `history` is visited each time it grows. */
function collect(t: ExecutionContext, format: Format, since: 'now' | 'all' = 'all') {
  const opened = openRoot(t)
  let writes = 0
  const context = {
    ...opened.context,
    random: () => String(writes++).padStart(32, '0'),
    root: { ...opened.context.root, format, feed: { ...opened.context.root.feed, since } },
  }
  const open = (feed: Feed | null) => openWorker({ ...context, feed }, { inFlight: openThrottle(1e8) })
  let worker = open(opened.feed)
  const visit = async (): Promise<void> => {
    worker.setRemote(false)
    worker.signal({ path: 'history', cause: 'test' })
    await worker.caughtUp(100)
  }
  return {
    opened,
    seal: (bytes: number) => void (context.root.seal = { bytes, ageMs: bytes }),
    reopen: (feed: Feed) => void (worker = open(feed)),
    pass: () => openReconciler(context, worker).pass({ full: true }),
    write: (text: string) => writeFile(join(opened.path, 'history'), text),
    append: async (text: string): Promise<void> => {
      await appendFile(join(opened.path, 'history'), text)
      await visit()
    },
    boundary: async (): Promise<number> => {
      const ledger = openLedger(opened.store, 'r')
      const [listed] = (await listAll(opened.store, 'evidence/segments/r/')).slice(-1)
      const { source, end } = await ledger.header(listed?.key ?? '', 0)
      return recordBoundary(context.root, ledger, { source, end })
    },
  }
}

test('the last record that has ended, though segments begin and end inside of records', async (t) => {
  const { append, boundary } = collect(t, htcondor)
  await append('MyType = "Job"\n')
  t.is(await boundary(), 0)
  await append(ad(1).slice(15))
  t.is(await boundary(), ad(1).length)
  await append(`${ad(2)}${half}3\n`)
  t.is(await boundary(), 2 * ad(1).length)
  await append('ProcId = 0\n')
  t.is(await boundary(), 2 * ad(1).length)
})

test('where a line is a record, it is the end of the segment, and nothing is read', async (t) => {
  const { append, boundary } = collect(t, lines)
  await append('one\ntwo\n')
  t.is(await boundary(), 8)
})

test('a Redis that was wiped: a record that was half archived by then is published whole', async (t) => {
  const { opened, append, reopen } = collect(t, htcondor)
  await append(`${ad(1)}${half}2\n`)
  const feed = openMemoryFeed({ clock: systemClock })
  t.teardown(() => feed.close())
  const floorMs = await opened.store.nowMs()
  await feed.begin('r', { id: 'e', archive: opened.store.url, floorMs, state: 'open' })
  await new Promise((resolve) => setTimeout(resolve, 20))
  reopen(feed)
  await append(`ProcId = 0\n${ad(2).slice(ad(2).indexOf('***'))}${ad(3)}`)
  const raw = feed.records('r').map(({ fields }) => fields['raw']?.toString())
  t.deepEqual(raw, [ad(2), ad(3)])
})

test('since now: a record that was half written at the first pass is published whole', async (t) => {
  const { opened, pass, append, write } = collect(t, htcondor, 'now')
  await write(`${ad(1)}${half}2\n`)
  await pass()
  await pass()
  await append(ad(2).slice(half.length + 2))
  const raw = opened.feed.records('r').map(({ fields }) => fields['raw']?.toString())
  t.deepEqual(raw, [ad(2)])
})

test('a record that begins in the archive and ends beyond it is published as soon as it is whole, once', async (t) => {
  const { opened, append, seal } = collect(t, htcondor)
  const raw = (): (string | undefined)[] => opened.feed.records('r').map(({ fields }) => fields['raw']?.toString())
  await append(`${ad(1)}${half}2\n`)
  seal(1e9)
  await append('ProcId = 0\n')
  t.deepEqual(raw(), [ad(1)])
  await append(`${ad(2).slice(ad(2).indexOf('***'))}${ad(3)}`)
  t.deepEqual(raw(), [ad(1), ad(2), ad(3)])
  await append(ad(4))
  seal(1)
  await append(ad(5))
  t.deepEqual(raw(), [ad(1), ad(2), ad(3), ad(4), ad(5)])
  t.true(opened.feed.records('r').every(({ fields }) => String(fields['kind']) === 'record'))
})
