import test from 'ava'
import { latestManifest } from '../../src/query/manifest.ts'
import { jobLine } from '../support/job-format.ts'
import { archiveSource } from '../support/segments.ts'
import { openTables } from '../support/tables.ts'

test('more rows than are packed at once, of several dates in turn, come out as they went in', async (t) => {
  const tables = openTables(t)
  const days = ['2026-03-01', '2026-03-02', '2026-03-03']
  const lines = Array.from({ length: 1500 }, (_, n) =>
    jobLine(`${days[n % 3]}T10:00:00Z`, {
      job_id: String(n),
      user: n % 7 === 0 ? null : `user${n}`,
      exec_hosts: n % 2 === 0 ? [`node${n}`, 'x'] : null,
      command: 'c'.repeat(n % 300),
    }),
  )
  const expected = lines.map((line, n) => ({
    raw: line,
    job_id: String(n),
    user: n % 7 === 0 ? null : `user${n}`,
    host: n % 2 === 0 ? `node${n}` : null,
    length: n % 300 || null,
  }))
  await archiveSource(tables.store, lines)
  const sql = `SELECT decode(r.raw) AS raw, j.job_id, j."user", j.exec_hosts[1] AS host, length(j.command)::INTEGER AS length
    FROM records r JOIN jobs j USING (root, source, "offset") ORDER BY r."offset"`
  const known = (rows: unknown[]): unknown[] => rows.map((row) => ({ ...(row as object) }))
  const live = known(await tables.ask(sql))
  t.like(await tables.build(), { records: 1500, jobs: 1500, files: 6 })
  const built = known(await tables.ask(sql))
  t.deepEqual(built, live)
  t.deepEqual(
    built.map((row) => ({ ...(row as object), length: (row as { length: number | null }).length || null })),
    expected,
  )
  const files = (await latestManifest(tables.store, 'r')).current?.files.filter(({ table }) => table === 'jobs') ?? []
  for (const [n, date] of days.entries()) {
    const file = files.find((one) => one.date === date)
    const endMs = Date.parse(`${date}T10:00:00Z`)
    t.like(file, { rows: 500, times: { job_id: [n, 1497 + n], end_time: [endMs, endMs] } })
  }
})
