import { execFileSync } from 'node:child_process'
import { renameSync, writeFileSync, appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { openSite as open, type Site } from '../support/gleaner.ts'
import { runGleaner } from '../support/run-gleaner.ts'

async function openSite(t: ExecutionContext): Promise<
  Site & {
    cat: (...args: string[]) => ReturnType<typeof runGleaner>
    put: (path: string, body: string | Buffer) => void
  }
> {
  const site = await open()
  t.teardown(() => site.close())
  const put = (path: string, body: string | Buffer): void => writeFileSync(join(site.logs, path), body)
  return { ...site, put, cat: (...args) => runGleaner(['--config', site.config, 'cat', ...args]) }
}

test('the archived bytes, whole or in part, by path and by source', async (t) => {
  const site = await openSite(t)
  const body = Buffer.concat(
    Array.from({ length: 300_000 }, (_, index) => Buffer.from(`line ${index} \xff\n`, 'latin1')),
  )
  site.put('acct', body)
  await site.gleaner('reconcile')
  const whole = await site.cat('r/acct')
  t.is(whole.status, 0, whole.stderr)
  t.true(whole.stdout.equals(body))
  t.true(
    (await site.cat('r/acct', '--offset', '1000000', '--length', '2000000')).stdout.equals(
      body.subarray(1_000_000, 3_000_000),
    ),
  )
  t.is((await site.cat('r/acct', '--offset', String(body.length + 5))).stdout.length, 0)
  t.is((await site.cat('r/acct', '--length', '0')).stdout.length, 0)
  const [row] = JSON.parse((await site.gleaner('--json', 'sources')).stdout) as { source: string }[]
  t.true((await site.cat(row?.source ?? '', '--length', '9')).stdout.equals(body.subarray(0, 9)))
})

test('a path means the newest source whose segments name it, and a rotated source is still found by its own', async (t) => {
  const site = await openSite(t)
  site.put('acct', 'old\n')
  await site.gleaner('reconcile')
  renameSync(join(site.logs, 'acct'), join(site.logs, 'acct.1'))
  site.put('acct', 'new\n')
  await site.gleaner('reconcile')
  t.is((await site.cat('r/acct')).stdout.toString(), 'new\n')
  appendFileSync(join(site.logs, 'acct.1'), 'late\n')
  await site.gleaner('reconcile')
  t.is((await site.cat('r/acct.1')).stdout.toString(), 'old\nlate\n')
  t.is((await site.cat('r/acct')).stdout.toString(), 'new\n')
})

test('a path is taken as the file system has it, or percent-encoded', async (t) => {
  const site = await openSite(t)
  site.put('a b%é', 'x\n')
  await site.gleaner('reconcile')
  t.is((await site.cat('r/a b%é')).stdout.toString(), 'x\n')
  t.is((await site.cat('r/a%20b%25%C3%A9')).stdout.toString(), 'x\n')
})

test('a reader that goes away is a clean end', async (t) => {
  const site = await openSite(t)
  site.put('acct', 'x'.repeat(99).concat('\n').repeat(200_000))
  await site.gleaner('reconcile')
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
  const script = '"$1" "$2" --config "$3" cat r/acct | head -c 5; echo " ${PIPESTATUS[0]}"'
  const out = execFileSync('bash', ['-c', script, 'bash', process.execPath, main, site.config], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  t.is(out, 'xxxxx 0\n')
})

test('what is not there is not found, and what is near is listed', async (t) => {
  const site = await openSite(t)
  site.put('lsb.acct', 'x\n')
  await site.gleaner('reconcile')
  const near = await site.cat('r/lsb.act')
  t.is(near.status, 1)
  t.regex(near.stderr, /no segment names this path; did you mean lsb\.acct\?/)
  const family = await site.cat('r/lsb.acct.7')
  t.regex(family.stderr, /of its family there are:\n {2}r\/lsb\.acct {2}[0-9a-f]{32}-0/)
  t.regex((await site.cat('x/lsb.acct')).stderr, /expected one of r/)
  t.is((await site.cat(`${'0'.repeat(32)}-0`)).status, 1)
})

test('what cannot be meant is refused with exit status 2', async (t) => {
  const site = await openSite(t)
  for (const args of [['acct'], ['r/acct', '--offset', '-1'], ['r/acct', '--length', '1KiB']])
    t.is((await site.cat(...args)).status, 2)
})
