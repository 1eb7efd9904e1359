import test from 'ava'
import type { ExecutionContext } from 'ava'
import type { TableFile } from '../../src/query/manifest.ts'
import { openDuck } from '../../src/query/duckdb.ts'
import type { Plan } from '../../src/query/prune.ts'
import { isFileWanted, isRootWanted, planOf } from '../../src/query/prune.ts'

async function plan(t: ExecutionContext, sql: string, values: Record<string, string> = {}): Promise<Plan> {
  const duck = await openDuck({ threads: 1, memory: '256MiB' })
  try {
    return await planOf(duck, { sql, values }, async () => undefined)
  } catch (error) {
    t.log(sql)
    throw error
  } finally {
    await duck.close()
  }
}

const day = (text: string): number => Date.parse(text)

function file(table: 'records' | 'jobs', date: string | null): TableFile {
  const times = date === null ? null : ([day(date), day(date) + 86_399_000] as [number, number])
  const columns = table === 'jobs' ? ['submit_time', 'start_time', 'end_time', 'logged_time'] : ['time']
  return {
    table,
    date,
    key: `${table} ${date}`,
    bytes: 1,
    rows: 1,
    batches: [1],
    archived: [day('2026-04-01'), day('2026-04-02')],
    times: Object.fromEntries(columns.map((column) => [column, times])),
  }
}

const days = ['2026-02-28', '2026-03-01', '2026-03-02', null]
const files = [...days.map((date) => file('jobs', date)), ...days.map((date) => file('records', date))]

async function wanted(t: ExecutionContext, sql: string, values?: Record<string, string>): Promise<string[]> {
  const made = await plan(t, sql, values)
  return files.filter((one) => isFileWanted(made, 'r', one)).map(({ key }) => key)
}

const jobs = days.map((date) => `jobs ${date}`)
const [, first, second] = jobs as [string, string, string]
const [, firstRecords] = days.map((date) => `records ${date}`) as [string, string]

const cases: Record<string, string[]> = {
  'SELECT * FROM jobs': jobs,
  'SELECT 1': [],
  'DESCRIBE jobs': [],
  'SELECT * FROM jobs WHERE 1 = 0': [],
  [`SELECT * FROM jobs WHERE date = '2026-03-01'`]: [first],
  [`SELECT * FROM jobs WHERE "date" BETWEEN '2026-03-01' AND '2026-03-02' AND queue = 'q'`]: [first, second],
  [`SELECT * FROM jobs WHERE end_time >= '2026-03-01' AND end_time < '2026-03-02'`]: [first, second],
  [`SELECT * FROM jobs WHERE end_time >= '2026-03-01' AND end_time < '2026-03-01T23:00:00+00'`]: [first],
  [`SELECT count(*) FROM jobs WHERE date_trunc('month', end_time) = '2026-03-01'`]: [first, second],
  [`WITH m AS (SELECT * FROM jobs WHERE start_time > '2026-03-02 12:00:00+00') SELECT queue, count(*) FROM m GROUP BY 1`]:
    [second],
  [`SELECT * FROM jobs WHERE root = 'r' AND date = '2026-03-01'`]: [first],
  [`SELECT * FROM jobs WHERE root = 'other'`]: [],
  [`SELECT * FROM jobs WHERE root IN ('other', 'another')`]: [],
  [`SELECT * FROM jobs WHERE root IN ('other', 'r') AND date = '2026-03-01'`]: [first],
  [`SELECT * FROM records WHERE time = '2026-03-01 10:00:00+00'`]: [firstRecords],
  [`SELECT * FROM records WHERE archived_at < '2026-03-31'`]: [],
  [`SELECT * FROM jobs JOIN records USING (source, "offset") WHERE jobs.date = '2026-03-01' AND records.time < '2026-03-01T12:00:00Z' AND records.time >= '2026-03-01'`]:
    [first, firstRecords],
  // Filters that cannot be told before the query runs, or are no conjunction, leave everything in.
  [`SELECT * FROM jobs WHERE date = '2026-03-01' OR queue = 'q'`]: jobs,
  [`SELECT * FROM jobs WHERE end_time = (SELECT max(end_time) FROM jobs)`]: jobs,
  [`SELECT * FROM jobs WHERE NOT (date = '2026-03-01')`]: jobs,
  [`SELECT * FROM jobs WHERE end_time IS NULL`]: jobs,
  [`SELECT * FROM jobs WHERE queue = E'a\nend_time>=''2030-01-01 00:00:00+00''::TIMESTAMP WITH TIME ZONE'`]: jobs,
  [`SELECT * FROM jobs WHERE queue = ' AND date=''2026-03-01''::DATE'`]: jobs,
  [`SELECT (SELECT count(*) FROM jobs WHERE date = '2026-03-01'), (SELECT count(*) FROM jobs WHERE date = '2026-03-02')`]:
    [first, second],
}

for (const [sql, expected] of Object.entries(cases)) {
  test(`reads no more than it needs, and no less: ${sql.replaceAll('\n', ' ')}`, async (t) => {
    const found = await wanted(t, sql)
    t.deepEqual(found, expected)
  })
}

test('parameters limit what is read as literals do', async (t) => {
  const sql = 'SELECT * FROM jobs WHERE end_time >= $from::TIMESTAMPTZ AND end_time < $to::TIMESTAMPTZ'
  t.deepEqual(await wanted(t, sql, { from: '2026-03-01T00:00:00Z', to: '2026-03-01T12:00:00Z' }), [first])
})

test('a root is wanted unless every scan names others', async (t) => {
  const named = await plan(t, `SELECT * FROM jobs WHERE root = 'a'`)
  t.deepEqual([isRootWanted(named, 'a'), isRootWanted(named, 'b')], [true, false])
  t.true(isRootWanted(await plan(t, `SELECT * FROM jobs WHERE root = 'a' UNION ALL SELECT * FROM jobs`), 'b'))
})

test('a query is planned where no file can be reached', async (t) => {
  await t.throwsAsync(plan(t, `SELECT * FROM read_text('/etc/passwd')`), { message: /disabled by configuration/ })
})

test('a job asked for by its id is looked for where the numbers of ids allow it', async (t) => {
  const [low, high] = [file('jobs', '2026-03-01'), file('jobs', '2026-03-02')]
  const [texts, none] = [file('jobs', '2026-02-28'), file('jobs', null)]
  const ids = (of: TableFile, job_id: [number, number] | null): TableFile => ({ ...of, times: { ...of.times, job_id } })
  const all = [ids(low, [9, 100]), ids(high, [101, 2000]), texts, ids(none, null)]
  const found = async (where: string, values?: Record<string, string>): Promise<unknown[]> => {
    const scans = await plan(t, `SELECT * FROM jobs WHERE ${where}`, values)
    return all.filter((one) => isFileWanted(scans, 'a', one)).map(({ date }) => date)
  }
  t.deepEqual(await found(`job_id = '10'`), ['2026-03-01', '2026-02-28'], 'by number, not by text')
  t.deepEqual(await found('job_id = $id', { id: '2000' }), ['2026-03-02', '2026-02-28'])
  t.deepEqual(await found(`job_id = '3000'`), ['2026-02-28'], 'where some ids are no numbers, it may be')
  t.is((await found(`job_id = '010'`)).length, 4, 'a text that is no plain number says nothing')
  t.is((await found(`job_id = '10' OR queue = 'x'`)).length, 4)
})
