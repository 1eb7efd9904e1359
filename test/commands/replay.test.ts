import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openSite as open, type Site } from '../support/gleaner.ts'
import { ndjson } from '../support/run-gleaner.ts'

async function openSite(t: ExecutionContext, files: Record<string, string>): Promise<Site> {
  const site = await open()
  t.teardown(() => site.close())
  await site.configure({}, { format: 'jsonl' })
  for (const [path, text] of Object.entries(files)) writeFileSync(join(site.logs, path), text)
  await site.gleaner('reconcile')
  return site
}

const one = '{"time":"2026-03-01T00:00:00Z","n":1}\n'
const two = '{"time":"2026-03-02T00:00:00Z","n":2}\n'

test('every archived record, one JSON object a line', async (t) => {
  const site = await openSite(t, { a: one + two, b: one })
  const ran = await site.gleaner('replay', 'r')
  t.is(ran.code, 0, ran.stderr)
  const entries = ndjson(ran.stdout)
  t.deepEqual(entries.map(({ path, start }) => `${String(path)} ${String(start)}`).sort(), [
    'a 0',
    `a ${one.length}`,
    'b 0',
  ])
  t.deepEqual(Object.keys(entries[0] ?? {}), [
    'v',
    'kind',
    'source',
    'start',
    'end',
    'revision',
    'path',
    'family',
    'format',
    'type',
    'time',
    'flags',
    'error',
    'fields',
    'raw',
  ])
})

test('one source, from an offset, before another, by time', async (t) => {
  const site = await openSite(t, { a: one + two })
  const [row] = JSON.parse((await site.gleaner('--json', 'sources')).stdout) as { source: string }[]
  const fields = async (...args: string[]): Promise<unknown[]> =>
    ndjson((await site.gleaner('replay', 'r', ...args)).stdout).map((entry) => (entry['fields'] as { n: number }).n)
  const source = ['--source', row?.source ?? '']
  t.deepEqual(await fields(...source), [1, 2])
  t.deepEqual(await fields(...source, '--from', '1'), [2])
  t.deepEqual(await fields(...source, '--to', '1'), [1])
  t.deepEqual(await fields('--since', '2026-03-02'), [2])
  t.deepEqual(await fields('--until', '2026-03-02T00:00:00Z'), [1])
})

test('what cannot be meant is refused with exit status 2', async (t) => {
  const site = await openSite(t, { a: one })
  for (const args of [
    ['--from', '1'],
    ['--to', '1'],
    ['--source', 'x'],
    ['--since', 'yesterday'],
    ['--since', '2026-03-01T00:00:00'],
    ['--source', `${'0'.repeat(32)}-0`, '--from', 'x'],
  ]) {
    const ran = await site.gleaner('replay', 'r', ...args)
    t.is(ran.code, 2, `${args.join(' ')}: ${ran.stderr}`)
  }
  t.is((await site.gleaner('replay', 'x')).code, 1)
  t.is((await site.gleaner('replay', 'r', '--source', `${'0'.repeat(32)}-0`)).code, 1)
})
