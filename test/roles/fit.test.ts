import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Format } from '../../src/formats/format.ts'
import { csv } from '../../src/formats/csv.ts'
import { gridengine } from '../../src/formats/gridengine.ts'
import { jsonl } from '../../src/formats/jsonl.ts'
import { lines } from '../../src/formats/lines.ts'
import type { Store } from '../../src/ports/store.ts'
import type { JournalEntry } from '../../src/roles/journal.ts'
import { anomaliesOf } from '../../src/roles/journal.ts'
import { listAll } from '../../src/roles/ledger.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openRoot } from '../support/root-context.ts'

/** A root without Redis; `visit` writes more of a file and visits it, by a worker of its own if asked. */
function collect(t: ExecutionContext, format: Format, store?: (store: Store) => Store) {
  const opened = openRoot(t)
  let writes = 0
  const random = (): string => String(writes++).padStart(32, '0')
  const context = {
    ...opened.context,
    random,
    feed: null,
    store: store?.(opened.store) ?? opened.store,
    derived: opened.store,
    root: { ...opened.context.root, format },
  }
  const open = () => openWorker(context, { inFlight: openThrottle(1e8) })
  let worker = open()
  return {
    restart: () => void (worker = open()),
    write: (name: string, text: string) => writeFile(join(opened.path, name), text),
    append: async (name: string, text: string): Promise<void> => {
      await appendFile(join(opened.path, name), text)
      worker.setRemote(false)
      worker.signal({ path: name, cause: 'test' })
      await worker.caughtUp(100)
    },
    mismatches: async (): Promise<JournalEntry[]> =>
      (await anomaliesOf(opened.store, 'r')).filter(({ kind }) => kind === 'mismatch'),
    segmentsMade: async (): Promise<number> => {
      const keys = await listAll(opened.store, 'evidence/segments/r/')
      return keys.length
    },
  }
}

const bad = (count: number): string => 'secret no json\n'.repeat(count)
const good = (count: number): string => '{"a":1}\n'.repeat(count)

test('a file of another format is told once, with how many, why and where, without its content, and archived', async (t) => {
  const { append, mismatches, segmentsMade } = collect(t, jsonl)
  await append('a', good(5) + bad(20))
  const [told] = await mismatches()
  t.like(told, { path: 'a', start: 0, end: 0 })
  t.is(
    told?.detail,
    '20 of the first 25 records are no jsonl, the first at offset 40: not-json; they are archived as they are',
  )
  await append('a', bad(50))
  t.is((await mismatches()).length, 1)
  t.is(await segmentsMade(), 2)
})

const fitting: [string, Format, string][] = [
  ['records that fit', jsonl, good(30)],
  ['half of them that fit', jsonl, good(15) + bad(15)],
  ['too few to tell', jsonl, bad(19)],
  ['empty lines', jsonl, '\n'.repeat(50)],
  ['a long head of comments', gridengine, '# comment\n'.repeat(50)],
  ['anything, as lines', lines, bad(50)],
  ['a table', csv, `a,b\n${'1,2\n'.repeat(50)}`],
]
for (const [title, format, text] of fitting) {
  test(`nothing is told of ${title}`, async (t) => {
    const { append, mismatches } = collect(t, format)
    await append('a', text)
    t.deepEqual(await mismatches(), [])
  })
}

test('a table whose rows have other columns than its first is told', async (t) => {
  const { append, mismatches } = collect(t, csv)
  await append('a', `a,b\n${'1,2,3\n'.repeat(50)}`)
  t.regex((await mismatches())[0]?.detail ?? '', /no csv, the first at offset 4: too-many-fields/)
})

test('segments too small to tell are told together, also by another process', async (t) => {
  const { append, mismatches, restart } = collect(t, jsonl)
  for (let count = 0; count < 3; count++) await append('a', bad(6))
  t.is((await mismatches()).length, 0)
  await append('a', bad(6))
  t.is((await mismatches()).length, 1)
  for (let count = 0; count < 3; count++) await append('b', good(1) + bad(6))
  restart()
  await append('b', good(1))
  t.like(
    (await mismatches()).find(({ path }) => path === 'b'),
    { path: 'b' },
  )
})

test('a file that fits at its beginning is not read again', async (t) => {
  let reads = 0
  const { append, mismatches } = collect(t, jsonl, (store) => ({
    ...store,
    get: (key, range) => {
      if (key.includes('/segments/') && range === undefined) reads++
      return store.get(key, range)
    },
  }))
  await append('a', good(100))
  for (let count = 0; count < 5; count++) await append('a', bad(40))
  t.deepEqual([reads, (await mismatches()).length], [0, 0])
})

test('each source is told of', async (t) => {
  const { append, write, mismatches } = collect(t, jsonl)
  await write('b', `x${bad(30)}`)
  await append('a', bad(30))
  await append('b', '')
  t.deepEqual((await mismatches()).map(({ path }) => path).sort(), ['a', 'b'])
})
