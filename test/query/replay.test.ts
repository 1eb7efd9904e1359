import test from 'ava'
import * as fc from 'fast-check'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { revisionKey } from '../../src/core/segment.ts'
import type { Entry } from '../../src/formats/entry.ts'
import { recordEntry } from '../../src/formats/entry.ts'
import { frame } from '../../src/formats/format.ts'
import type { Format } from '../../src/formats/format.ts'
import { jsonl } from '../../src/formats/jsonl.ts'
import { lines } from '../../src/formats/lines.ts'
import type { ReplayOptions } from '../../src/query/replay.ts'
import { replay } from '../../src/query/replay.ts'
import { openLedger } from '../../src/roles/ledger.ts'
import { settingsOf } from '../support/root-context.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'

const all: ReplayOptions = { source: null, from: 0, to: Number.MAX_SAFE_INTEGER, sinceMs: null, untilMs: null }

function open(format: Format = lines) {
  const store = openMemoryStore('memory://a')
  const root = settingsOf(format)
  const run = async (options: Partial<ReplayOptions> = {}): Promise<Entry[]> => {
    const entries: Entry[] = []
    for await (const entry of replay({ root, store }, openLedger(store, 'r'), { ...all, ...options }))
      entries.push(entry)
    return entries
  }
  return { store, root, run }
}

test('the entries are those that the stream would hold, without epoch and seq', async (t) => {
  const { store, root, run } = open()
  const segments = ['one\ntwo\n', 'three\n', 'four']
  await archiveSource(store, segments, { path: 'acct.1', family: 'acct' })
  const place = { source: 's-0', path: 'acct.1', family: 'acct', rawBytesMax: 1000, parse: {} }
  const framed = frame(lines, Buffer.from(segments.join('')), { offset: 0, recordBytesMax: 1000, final: true })
  t.deepEqual(
    await run(),
    framed.map((one) => recordEntry(root.format, one, place)),
  )
})

test('readers do not join across an incomplete tail', async (t) => {
  const { store, run } = open()
  await archiveSource(store, ['one\ntw', 'o\n'])
  t.deepEqual(
    (await run()).map(({ start, end, flags }) => [start, end, flags]),
    [
      ['0', '4', ''],
      ['4', '6', 'incomplete'],
      ['6', '8', ''],
    ],
  )
})

test('wherever the segments were cut and whatever range is asked for, the records are those of the whole that begin in it', async (t) => {
  const texts = fc.array(fc.constantFrom('\n', 'a\n', 'bbb\n', 'cc\n'), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(texts, { minLength: 1, maxLength: 4 }),
      fc.nat(30),
      fc.nat(30),
      async (segments, from, to) => {
        const { store, run } = open()
        await archiveSource(
          store,
          segments.map((some) => some.join('')),
        )
        const whole = await run({ source: 's-0' })
        const range = await run({ source: 's-0', from, to })
        t.deepEqual(
          range,
          whole.filter(({ start }) => Number(start) >= from && Number(start) < to),
        )
      },
    ),
  )
})

test('sources come one after the other, and only the one asked for', async (t) => {
  const { store, run } = open()
  await archiveSource(store, ['a\n'], { source: 's-1' })
  await archiveSource(store, ['b\n'], { source: 's-0' })
  t.deepEqual(
    (await run()).map(({ source }) => source),
    ['s-0', 's-1'],
  )
  t.deepEqual(
    (await run({ source: 's-1' })).map(({ source }) => source),
    ['s-1'],
  )
  await t.throwsAsync(run({ source: 's-2' }), { code: 'not-found' })
})

test('by time: from since on, before until, and never what has no time', async (t) => {
  const { store, run } = open(jsonl)
  const at = (time: string): string => `{"time":"${time}"}\n`
  await archiveSource(store, [
    at('2026-03-01T00:00:00Z'),
    '{"x":1}\n',
    at('2026-03-02T00:00:00Z') + at('2026-03-01T12:00:00.5+01:00'),
  ])
  const times = async (since: string | null, until: string | null): Promise<unknown[]> => {
    const bound = (text: string | null): number | null => (text === null ? null : Date.parse(text))
    return (await run({ sinceMs: bound(since), untilMs: bound(until) })).map(({ time }) => time)
  }
  t.is((await times(null, null)).length, 4)
  t.deepEqual(await times('2026-03-01', '2026-03-02'), ['2026-03-01T00:00:00Z', '2026-03-01T11:00:00.500Z'])
  t.deepEqual(await times('2026-03-02', null), ['2026-03-02T00:00:00Z'])
  t.deepEqual(await times(null, '2026-03-01T00:00:00Z'), [])
})

test('a revision object gives a revision entry that names it, where the range touches it', async (t) => {
  const { store, run } = open()
  await archiveSource(store, ['one\n', 'two\n'])
  const key = revisionKey('r', 's-0', { start: 4, n: 2 })
  await store.create(key, segmentObject([Buffer.from('TWO\n')], { start: 4, path: 'acct.1', family: 'acct' }).object)
  const revision = (await run()).at(-1)
  t.deepEqual(revision, {
    v: '1',
    kind: 'revision',
    source: 's-0',
    start: '4',
    end: '8',
    revision: '2',
    path: 'acct.1',
    family: 'acct',
    format: 'lines',
    type: '',
    time: '',
    flags: '',
    error: '',
    fields: '{}',
    object: key,
  })
  t.is((await run({ source: 's-0', to: 4 })).length, 1)
  t.is((await run({ source: 's-0', from: 7 })).length, 1)
})

test('what lies before the first segment that is left can be asked for, and is not there', async (t) => {
  const { store, run } = open()
  const [first] = await archiveSource(store, ['one\n', 'two\n'])
  await store.remove(first as string)
  t.deepEqual(
    (await run({ source: 's-0', from: 0 })).map(({ start }) => start),
    ['4'],
  )
})

test('a gap is damage, and what lies before it is given first', async (t) => {
  const { store, run, root } = open()
  const keys = await archiveSource(store, ['one\n', 'two\n', 'three\n'])
  await store.remove(keys[1] as string)
  await t.throwsAsync(run(), { code: 'store-damaged' })
  const entries = replay({ root, store }, openLedger(store, 'r'), all)
  t.like((await entries.next()).value, { start: '0', end: '4' })
  await t.throwsAsync(entries.next(), { code: 'store-damaged' })
})
