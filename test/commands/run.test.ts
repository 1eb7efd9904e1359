import test from 'ava'
import type { ExecutionContext } from 'ava'
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSite, until } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'

const withSite = (body: (t: ExecutionContext, site: Site) => Promise<void>) => async (t: ExecutionContext) => {
  const site = await openSite()
  try {
    await body(t, site)
  } finally {
    await site.close()
  }
}

test(
  'run: SIGTERM archives what was appended just before, and exits 0',
  withSite(async (t, site) => {
    await site.configure({ seal: { age: '1h' } })
    const [a, b] = [join(site.logs, 'a.log'), join(site.logs, 'sub.log')]
    await writeFile(a, 'one\n')
    const running = await site.start(['run'], '"running"')
    await until(async () => (await site.archived()).includes('one\n'))
    // A segment is young now, so nothing more is due for an hour.
    await appendFile(a, 'two\n'.repeat(100_000))
    await writeFile(b, 'new\n')
    await until(async () => (await site.archived()).includes('new\n'))
    await appendFile(a, 'three\nno newline')
    running.kill('SIGTERM')
    const { code, stderr } = await running.ended
    t.is(code, 0, stderr)
    const whole = await readFile(a, 'utf8')
    t.deepEqual(await site.archived(), ['new\n', whole.slice(0, whole.lastIndexOf('\n') + 1)])
    t.regex(stderr, /"stopped"/)
  }),
)

test(
  'run: follows a rotation as one source',
  withSite(async (t, site) => {
    const active = join(site.logs, 'a.log')
    await writeFile(active, 'one\n')
    const running = await site.start(['run'], '"running"')
    await until(async () => (await site.archived()).length === 1)
    await appendFile(active, 'two\n')
    await rename(active, `${active}.1`)
    await writeFile(active, 'fresh\n')
    await until(async () => (await site.archived()).includes('fresh\n'))
    running.kill('SIGINT')
    t.is((await running.ended).code, 0)
    t.deepEqual(await site.archived(), ['fresh\n', 'one\ntwo\n'])
  }),
)

test(
  'run: an archive that is not there is waited for, and readiness says so',
  withSite(async (t, site) => {
    const later = join(site.dir, 'later')
    await site.configure({ archive: `file://${later}` })
    await writeFile(join(site.logs, 'a.log'), 'one\n')
    const running = await site.start(['run'], 'ENOENT')
    const url = /"url":"([^"]+)"/.exec(running.stderr())?.[1] ?? ''
    const before = await fetch(`${url}/readyz`)
    t.is(before.status, 503)
    t.is((await fetch(`${url}/healthz`)).status, 200)
    await rename(site.archive, later)
    await running.said('"running"')
    t.is((await fetch(`${url}/readyz`)).status, 200)
    t.regex(
      await (await fetch(`${url}/metrics`)).text(),
      /gleaner_store_requests_total\{op="create",outcome="created"\}/,
    )
    running.kill('SIGTERM')
    t.is((await running.ended).code, 0)
  }),
)

test(
  'run: SIGHUP starts a new root, stops one that is gone, and refuses a bad file',
  withSite(async (t, site) => {
    await writeFile(join(site.logs, 'a.log'), 'one\n')
    const running = await site.start(['run'], '"running"')
    await until(async () => (await site.archived()).length === 1)
    await writeFile(site.config, 'roots: [')
    running.kill('SIGHUP')
    await running.said('the old configuration stays')
    await appendFile(join(site.logs, 'a.log'), 'two\n')
    await until(async () => (await site.archived()).includes('one\ntwo\n'))
    await site.configure({}, { name: 'other' })
    running.kill('SIGHUP')
    await running.said('configuration applied')
    t.regex(running.stderr(), /"root":"r","message":"root stopped"/)
    await until(() =>
      readFile(join(site.archive, 'evidence', 'roots', 'other.json')).then(
        () => true,
        () => false,
      ),
    )
    running.kill('SIGTERM')
    t.is((await running.ended).code, 0)
  }),
)

test(
  'run: refuses a worker that would never hear of anything, and roles that are none',
  withSite(async (t, site) => {
    const deaf = await site.gleaner('run', '--roles', 'work')
    t.is(deaf.code, 2)
    t.regex(deaf.stderr, /^gleaner: .*need redis/m)
    t.regex(deaf.stderr, /^what to do: /m)
    const unknown = await site.gleaner('run', '--roles', 'lisen')
    t.is(unknown.code, 2)
    t.regex(unknown.stderr, /did you mean listen/)
  }),
)

test(
  'run: the flags replace a configuration file',
  withSite(async (t, site) => {
    await writeFile(site.config, 'not: used')
    const both = await site.gleaner('run', '--path', site.logs, '--format', 'lines', '--archive', site.archive)
    t.is(both.code, 2)
    t.regex(both.stderr, /expected either --config or --path/)
  }),
)

test(
  'run: with a cron expression that is far away, what is there is found at the start',
  withSite(async (t, site) => {
    await site.configure({ reconcile: { every: '0 0 1 1 *', fullEvery: '1h' } })
    await writeFile(join(site.logs, 'a.log'), 'one\n')
    const running = await site.start(['run', '--roles', 'reconcile'], '"running"')
    await until(async () => (await site.archived()).includes('one\n'))
    running.kill('SIGTERM')
    t.is((await running.ended).code, 0)
  }),
)
