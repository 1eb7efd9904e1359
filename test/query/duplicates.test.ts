import test from 'ava'
import { setTimeout as delay } from 'node:timers/promises'
import { jobLine } from '../support/job-format.ts'
import { archiveSource } from '../support/segments.ts'
import { openTables } from '../support/tables.ts'
import type { Tables } from '../support/tables.ts'

const a = jobLine('2026-03-01T10:00:00Z', { job_id: '1' })
const b = jobLine('2026-03-01T11:00:00Z', { job_id: '2' })
const heartbeat = '{"time":"2026-03-01T10:00:00Z","type":"heartbeat"}\n'
const all = 'SELECT source, "offset", duplicate_of FROM records ORDER BY source, "offset"'

/** Archives so that a later source has a later store time. */
async function archive({ store }: Tables, source: string, texts: string[], family = 'acct'): Promise<void> {
  await archiveSource(store, texts, { source, family })
  await delay(5)
}

async function duplicates(tables: Tables): Promise<unknown[]> {
  return (await tables.ask(all)).map(({ source, offset, duplicate_of: of }) => [source, offset, of])
}

const ways: Record<string, (tables: Tables, first: () => Promise<void>, then: () => Promise<void>) => Promise<void>> = {
  'both built at once': async (tables, first, then) => {
    await first()
    await then()
    await tables.build()
  },
  'built one after the other': async (tables, first, then) => {
    await first()
    await tables.build()
    await then()
    await tables.build()
  },
  'one built, one from its segments': async (tables, first, then) => {
    await first()
    await tables.build()
    await then()
  },
  'both from their segments': async (_tables, first, then) => {
    await first()
    await then()
  },
}

for (const [way, run] of Object.entries(ways)) {
  test(`a copy under another identity holds duplicates of the one archived first: ${way}`, async (t) => {
    const tables = openTables(t)
    await run(
      tables,
      () => archive(tables, 's-9', [a, heartbeat]),
      () => archive(tables, 's-0', [heartbeat + a + b]),
    )
    t.deepEqual(await duplicates(tables), [
      ['s-0', 0, null],
      ['s-0', heartbeat.length, 's-9:0'],
      ['s-0', heartbeat.length + a.length, null],
      ['s-9', 0, null],
      ['s-9', a.length, null],
    ])
    t.deepEqual(await tables.ask('SELECT job_id, source FROM jobs ORDER BY 1'), [
      { job_id: '1', source: 's-9' },
      { job_id: '2', source: 's-0' },
    ])
  })
}

test('equal lines within one source are two facts, and a copy of both holds two duplicates', async (t) => {
  const tables = openTables(t)
  await archive(tables, 's-0', [a + a])
  await tables.build()
  await archive(tables, 's-1', [a + a + a])
  await tables.build()
  t.deepEqual(await duplicates(tables), [
    ['s-0', 0, null],
    ['s-0', a.length, null],
    ['s-1', 0, 's-0:0'],
    ['s-1', a.length, `s-0:${a.length}`],
    ['s-1', 2 * a.length, null],
  ])
})

test('occurrences are counted over builds', async (t) => {
  const tables = openTables(t)
  await archive(tables, 's-0', [a])
  await archive(tables, 's-1', [a])
  await tables.build()
  const { segmentObject } = await import('../support/segments.ts')
  const { object } = segmentObject([Buffer.from(a)], { source: 's-1', before: Buffer.from(a), family: 'acct' })
  await tables.store.create(`evidence/segments/r/s-1/${String(a.length).padStart(16, '0')}.zst`, object)
  await tables.build()
  t.deepEqual(await duplicates(tables), [
    ['s-0', 0, null],
    ['s-1', 0, 's-0:0'],
    ['s-1', a.length, null],
  ])
})

test('another family, or the same job with other bytes, is no duplicate', async (t) => {
  const tables = openTables(t)
  await archive(tables, 's-0', [a])
  await archive(tables, 's-1', [a], 'other')
  await archive(tables, 's-2', [jobLine('2026-03-01T10:00:00Z', { job_id: '1', user: 'ann' })])
  await tables.build()
  t.true((await duplicates(tables)).every((row) => (row as unknown[])[2] === null))
})
