import test from 'ava'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Finding } from '../../src/roles/diagnose.ts'
import { openSite } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'

interface Report {
  ok: boolean
  findings: Finding[]
  families: { root: string; path: string; family: string }[]
}

test('doctor: a good site passes every check, and shows file and family', async (t) => {
  const site = await openSite()
  const redis = await startRedis()
  t.teardown(() => Promise.all([site.close(), redis.stop()]))
  await site.configure({ redis: redis.url })
  await writeFile(join(site.logs, 'a.log.1'), 'one\n')
  const { code, stdout, stderr } = await site.gleaner('--json', 'doctor')
  t.is(code, 0, stderr)
  const report = JSON.parse(stdout) as Report
  t.deepEqual(
    report.findings.filter(({ result }) => result !== 'ok'),
    [],
  )
  t.deepEqual(
    report.findings.map(({ check }) => check),
    ['configuration', 'store probe', 'clocks', 'redis', 'mount', 'files', 'permissions', 'inotify', 'detection'],
  )
  t.deepEqual(report.families, [{ root: 'r', path: 'a.log.1', family: 'a.log' }])
  t.regex((await site.gleaner('doctor')).stdout, /^ok {4}mount \(r\): /m)
})

test('doctor: names what is wrong and what to do, exit 1', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({ redis: 'redis://127.0.0.1:1' })
  await rm(site.archive, { recursive: true })
  const { code, stdout } = await site.gleaner('doctor')
  t.is(code, 1)
  t.regex(stdout, /^fail {2}store probe \(archive\): .*ENOENT/m)
  t.regex(stdout, /^fail {2}redis \(redis\): /m)
  t.regex(stdout, /what to do: create the bucket or directory/)
})

test('doctor: a root that is not there', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({}, { path: join(site.dir, 'nowhere') })
  const { code, stdout } = await site.gleaner('--json', 'doctor')
  t.is(code, 1)
  const report = JSON.parse(stdout) as Report
  t.false(report.ok)
  t.is(report.findings.find(({ subject }) => subject === 'r')?.result, 'fail')
})
