import test from 'ava'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { segmentKey } from '../../src/core/segment.ts'
import { openLedger } from '../../src/roles/ledger.ts'
import { latestManifest } from '../../src/query/manifest.ts'
import { replay } from '../../src/query/replay.ts'
import { jobLine } from '../support/job-format.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'
import { openTables, openTablesOnS3 } from '../support/tables.ts'
import type { Tables } from '../support/tables.ts'

const lines = Array.from({ length: 12 }, (_, n) =>
  jobLine(`2026-03-0${1 + (n % 4)}T10:00:${10 + n}Z`, {
    job_id: String(n),
    user: n % 2 === 0 ? 'ann' : 'bob',
    queue: 'q',
  }),
)

async function append({ store }: Tables, texts: string[], before: string[]): Promise<void> {
  let start = before.join('').length
  for (const text of texts) {
    const { object } = segmentObject([Buffer.from(text)], { before: Buffer.alloc(start) })
    await store.create(segmentKey('r', 's-0', start), object)
    start += text.length
  }
}

const everything = 'SELECT * FROM records ORDER BY source, "offset"'
const everyJob = 'SELECT * FROM jobs ORDER BY source, "offset"'

for (const [where, open] of Object.entries({ 'in a directory': openTables, 'on S3': openTablesOnS3 })) {
  test(`the rows are the same before a build, after it, and half of each; and they are those of replay: ${where}`, async (t) => {
    const tables: Tables = await open(t)
    await append(tables, [...lines.slice(0, 6), 'broken\n'], [])
    await append(tables, lines.slice(6), [...lines.slice(0, 6), 'broken\n'])
    const before = [await tables.ask(everything), await tables.ask(everyJob)]
    t.deepEqual([before[0]?.length, before[1]?.length], [13, 12])
    await tables.build()
    t.deepEqual([await tables.ask(everything), await tables.ask(everyJob)], before)
    const more = jobLine('2026-03-01T12:00:00Z', { job_id: 'more' })
    await append(tables, [more], [...lines, 'broken\n'])
    const half = [await tables.ask(everything), await tables.ask(everyJob)]
    t.is(half[0]?.length, 14)
    await tables.build()
    t.deepEqual([await tables.ask(everything), await tables.ask(everyJob)], half)
    const entries = []
    for await (const entry of replay(tables.context, openLedger(tables.store, 'r'), {
      source: null,
      from: 0,
      to: 1e9,
      sinceMs: null,
      untilMs: null,
    }))
      entries.push([
        entry['source'],
        Number(entry['start']),
        entry['raw']?.toString(),
        entry['time'] || null,
        JSON.parse(String(entry['fields'])),
      ])
    t.deepEqual(
      (half[0] ?? []).map((row) => [row['source'], row['offset'], row['raw'], row['time'], row['fields']]),
      entries,
    )
  })
}

test('only the files that a query needs are fetched', async (t) => {
  const tables = await openTablesOnS3(t)
  await archiveSource(tables.store, lines)
  await tables.build()
  const fetched = async (sql: string): Promise<string[]> => {
    const seen = new Set<string>()
    tables.server.fault = ({ operation, key }) => {
      if (operation === 'get' && key.endsWith('.parquet'))
        seen.add(key.replace(/.*tables\/(\w+)\/.*(date=[^/]+).*/, '$1 $2'))
      return undefined
    }
    await tables.ask(sql)
    return [...seen].sort()
  }
  t.deepEqual(await fetched(`SELECT job_id FROM jobs WHERE end_time < '2026-03-02'`), ['jobs date=2026-03-01'])
  t.deepEqual(await fetched(`SELECT job_id FROM jobs WHERE root = 'other'`), [])
  t.deepEqual(await fetched(`SELECT raw FROM records WHERE date >= '2026-03-04'`), ['records date=2026-03-04'])
  t.is((await fetched('SELECT * FROM jobs')).length, 4)
})

test('as of then: what was stored by then, from tables, from segments, and with both in one file', async (t) => {
  const tables = openTables(t)
  const [first = '', second = '', third = ''] = [1, 2, 3].map((n) =>
    jobLine('2026-03-01T10:00:00Z', { job_id: String(n) }),
  )
  const at: number[] = []
  const ids = async (asOfMs: number | null): Promise<unknown[]> => {
    const jobs = await tables.ask('SELECT job_id FROM jobs ORDER BY 1', { asOfMs })
    const records = await tables.ask('SELECT count(*)::INTEGER AS n FROM records', { asOfMs })
    t.is(records[0]?.['n'], jobs.length)
    return jobs.map((row) => row['job_id'])
  }
  const stored: string[] = []
  for (const text of [first, second, third]) {
    at.push(Date.now())
    await delay(20)
    await append(tables, [text], stored)
    stored.push(text)
    await delay(20)
  }
  const check = async (): Promise<void> => {
    t.deepEqual(await ids(at[0] as number), [])
    t.deepEqual(await ids(at[1] as number), ['1'])
    t.deepEqual(await ids(at[2] as number), ['1', '2'])
    t.deepEqual(await ids(null), ['1', '2', '3'])
  }
  await check()
  await tables.build()
  const { current } = await latestManifest(tables.store, 'r')
  t.is(current?.files.length, 2, 'all three in one file')
  await check()
})

test('as of then a copy that came later makes nothing a duplicate', async (t) => {
  const tables = openTables(t)
  const line = jobLine('2026-03-01T10:00:00Z', { job_id: '1' })
  await archiveSource(tables.store, [line], { source: 's-5', family: 'acct' })
  await delay(20)
  const then = Date.now()
  await delay(20)
  await archiveSource(tables.store, [line], { source: 's-1', family: 'acct' })
  await tables.build()
  const sql = 'SELECT source, duplicate_of FROM records ORDER BY 1'
  t.deepEqual(await tables.ask(sql, { asOfMs: then }), [{ source: 's-5', duplicate_of: null }])
  t.is((await tables.ask(sql)).length, 2)
  t.is((await tables.ask('SELECT * FROM jobs', { asOfMs: then })).length, 1)
  t.is((await tables.ask('SELECT * FROM jobs')).length, 1)
})

test('what an answer rests on', async (t) => {
  const tables = openTables(t)
  await append(tables, lines.slice(0, 6), [])
  await tables.build()
  await append(tables, lines.slice(6), lines.slice(0, 6))
  const session = await tables.open()
  const built = lines.slice(0, 6).join('').length
  const [coverage] = session.coverage
  t.like(coverage, { root: 'r', manifest: 1, failed: [] })
  t.deepEqual(coverage?.parser, { format: 'job-lines', version: 1, timezone: null })
  t.deepEqual([...(coverage?.inTables ?? [])], [['s-0', built]])
  t.deepEqual(coverage?.ranges, [{ source: 's-0', from: built, to: lines.join('').length }])
  t.deepEqual(await session.rows('SELECT count(*)::INTEGER AS n FROM jobs WHERE "user" = $user', { user: 'ann' }), [
    { n: 6 },
  ])
  await session.close()
})

test('a session without a query answers any; SQL that is wrong, or no SELECT, is refused', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, lines)
  await tables.build()
  const session = await tables.open()
  t.is((await session.rows('SELECT * FROM jobs')).length, 12)
  t.is((await session.rows('FROM records')).length, 12)
  for (const sql of [
    '',
    'SELEC 1',
    'SELECT nope FROM jobs',
    'SELECT 1; SELECT 2',
    'DROP VIEW jobs',
    'CREATE TABLE x AS SELECT 1',
    `COPY jobs TO '/tmp/x.csv'`,
    'SET lock_configuration = false',
    `SELECT * FROM read_text('/etc/passwd')`,
    `SELECT * FROM read_parquet('${tables.path}/**/*.parquet')`,
    `ATTACH '${tables.path}/x.db'`,
    'INSTALL httpfs',
    'EXPLAIN ANALYZE SELECT 1',
    "SELECT error('no')",
  ]) {
    const error = await t.throwsAsync(session.rows(sql), { code: 'query-failed' }, sql)
    t.truthy(error?.message)
    await t.throwsAsync(tables.ask(sql), { code: 'query-failed' }, sql)
  }
  await session.close()
})

test('a table that is removed while a session is open is a clear error', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, lines)
  await tables.build()
  const session = await tables.open()
  rmSync(join(tables.path, 'derived'), { recursive: true })
  const error = await t.throwsAsync(session.rows('SELECT * FROM records'), { code: 'table-missing' })
  t.regex((error as { remedy?: string })?.remedy ?? '', /tables build/)
  await session.close()
})

test('a root without data has the columns and no rows', async (t) => {
  const tables = openTables(t)
  const session = await tables.open()
  t.deepEqual(await session.rows('SELECT * FROM jobs'), [])
  t.is((await session.rows('DESCRIBE records')).length, 24)
  t.like(session.coverage[0], { manifest: 0, files: 0, ranges: [] })
  await session.close()
})

test('a damaged segment leaves its source out from there, and is told', async (t) => {
  const tables = openTables(t)
  const keys = await archiveSource(tables.store, lines)
  await tables.store.remove(keys[3] as string)
  await archiveSource(tables.store, [lines[0] as string], { source: 's-1', family: 'other' })
  const session = await tables.open()
  t.is((await session.rows('SELECT * FROM jobs')).length, 4)
  t.deepEqual(
    session.coverage[0]?.failed.map(({ source }) => source),
    ['s-0'],
  )
  await session.close()
})

test('an answer as a Parquet file', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, lines)
  const session = await tables.open()
  const path = await session.parquet('SELECT job_id, exec_hosts FROM jobs; -- all')
  const { asyncBufferFromFile, parquetReadObjects } = await import('hyparquet')
  const { compressors } = await import('hyparquet-compressors')
  t.is((await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })).length, 12)
  await session.close()
})
