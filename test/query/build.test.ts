import test from 'ava'
import { parquetMetadataAsync, parquetReadObjects, parquetSchema, asyncBufferFromFile } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { latestManifest } from '../../src/query/manifest.ts'
import { sweepTables } from '../../src/query/sweep.ts'
import { columnsOf } from '../../src/query/table-schema.ts'
import { smallFilesMax } from '../../src/query/compact.ts'
import { jobLine, jobLines } from '../support/job-format.ts'
import { archiveSource, segmentObject } from '../support/segments.ts'
import { openTables } from '../support/tables.ts'
import type { Tables } from '../support/tables.ts'
import { segmentKey } from '../../src/core/segment.ts'

const one = jobLine('2026-03-01T10:00:00Z', { job_id: '1', user: 'ann', exec_hosts: ['x', 'y'], slots: 4 })
const two = jobLine('2026-03-02T10:00:00Z', { job_id: '2', user: 'bob' })
const late = jobLine('2026-03-01T23:59:59Z', { job_id: '3', user: 'bob' })

const keys = async ({ context }: Tables): Promise<string[]> =>
  ((await latestManifest(context.derived, 'r')).current?.files ?? []).map(({ key }) => key)

const dates = async (tables: Tables, table: string): Promise<string[]> =>
  ((await latestManifest(tables.context.derived, 'r')).current?.files ?? [])
    .filter((file) => file.table === table)
    .map(({ date }) => date ?? 'none')
    .sort()

/** What lies in the store below `derived/tables`, manifests left out. */
function filesIn(path: string): string[] {
  const below = join(path, 'derived', 'tables')
  return readdirSync(below, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.parquet'))
    .map((name) => join('derived', 'tables', name))
    .sort()
}

/** One more segment of source `s-0`, behind `before`. */
async function append({ store }: Tables, before: string, text: string): Promise<void> {
  const { object, header } = segmentObject([Buffer.from(text)], { before: Buffer.from(before) })
  await store.create(segmentKey(header.root, header.source, header.start), object)
}

test('a build puts records and jobs into the partition of their time, those without a time into one of their own', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one, `${two}nonsense\n`])
  const report = await tables.build()
  t.deepEqual(report, { root: 'r', bytes: one.length + two.length + 9, records: 3, jobs: 2, files: 5, failed: [] })
  t.deepEqual(await dates(tables, 'jobs'), ['2026-03-01', '2026-03-02'])
  t.deepEqual(await dates(tables, 'records'), ['2026-03-01', '2026-03-02', 'none'])
  t.true(
    (await keys(tables)).some((key) =>
      /^derived\/tables\/records\/v=1\/root=r\/date=__HIVE_DEFAULT_PARTITION__\/\w+\.parquet$/.test(key),
    ),
  )
})

test('the next build reads only what came since; late records go into their own date', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one, two])
  await tables.build()
  const before = await keys(tables)
  await append(tables, one + two, late)
  t.like(await tables.build(), { bytes: late.length, records: 1, jobs: 1, files: 2 })
  const added = (await keys(tables)).filter((key) => !before.includes(key))
  t.true(added.every((key) => key.includes('/date=2026-03-01/')))
  t.like(await tables.build(), { bytes: 0, records: 0, files: 0 })
  t.is((await latestManifest(tables.context.derived, 'r')).n, 2, 'nothing new is no new manifest')
})

test('a record that is not finished at the head is not in, and comes whole with the next build', async (t) => {
  const tables = openTables(t)
  // A segment that ends inside a record: it could be one of a format with records over several lines.
  const whole = one + two.slice(0, 30)
  const { object, header } = segmentObject([Buffer.from(whole)], { header: { tail: 'complete' } })
  await tables.store.create(segmentKey('r', 's-0', 0), object)
  t.like(await tables.build(), { bytes: one.length, records: 1 })
  const rest = segmentObject([Buffer.from(two.slice(30))], {
    before: Buffer.from(whole),
    previousChain: header.chain,
  })
  await tables.store.create(segmentKey('r', 's-0', whole.length), rest.object)
  t.like(await tables.build(), { bytes: two.length, records: 1 })
  t.deepEqual(await tables.ask('SELECT job_id, "offset" FROM jobs ORDER BY 1'), [
    { job_id: '1', offset: 0 },
    { job_id: '2', offset: one.length },
  ])
})

test('hyparquet opens the files, with the columns and types of the contract', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one])
  await tables.build()
  const expected: Record<string, string> = {
    VARCHAR: 'BYTE_ARRAY UTF8',
    BIGINT: 'INT64 INT_64',
    TIMESTAMPTZ: 'INT64 TIMESTAMP_MICROS',
    BOOLEAN: 'BOOLEAN -',
    INTEGER: 'INT32 INT_32',
    BLOB: 'BYTE_ARRAY -',
    JSON: 'BYTE_ARRAY JSON',
    DOUBLE: 'DOUBLE -',
    'VARCHAR[]': 'list BYTE_ARRAY UTF8',
  }
  for (const key of await keys(tables)) {
    const table = key.includes('/jobs/') ? 'jobs' : 'records'
    const file = await asyncBufferFromFile(join(tables.path, key))
    const metadata = await parquetMetadataAsync(file)
    const types = parquetSchema(metadata).children.map(({ element, children }) => {
      const leaf = children[0]?.children[0]?.element
      return leaf ? `list ${leaf.type} ${leaf.converted_type}` : `${element.type} ${element.converted_type ?? '-'}`
    })
    t.deepEqual(
      types,
      columnsOf[table].map(([, type]) => expected[type]),
    )
    t.deepEqual(
      parquetSchema(metadata).children.map(({ element }) => element.name),
      columnsOf[table].map(([name]) => name),
    )
    const told = Object.fromEntries((metadata.key_value_metadata ?? []).map((pair) => [pair.key, pair.value]))
    t.deepEqual(JSON.parse(told['gleaner_ranges'] ?? ''), [['s-0', 'acct', 0, one.length]])
    t.like(JSON.parse(told['gleaner_parser'] ?? ''), { format: 'job-lines', version: 1 })
    const [row] = await parquetReadObjects({ file, compressors, utf8: false })
    if (table === 'jobs') t.like(row, { job_id: '1', user: 'ann', exec_hosts: ['x', 'y'], slots: 4, queue: null })
    else t.is(Buffer.from(row?.['raw'] as Uint8Array).toString(), one)
  }
})

test('what does not fit its column is NULL, and stops nothing', async (t) => {
  const tables = openTables(t)
  const odd = {
    job_id: '1',
    slots: 1e12,
    uid: 1e300,
    memory_max_bytes: Number.MAX_SAFE_INTEGER,
    start_time: 1e18,
    wall_s: 0.5,
  }
  await archiveSource(tables.store, [jobLine('2026-03-01T00:00:00Z', odd)])
  await tables.build()
  const sql = 'SELECT slots, uid, memory_max_bytes, start_time, wall_s, queue FROM jobs'
  t.deepEqual(await tables.ask(sql), [
    { slots: null, uid: null, memory_max_bytes: Number.MAX_SAFE_INTEGER, start_time: null, wall_s: 0.5, queue: null },
  ])
})

test('a file that is gone or cut is made again by the next build, from the bytes that were in it', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one + two, late])
  await tables.build()
  const rows = await tables.ask('SELECT * FROM records ORDER BY "offset"')
  const [gone] = (await keys(tables)).filter((key) => key.includes('records/v=1/root=r/date=2026-03-01'))
  rmSync(join(tables.path, gone as string))
  const error = await t.throwsAsync(tables.ask('SELECT * FROM records'), { code: 'table-missing' })
  t.regex(error?.message ?? '', /date=2026-03-01.*not there/)
  t.like(await tables.build(), { records: 2, jobs: 2 })
  t.deepEqual(await tables.ask('SELECT * FROM records ORDER BY "offset"'), rows)
})

test('a date is made again when asked, and gives the same rows', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one + two])
  await tables.build()
  await append(tables, one + two, late)
  await tables.build()
  const rows = await tables.ask('SELECT * FROM jobs ORDER BY "offset"')
  t.like(await tables.build({ date: '2026-03-01' }), { records: 2, jobs: 2, files: 2 })
  t.deepEqual(await dates(tables, 'jobs'), ['2026-03-01', '2026-03-02'])
  t.deepEqual(await tables.ask('SELECT * FROM jobs ORDER BY "offset"'), rows)
})

test('two builders at once lose and double nothing', async (t) => {
  const tables = openTables(t)
  const lines = Array.from({ length: 40 }, (_, n) => jobLine('2026-03-01T10:00:00Z', { job_id: String(n) }))
  await archiveSource(tables.store, lines)
  await Promise.all([tables.build({ commitEveryMs: 0 }), tables.build({ commitEveryMs: 0 }), tables.build()])
  const [row] = await tables.ask('SELECT count(*)::INTEGER AS n, count(DISTINCT job_id)::INTEGER AS ids FROM jobs')
  t.deepEqual(row, { n: 40, ids: 40 })
  t.deepEqual(filesIn(tables.path), (await keys(tables)).sort(), 'what the losers wrote is removed')
})

test('many small files of a date become one', async (t) => {
  const tables = openTables(t)
  let before = ''
  for (let n = 0; n <= smallFilesMax; n++) {
    const line = jobLine('2026-03-01T10:00:00Z', { job_id: String(n) })
    await append(tables, before, line)
    await tables.build()
    before += line
  }
  t.deepEqual(await dates(tables, 'jobs'), ['2026-03-01'])
  t.deepEqual(await tables.ask('SELECT count(DISTINCT job_id)::INTEGER AS n, count(*)::INTEGER AS all FROM jobs'), [
    { n: smallFilesMax + 1, all: smallFilesMax + 1 },
  ])
  const [file] = (await latestManifest(tables.store, 'r')).current?.files ?? []
  const merged = (await latestManifest(tables.store, 'r')).current?.files.find(({ table }) => table === 'jobs')
  t.deepEqual(merged?.times['job_id'], [0, smallFilesMax])
  t.is(file?.bytes, statSync(join(tables.path, file?.key ?? '')).size)
})

test('the manifest says which ids a file holds, where all are plain numbers', async (t) => {
  const tables = openTables(t)
  const lines = ['3', '20', '7'].map((job_id) => jobLine('2026-03-01T10:00:00Z', { job_id }))
  const more = ['4', '007'].map((job_id) => jobLine('2026-03-02T10:00:00Z', { job_id }))
  await archiveSource(tables.store, [...lines, ...more])
  await tables.build()
  const files = (await latestManifest(tables.store, 'r')).current?.files.filter(({ table }) => table === 'jobs') ?? []
  t.deepEqual(
    files.map(({ date, times }) => [date, times['job_id']]),
    [
      ['2026-03-01', [3, 20]],
      ['2026-03-02', undefined],
    ],
  )
  for (const id of ['20', '007', '4'])
    t.is((await tables.ask(`SELECT * FROM jobs WHERE job_id = '${id}'`)).length, 1, id)
})

test('sweeping removes what no manifest of the last hour names, and keeps what a query may still read', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one])
  await tables.build()
  const first = await keys(tables)
  await tables.build({ date: '2026-03-01' })
  const orphan = 'derived/tables/jobs/v=1/root=r/date=2026-03-01/orphan.parquet'
  await tables.store.put(orphan, Buffer.from('x'))
  await sweepTables(tables.context, 'r')
  t.deepEqual(filesIn(tables.path), [...first, ...(await keys(tables)), orphan].sort())
  await sweepTables(tables.context, 'r', Date.now() + 3_700_000)
  t.deepEqual(filesIn(tables.path), (await keys(tables)).sort())
  t.is((await latestManifest(tables.store, 'r')).n, 2)
})

test('another parser builds all anew beside what stands; a newer one is not built over', async (t) => {
  const tables = openTables(t)
  await archiveSource(tables.store, [one + two])
  await tables.build()
  const { root } = tables.context
  const newer = { ...tables.context, root: { ...root, format: { ...jobLines, parser: 2 } } }
  const { buildTables } = await import('../../src/query/build.ts')
  await buildTables(newer, { date: null })
  const { current, next } = await latestManifest(tables.store, 'r')
  t.is(next, null)
  t.is(current?.parser.version, 2)
  t.deepEqual(await tables.ask('SELECT count(*)::INTEGER AS n, min(parser) AS parser FROM records'), [
    { n: 2, parser: 2 },
  ])
  await t.throwsAsync(tables.build(), { code: 'archive-newer' })
})

test('a damaged source is named, and the others are built', async (t) => {
  const tables = openTables(t)
  const damaged = await archiveSource(tables.store, [one, two, late], { source: 's-0' })
  await tables.store.remove(damaged[1] as string)
  await archiveSource(tables.store, [two], { source: 's-1' })
  const report = await tables.build()
  t.deepEqual(
    report.failed.map(({ source }) => source),
    ['s-0'],
  )
  t.is(report.records, 2, 'what lies before the gap, and the other source')
})

test('what is left of a source whose beginning has expired is built', async (t) => {
  const tables = openTables(t)
  const segments = await archiveSource(tables.store, [one, two])
  await tables.store.remove(segments[0] as string)
  t.like(await tables.build(), { records: 1, failed: [] })
})
