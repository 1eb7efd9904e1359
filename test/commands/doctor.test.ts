import test from 'ava'
import { Redis } from 'ioredis'
import { rm, symlink, writeFile } from 'node:fs/promises'
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
    // How many files may be open and how much is free is the machine's affair.
    report.findings.filter(({ check, result }) => result !== 'ok' && !['open files', 'free space'].includes(check)),
    [],
  )
  t.deepEqual(
    report.findings.map(({ check }) => check),
    [
      'configuration',
      'versions',
      'open files',
      'free space',
      'free space',
      'signing',
      'store probe',
      'clocks',
      'object lock',
      'redis',
      'redis permissions',
      'redis latency',
      'clocks',
      'mount',
      'files',
      'permissions',
      'inotify',
      'detection',
    ],
  )
  t.deepEqual(report.families, [{ root: 'r', path: 'a.log.1', family: 'a.log' }])
  t.regex((await site.gleaner('doctor')).stdout, /^ok {4}mount \(r\) +\S/m)
})

test('doctor: names what is wrong and what to do, exit 1', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({ redis: 'redis://127.0.0.1:1' })
  await rm(site.archive, { recursive: true })
  const { code, stdout } = await site.gleaner('doctor')
  t.is(code, 1)
  t.regex(stdout, /^fail {2}store probe \(archive\) +[^]*ENOENT/m)
  t.regex(stdout, /^fail {2}redis \(redis\) +\S/m)
  t.regex(stdout, /what to do: create the bucket or directory/)
})

test('doctor: a symbolic link that the root includes is told, since nothing follows it', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await symlink('/etc/hostname', join(site.logs, 'a.log'))
  const { code, stdout } = await site.gleaner('doctor')
  t.is(code, 0)
  t.regex(stdout, /^warn {2}files \(r\) +files: 0, directories: 1\n +a symbolic link is not followed/m)
  await site.configure({}, { exclude: ['a.log'] })
  t.notRegex((await site.gleaner('doctor')).stdout, /symbolic link/)
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

test('doctor: what a Redis user may not do is named, and nothing is left behind', async (t) => {
  const site = await openSite()
  const user = 'user half on >secret ~{gleaner:*}:* &* +@all -xtrim -xinfo|groups -acl -time'
  const redis = await startRedis({ args: ['--user', ...user.split(' ').slice(1)] })
  const client = new Redis(redis.url)
  t.teardown(async () => {
    client.disconnect()
    await Promise.all([site.close(), redis.stop()])
  })
  const passwordFile = join(site.dir, 'password')
  await writeFile(passwordFile, 'secret\n', { mode: 0o600 })
  await site.configure({ redis: { url: redis.url, username: 'half', passwordFile } })
  const { code, stdout } = await site.gleaner('--json', 'doctor')
  t.is(code, 1)
  const { findings } = JSON.parse(stdout) as Report
  const found = findings.find(({ check }) => check === 'redis permissions')
  t.is(found?.result, 'fail')
  t.is(found?.found, 'this user may not: TIME, XTRIM, XINFO GROUPS')
  t.regex(found?.todo ?? '', /users\.acl/)
  t.is(await client.dbsize(), 0)
})

test('doctor: the families of all files only when asked for', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  for (let n = 0; n < 50; n++) await writeFile(join(site.logs, `file-${n}`), `${n}\n`)
  const some = await site.gleaner('doctor')
  t.regex(some.stdout, /and 10 more; --all shows them/)
  const all = await site.gleaner('doctor', '--all')
  t.is(all.stdout.match(/^r +file-/gm)?.length, 50)
  t.regex(all.stdout, /^\d+ checks: \d+ ok, \d+ to look at, 0 failed$/m)
  t.true(all.stdout.split('\n').every((line) => line.length <= 100 || line.includes(site.dir)))
})
