import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { openSite as open, type Site } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'

async function openSite(
  t: ExecutionContext,
): Promise<
  Site & { rows: (...args: string[]) => Promise<Record<string, unknown>[]>; put: (path: string, text: string) => void }
> {
  const site = await open()
  t.teardown(() => site.close())
  const rows = async (...args: string[]): Promise<Record<string, unknown>[]> => {
    const ran = await site.gleaner('--json', 'sources', ...args)
    t.is(ran.code, 0, ran.stderr)
    return JSON.parse(ran.stdout) as Record<string, unknown>[]
  }
  return { ...site, rows, put: (path, text) => writeFileSync(join(site.logs, path), text) }
}

test('every source with the fields of the contract, in order of the path', async (t) => {
  const site = await openSite(t)
  await site.configure({ settle: { read: '50ms', tail: '1h', final: '1h' } })
  t.deepEqual(await site.rows(), [])
  site.put('b', 'x\n')
  site.put('a', 'x\n')
  await site.gleaner('reconcile')
  const rows = await site.rows('--root', 'r')
  t.deepEqual(
    rows.map(({ path }) => path),
    ['a', 'b'],
  )
  const { source, ...rest } = rows[0] ?? {}
  t.regex(String(source), /^[0-9a-f]{32}-0$/)
  t.deepEqual(rest, {
    root: 'r',
    family: 'a',
    path: 'a',
    size: 2,
    archived: 2,
    published: null,
    proven: 0,
    state: 'growing',
  })
})

test('a table for a person, with a count', async (t) => {
  const site = await openSite(t)
  t.is((await site.gleaner('sources')).stdout, 'no sources yet\n')
  site.put('a', 'x\n')
  await site.gleaner('reconcile')
  const { stdout } = await site.gleaner('sources')
  t.regex(stdout, /^root {2}path {2}state .*\nr {5}a {5}growing +2 B +2 B .*\n1 source\n$/)
})

test('a root that is not mounted is unavailable, said on stderr, and no failure', async (t) => {
  const site = await openSite(t)
  site.put('a', 'x\n')
  await site.gleaner('reconcile')
  renameSync(site.logs, `${site.logs}-away`)
  const ran = await site.gleaner('--json', 'sources')
  t.is(ran.code, 0)
  t.like((JSON.parse(ran.stdout) as unknown[])[0], { state: 'unavailable', size: null })
  t.regex(ran.stderr, /gleaner: r: /)
  t.is((await site.gleaner('sources', '--root', 'x')).code, 1)
})

test('with Redis: how far it is published; when Redis is away, all the rest', async (t) => {
  const site = await openSite(t)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  await site.configure({ redis: redis.url, feed: { since: 'all' } })
  site.put('a', 'x\ny\n')
  await site.gleaner('reconcile')
  t.like((await site.rows())[0], { archived: 4, published: 4, proven: 0 })
  await redis.kill()
  const ran = await site.gleaner('--json', 'sources')
  t.is(ran.code, 0)
  t.like((JSON.parse(ran.stdout) as unknown[])[0], { archived: 4, published: null, state: 'growing' })
  t.regex(ran.stderr, /gleaner: r: .*ECONNREFUSED/)
})

test('a source stays, without its file', async (t) => {
  const site = await openSite(t)
  site.put('a', 'x\n')
  await site.gleaner('reconcile')
  rmSync(join(site.logs, 'a'))
  t.like((await site.rows())[0], { path: 'a', size: null, archived: 2, state: 'gone' })
})

test('more than a pipe holds reaches a slow reader whole', async (t) => {
  const site = await openSite(t)
  for (let n = 0; n < 600; n++) site.put(`a-rather-long-name-so-that-there-is-more-to-say-${n}`, `${n}\n`)
  await site.gleaner('reconcile')
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const script = '"$1" "$2" --config "$3" --json sources | { sleep 1; cat; }'
  const env = { ...process.env, NODE_OPTIONS: '' }
  const out = execFileSync('bash', ['-c', script, 'bash', process.execPath, main, site.config], {
    encoding: 'utf8',
    env,
  })
  t.true(out.length > 65_536)
  t.is((JSON.parse(out) as unknown[]).length, 600)
})
