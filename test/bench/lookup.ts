/**
 * Look-ups in 100 million jobs: 300 days of 333,334, made by SQL straight into the layout of the tables, with a manifest. `gleaner query` as
 * a whole process on a directory, warm: one job by its id (to reach: 1 s), one user's month grouped by queue (2 s).
 *
 * The tables are made once and kept among the input that is made once (some 3 GB); GLEANER_BENCH_DAYS makes fewer days.
 */

import { existsSync } from 'node:fs'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { literal, openDuck } from '../../src/query/duckdb.ts'
import type { Duck } from '../../src/query/duckdb.ts'
import type { TableFile } from '../../src/query/manifest.ts'
import { commitManifest } from '../../src/query/manifest.ts'
import { columnsOf, tableKey } from '../../src/query/table-schema.ts'
import { parquetOptions } from '../../src/query/table-writer.ts'
import { costOf, median, round } from './measure.ts'
import type { Outcome } from './measure.ts'
import { withBench } from './site.ts'

const days = Number(process.env['GLEANER_BENCH_DAYS'] ?? 300)
const runs = Number(process.env['GLEANER_BENCH_RUNS'] ?? 5)
const jobsPerDay = 333_334
const firstDayMs = Date.parse('2025-06-01T00:00:00Z')
const dayMs = 86_400_000
const kept = join(tmpdir(), 'gleaner-bench', `tables-${days}`)

export async function lookup(): Promise<Outcome> {
  await makeTables()
  const middle = Math.floor((days * jobsPerDay) / 2)
  const month = dateOf(Math.floor(days / 2)).slice(0, 7)
  const queries: Record<string, string> = {
    'nothing: SELECT 1': 'SELECT 1',
    'one job by its id': `SELECT * FROM jobs WHERE job_id = '${middle}'`,
    "one user's month by queue": `SELECT queue, count(*) AS n, sum(cpu_user_s) AS cpu FROM jobs WHERE "user" = 'user7' AND date_trunc('month', end_time) = '${month}-01' GROUP BY queue ORDER BY queue`,
    "one user's jobs by queue, all days": `SELECT queue, count(*) AS n FROM jobs WHERE "user" = 'user7' GROUP BY queue`,
  }
  return withBench(async (bench) => {
    await bench.configure({ archive: pathToFileURL(kept).href })
    const rows: Outcome['rows'] = []
    const seconds: number[] = []
    for (const [what, sql] of Object.entries(queries)) {
      const costs = []
      for (let run = 0; run <= runs; run++) costs.push(await costOf(...bench.gleaner('query', sql)))
      const warm = costs.slice(1)
      const of = (name: 'seconds' | 'cpuSeconds'): number => median(warm.map((cost) => cost[name]))
      seconds.push(of('seconds'))
      rows.push({
        what,
        's median': round(of('seconds')),
        's best': round(Math.min(...warm.map((cost) => cost.seconds))),
        'CPU s': round(of('cpuSeconds')),
        'peak RSS MiB': round(Math.max(...warm.map((cost) => cost.rssMiB)), 0),
      })
    }
    return {
      bench: 'lookup',
      rows,
      figures: { jobSeconds: round(seconds[1] as number), monthSeconds: round(seconds[2] as number) },
      notes: [`${days * jobsPerDay} jobs in ${days} days; ${runs} runs after one; to reach: 1 s and 2 s`],
    }
  })
}

function dateOf(day: number): string {
  return new Date(firstDayMs + day * dayMs).toISOString().slice(0, 10)
}

async function makeTables(): Promise<void> {
  if (existsSync(join(kept, 'made'))) return
  await mkdir(kept, { recursive: true })
  const duck = await openDuck({ threads: 2, memory: '1GiB' })
  const files: TableFile[] = []
  for (let day = 0; day < days; day++) files.push(await makeDay(duck, day))
  await duck.close()
  const store = openDirectoryStore({ path: kept, url: pathToFileURL(kept).href })
  const base = { v: 1, root: 'bench', n: 0, writeId: '', writtenAt: '', current: null, next: null } as const
  const parser = { format: 'lines', version: 1, timezone: null }
  const ports = { derived: store, clock: systemClock, random: () => '00' }
  await commitManifest(ports, base, { current: { parser, batches: [], files }, next: null })
  await store.close()
  await writeFile(join(kept, 'made'), '')
}

/** What a column of job `id` holds; columns that are not named are NULL. */
const expressions: Record<string, string> = {
  source: `'0123456789abcdef0123456789abcdef-0'`,
  offset: 'id * 1000',
  job_id: 'id::VARCHAR',
  user: `'user' || (hash(id) % 400)`,
  account: `'account' || (hash(id) % 60)`,
  queue: `'queue' || (hash(id + 1) % 12)`,
  project: `'project' || (hash(id) % 100)`,
  job_name: `'job' || (hash(id) % 5000)`,
  submit_time: 'make_timestamptz(end_us - 7200000000)',
  start_time: 'make_timestamptz(end_us - 3600000000)',
  end_time: 'make_timestamptz(end_us)',
  logged_time: 'make_timestamptz(end_us)',
  wall_s: '3600.0',
  cpu_user_s: '(hash(id) % 100000)::DOUBLE',
  slots: '(1 + hash(id) % 64)::INTEGER',
  state: `'completed'`,
  exit_code: '0',
}

async function makeDay(duck: Duck, day: number): Promise<TableFile> {
  const date = dateOf(day)
  const key = tableKey('jobs', 'bench', { date, name: `day${day}` })
  const path = join(kept, key)
  await mkdir(dirname(path), { recursive: true })
  const startMs = firstDayMs + day * dayMs
  const columns = columnsOf.jobs.map(([name, type]) => `CAST(${expressions[name] ?? 'NULL'} AS ${type}) AS "${name}"`)
  const rows = `SELECT ${day * jobsPerDay} + i AS id, ${startMs * 1000} + i * 259000 AS end_us FROM range(${jobsPerDay}) t(i)`
  const copy = `COPY (SELECT ${columns.join(', ')} FROM (${rows})) TO ${literal(`${path}.part`)}`
  // A run that was ended is gone on with.
  if (!existsSync(path)) {
    await duck.connection.run(`${copy} ${parquetOptions('jobs', { gleaner_parser: '{}' })}`)
    await rename(`${path}.part`, path)
  }
  const extent = (backMs: number): [number, number] => [startMs - backMs, startMs + jobsPerDay * 259 - backMs]
  return {
    table: 'jobs',
    date,
    key,
    bytes: (await stat(path)).size,
    rows: jobsPerDay,
    batches: [],
    archived: [startMs, startMs + dayMs],
    times: {
      submit_time: extent(7_200_000),
      start_time: extent(3_600_000),
      end_time: extent(0),
      logged_time: extent(0),
      job_id: [day * jobsPerDay, (day + 1) * jobsPerDay - 1],
    },
  }
}
