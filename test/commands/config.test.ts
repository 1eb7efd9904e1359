import test from 'ava'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { openSite } from '../support/gleaner.ts'

test('config check: good is 0, bad is 2 with the line and a suggestion', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  const good = await site.gleaner('config', 'check')
  t.is(good.code, 0)
  t.regex(good.stdout, /is good/)
  await writeFile(site.config, 'roots:\n  - name: a\n    path: /a\n    fromat: lines\n')
  const bad = await site.gleaner('config', 'check')
  t.is(bad.code, 2)
  t.regex(bad.stdout, /gleaner\.yaml:4:5: .*did you mean format\?/)
  const json = JSON.parse((await site.gleaner('--json', 'config', 'check')).stdout) as {
    ok: boolean
    problems: { line: number }[]
  }
  t.false(json.ok)
  t.is(json.problems[0]?.line, 4)
  // Any other command refuses it too.
  t.is((await site.gleaner('reconcile')).code, 2)
})

test('config show: what is in force, without secrets, and good as a file again', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await writeFile(join(site.dir, 'password'), 'hunter2\n')
  await site.configure({ redis: { url: 'redis://127.0.0.1:6379', passwordFile: 'password' } })
  const shown = await site.gleaner('config', 'show')
  t.is(shown.code, 0, shown.stderr)
  t.notRegex(shown.stdout, /hunter2/)
  t.deepEqual(parse(shown.stdout), JSON.parse((await site.gleaner('--json', 'config', 'show')).stdout))
})

test('config schema: a JSON Schema', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  const { code, stdout } = await site.gleaner('config', 'schema')
  t.is(code, 0)
  t.is((JSON.parse(stdout) as { type: string }).type, 'object')
})

test('no configuration, unknown commands and options: exit 2, two lines, no stack', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  for (const args of [['nonsense'], ['run', '--nonsense'], ['config'], []]) {
    const { code, stderr } = await site.gleaner(...args)
    t.is(code, 2, args.join(' '))
    t.notRegex(stderr, /at .*\.ts:/)
  }
  t.is((await site.gleaner('--help')).code, 0)
  t.is((await site.gleaner('run', '--help')).code, 0)
  t.regex((await site.gleaner('--version')).stdout, /^\d+\.\d+\.\d+$/m)
})
