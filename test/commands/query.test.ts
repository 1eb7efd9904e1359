import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { openSite as open, until, type Site } from '../support/gleaner.ts'
import { runGleaner } from '../support/run-gleaner.ts'
import { s3Server } from '../support/s3-server.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'test'

const one = '{"time":"2026-03-01T00:00:00Z","n":1,"text":"a,b"}\n'
const two = '{"time":"2026-03-02T00:00:00.5Z","n":2}\n'

async function openSite(t: ExecutionContext, text: string, more: Record<string, unknown> = {}): Promise<Site> {
  const site = await open()
  t.teardown(() => site.close())
  await site.configure(more, { format: 'jsonl' })
  writeFileSync(join(site.logs, 'acct'), text)
  const ran = await site.gleaner('reconcile')
  t.is(ran.code, 0, ran.stderr)
  return site
}

const sql = `SELECT "time", fields->>'n' AS n, "offset" FROM records ORDER BY "offset"`

test('a table for persons, json, csv and parquet', async (t) => {
  const site = await openSite(t, one + two)
  const ran = await site.gleaner('query', sql)
  t.is(ran.code, 0, ran.stderr)
  t.is(
    ran.stdout,
    `time                      n  offset\n2026-03-01T00:00:00Z      1       0\n2026-03-02T00:00:00.500Z  2      ${one.length}\n`,
  )
  t.deepEqual(JSON.parse((await site.gleaner('--json', 'query', sql)).stdout), [
    { time: '2026-03-01T00:00:00Z', n: '1', offset: 0 },
    { time: '2026-03-02T00:00:00.500Z', n: '2', offset: one.length },
  ])
  t.is(
    (await site.gleaner('query', sql, '--format', 'csv')).stdout,
    `time,n,offset\n2026-03-01T00:00:00Z,1,0\n2026-03-02T00:00:00.500Z,2,${one.length}\n`,
  )
  const parquet = await runGleaner(['--config', site.config, 'query', sql, '--format', 'parquet'])
  const file = join(site.dir, 'answer.parquet')
  writeFileSync(file, parquet.stdout)
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file), compressors })
  t.deepEqual(
    rows.map(({ n }) => n),
    ['1', '2'],
  )
})

test('tables build says what it built, and the answer is the same after it', async (t) => {
  const site = await openSite(t, one + two)
  const before = await site.gleaner('query', sql)
  const built = await site.gleaner('--json', 'tables', 'build')
  t.is(built.code, 0, built.stderr)
  t.like(JSON.parse(built.stdout), [{ root: 'r', records: 2, jobs: 0, failed: [] }])
  t.is((await site.gleaner('query', sql)).stdout, before.stdout)
  t.is((await site.gleaner('tables', 'build')).stdout, 'r: nothing new\n')
})

test('--output writes the answer to a file, --as-of answers as it was known then', async (t) => {
  const site = await openSite(t, one)
  const file = join(site.dir, 'answer.csv')
  t.is((await site.gleaner('query', sql, '--format', 'csv', '--output', file)).stdout, '')
  t.is(readFileSync(file, 'utf8'), 'time,n,offset\n2026-03-01T00:00:00Z,1,0\n')
  t.deepEqual(JSON.parse((await site.gleaner('--json', 'query', sql, '--as-of', '2020-01-01')).stdout), [])
})

test('SQL that is wrong is refused with what DuckDB says, and exit status 2', async (t) => {
  const site = await openSite(t, one)
  for (const [wrong, said] of [
    ['SELECT x FROM jobs', /"x" not found/],
    ['DROP TABLE jobs', /only SELECT/],
  ] as const) {
    const ran = await site.gleaner('query', wrong)
    t.is(ran.code, 2, wrong)
    t.regex(ran.stderr, said)
    t.is(ran.stdout, '')
  }
  t.is((await site.gleaner('query', 'SELECT 1', '--format', 'xml')).code, 2)
  t.is((await site.gleaner('query', 'SELECT 1', '--root', 'none')).code, 1)
  t.is((await site.gleaner('tables', 'build', '--date', 'yesterday')).code, 2)
})

test('a root without data: no rows, the columns, and a note', async (t) => {
  const site = await openSite(t, '')
  const ran = await site.gleaner('--json', 'query', 'SELECT job_id FROM jobs')
  t.is(ran.code, 0)
  t.deepEqual(JSON.parse(ran.stdout), [])
  t.regex(ran.stderr, /root r has no archived records/)
  t.regex((await site.gleaner('query', 'DESCRIBE jobs')).stdout, /cpu_system_s +DOUBLE/)
})

test('a table that was removed: a clear error, and the next build makes it again', async (t) => {
  const site = await openSite(t, one + two)
  await site.gleaner('tables', 'build')
  rmSync(join(site.archive, 'derived/tables/records'), { recursive: true })
  const ran = await site.gleaner('query', sql)
  t.is(ran.code, 1)
  t.regex(ran.stderr, /date=2026-03-0[12].*is not there\nwhat to do: run `gleaner tables build`/)
  t.is((await site.gleaner('tables', 'build')).code, 0)
  t.is((JSON.parse((await site.gleaner('--json', 'query', sql)).stdout) as unknown[]).length, 2)
})

test('a build that is killed half-way has changed nothing, and the next one builds all', async (t) => {
  const days = Array.from({ length: 365 }, (_, n) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString())
  const site = await openSite(t, days.map((time, n) => `{"time":"${time}","n":${n}}\n`).join(''))
  const tables = join(site.archive, 'derived', 'tables')
  const files = (): string[] => (existsSync(tables) ? readdirSync(tables, { recursive: true }).map(String) : [])
  const building = await site.start(['tables', 'build'], '')
  await until(() => files().some((name) => name.endsWith('.parquet')))
  building.kill('SIGKILL')
  t.is((await building.ended).signal, 'SIGKILL')
  t.false(
    files().some((name) => name.startsWith('manifest')),
    'it was killed before its commit',
  )
  const count = async (): Promise<unknown> =>
    JSON.parse(
      (await site.gleaner('--json', 'query', `SELECT count(*) AS n, sum((fields->>'n')::INTEGER) AS sum FROM records`))
        .stdout,
    )
  t.deepEqual(await count(), [{ n: 365, sum: 66_430 }])
  t.is((await site.gleaner('tables', 'build')).code, 0)
  t.deepEqual(await count(), [{ n: 365, sum: 66_430 }])
})

test('on S3', async (t) => {
  const server = s3Server()
  const { endpoint, close } = await server.start(0)
  const site = await openSite(t, one + two, { archive: 's3://archive/prefix', s3: { endpoint, forcePathStyle: true } })
  const rows = async (): Promise<unknown> => JSON.parse((await site.gleaner('--json', 'query', sql)).stdout)
  const before = await rows()
  t.is((await site.gleaner('tables', 'build')).code, 0)
  t.true([...server.objects.keys()].some((key) => key.includes('/derived/tables/records/v=1/root=r/date=2026-03-01/')))
  t.deepEqual(await rows(), before)
  t.is((before as unknown[]).length, 2)
  await close()
})

test('run builds tables on its schedule', async (t) => {
  const site = await openSite(t, one, { tables: { every: '1h' } })
  const running = await site.start(['run'], '"running"')
  await until(() => existsSync(join(site.archive, 'derived/tables/manifest/r/0000000000000001.json.zst')))
  running.kill('SIGTERM')
  t.is((await running.ended).code, 0)
})
