import { createHash } from 'node:crypto'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { csv } from '../../src/formats/csv.ts'
import type { Format } from '../../src/formats/format.ts'
import { frameStream } from '../../src/formats/stream.ts'
import { htcondor } from '../../src/formats/htcondor.ts'
import { lsf } from '../../src/formats/lsf.ts'
import { openRowReader, pendingOf } from '../../src/query/pending.ts'
import { replay } from '../../src/query/replay.ts'
import { anomaliesOf } from '../../src/roles/journal.ts'
import { openLedger } from '../../src/roles/ledger.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openRoot } from '../support/root-context.ts'

const ad = (n: number): string =>
  `MyType = "Job"\nClusterId = ${n}\nProcId = 0\n*** Offset = 0 ClusterId = ${n} ProcId = 0 Owner = "o" CompletionDate = 5\n`
const half = 'MyType = "Job"\nClusterId = 7\n'
const everything = { source: null, from: 0, to: Number.MAX_SAFE_INTEGER, sinceMs: null, untilMs: null }

interface Told {
  start: number
  end: number
  raw: string
  flags: string
}

/** A root whose files are final when it is said. */
function collect(t: ExecutionContext, format: Format, withFeed = true) {
  const opened = openRoot(t)
  const { root } = opened.context
  let writes = 0
  const settle = { readMs: 1, tailMs: 1e9, finalMs: 1e9 }
  const context = {
    ...opened.context,
    feed: withFeed ? opened.feed : null,
    random: () => String(writes++).padStart(32, '0'),
    root: { ...root, format, settle },
  }
  const worker = openWorker(context, { inFlight: openThrottle(1e8) })
  worker.setRemote(false)
  const ledger = openLedger(opened.store, 'r')
  const told = (entry: Record<string, unknown>): Told => ({
    start: Number(entry['start']),
    end: Number(entry['end']),
    raw: String(entry['raw']),
    flags: String(entry['flags']),
  })
  return {
    opened,
    /** When what waits is archived. */
    seal: (bytes: number) => void (context.root.seal = { bytes, ageMs: bytes }),
    visit: async (path: string, isFinal: 'final' | 'growing' = 'growing'): Promise<void> => {
      settle.finalMs = isFinal === 'final' ? 0 : 1e9
      worker.signal({ path, cause: 'test' })
      await worker.caughtUp(0)
    },
    write: (path: string, text: string) => writeFile(join(opened.path, path), text),
    append: (path: string, text: string) => appendFile(join(opened.path, path), text),
    published: () => opened.feed.records('r').map(({ fields }) => told(fields)),
    replayed: async (): Promise<Told[]> =>
      (await Array.fromAsync(replay(context, openLedger(opened.store, 'r'), everything))).map(told),
    anomalies: async () => (await anomaliesOf(opened.store, 'r')).map(({ kind, end }) => ({ kind, end })),
    /** Rows of the tables, built bit by bit. */
    rows: async (covered: Map<string, number>): Promise<{ raw: string; isIncomplete: boolean }[]> => {
      const rows: { raw: string; isIncomplete: boolean }[] = []
      const read = openRowReader(context.root, ledger)
      for (const { source, floor, end } of await pendingOf(context, ledger, { covered, asOfMs: null })) {
        for await (const part of read({ source, start: Math.max(floor, covered.get(source) ?? 0), end })) {
          for (const { raw, isIncomplete } of part.rows) rows.push({ raw: raw.toString(), isIncomplete })
          covered.set(source, part.to)
        }
      }
      return rows
    },
  }
}

const torn: [string, Format, string, string][] = [
  ['htcondor', htcondor, ad(1), half],
  ['lsf', lsf, '"JOB_NEW" "10.1" 1700000000 1 "a"\n', '"JOB_NEW" "10.1" 1700000001 2 "a command\nof lines\n'],
  ['csv', csv, 'a,b\n1,"x"\n', '2,"of\n'],
]
for (const [name, format, whole, rest] of torn) {
  test(`${name}: a final source that ends inside of a record, after a newline: published as incomplete, by stream, replay and tables`, async (t) => {
    const { visit, write, published, replayed, anomalies, rows } = collect(t, format)
    const covered = new Map<string, number>()
    await write('f', whole + rest)
    await visit('f')
    t.is(
      published()
        .map(({ raw }) => raw)
        .join(''),
      whole,
    )
    t.is((await rows(covered)).map(({ raw }) => raw).join(''), whole)
    await visit('f', 'final')
    const [last] = published().slice(-1)
    t.is(last?.raw, rest)
    t.regex(last?.flags ?? '', /incomplete/)
    t.is(last?.end, whole.length + rest.length)
    t.deepEqual(await replayed(), published())
    t.deepEqual(await rows(covered), [{ raw: rest, isIncomplete: true }])
    t.deepEqual(await rows(covered), [])
    t.deepEqual(await anomalies(), [{ kind: 'unfinished', end: whole.length + rest.length }])
  })
}

test('what comes after all is not joined, whoever reads', async (t) => {
  const { visit, write, append, published, replayed, rows } = collect(t, htcondor)
  await write('f', ad(1) + half)
  await visit('f', 'final')
  await append('f', `ProcId = 0\n${ad(7).slice(ad(7).indexOf('***'))}${ad(8)}`)
  await visit('f')
  t.deepEqual(
    published().map(({ raw }) => raw),
    [ad(1), half, `ProcId = 0\n${ad(7).slice(ad(7).indexOf('***'))}`, ad(8)],
  )
  t.deepEqual(await replayed(), published())
  t.deepEqual(
    (await rows(new Map())).map(({ raw }) => raw),
    published().map(({ raw }) => raw),
  )
})

test('without a records stream the journal says it all the same', async (t) => {
  const { visit, write, replayed, anomalies } = collect(t, htcondor, false)
  await write('f', ad(1) + half)
  await visit('f')
  await visit('f', 'final')
  t.deepEqual(
    (await replayed()).map(({ raw, flags }) => [raw, flags.includes('incomplete')]),
    [
      [ad(1), false],
      [half, true],
    ],
  )
  t.is((await anomalies()).length, 1)
})

test('a source that ends with its last record has nothing told of it', async (t) => {
  const { visit, write, anomalies } = collect(t, htcondor)
  await write('f', ad(1) + ad(2))
  await visit('f', 'final')
  t.deepEqual(await anomalies(), [])
})

test('a row whose end only what follows it told is not taken for another, once it is archived alone', async (t) => {
  const { visit, append, seal, published } = collect(t, csv)
  await append('f', 'a,b\n')
  await visit('f')
  seal(1e9)
  const row = '"1,2\n'
  await append('f', `${row}"x`)
  await visit('f')
  t.is(published().at(-1)?.raw, row)
  seal(1)
  await visit('f')
  await append('f', '"\n')
  await visit('f')
  t.deepEqual(
    published().map(({ raw }) => raw),
    ['a,b\n', row, '"x"\n'],
  )
})

const scraps: [string, Format, string[]][] = [
  ['htcondor', htcondor, [ad(1), ad(2), half, 'ClusterId = 7\n', '*** ', '***', '\n', 'x = "', '"', 'y'.repeat(700)]],
  [
    'lsf',
    lsf,
    [
      '"JOB_NEW" "10.1" 1700000000 1 "a"\n',
      '"JOB_NEW" "10.1" 1700000001 ',
      '"',
      '""',
      ' ',
      '\n',
      'a\nb',
      '# c\n',
      'y'.repeat(700),
    ],
  ],
  ['csv', csv, ['1,2\n', '"a\nb",2\r\n', '"', '""', ',', '\n', '\r\n', '"x', 'y'.repeat(700)]],
]
for (const [name, format, some] of scraps) {
  test(`${name}: whatever comes, in whatever pieces, stream, replay, tables and decode give the same records`, async (t) => {
    const pick = seeded(name)
    for (let round = 0; round < 4; round++) {
      const { visit, append, seal, published, replayed, rows } = collect(t, format)
      let text = some[0] as string
      await append('f', text)
      await visit('f')
      for (let piece = 0; piece < 25; piece++) {
        const more = Array.from({ length: pick(6) }, () => some[pick(some.length)]).join('')
        text += more
        seal(pick(3) === 0 ? 1 : 1e9)
        await append('f', more)
        await visit('f')
      }
      seal(1)
      await visit('f', 'final')
      const told = published()
      t.is(told.map(({ raw }) => raw).join(''), text)
      t.deepEqual(await replayed(), told)
      const tabled = await rows(new Map())
      t.deepEqual(
        tabled.map(({ raw }) => raw),
        told.map(({ raw }) => raw),
      )
      const decoded = (await Array.fromAsync(frameStream(format, [Buffer.from(text)], { recordBytesMax: 1000 }))).flat()
      t.deepEqual(
        decoded.map(({ raw }) => raw.toString()),
        told.map(({ raw }) => raw),
      )
    }
  })
}

/** Integers below a number, the same ones each time. */
function seeded(seed: string): (below: number) => number {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0)
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
