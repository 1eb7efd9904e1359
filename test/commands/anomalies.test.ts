import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openSite as open, type Site } from '../support/gleaner.ts'

interface Row {
  id: string
  kind: string
  path: string
  root: string
  acknowledged: string | null
}

/** A site on which a file was rewritten in place: it keeps its first record, and no other file holds the rest. */
async function rewritten(t: ExecutionContext): Promise<{ site: Site; rows: (...args: string[]) => Promise<Row[]> }> {
  const site = await open()
  t.teardown(() => site.close())
  writeFileSync(join(site.logs, 'acct'), 'first\nsecond\n')
  const collector = await site.start(['run', '--roles', 'listen,reconcile,work'], '')
  const rows = async (...args: string[]): Promise<Row[]> => {
    const ran = await site.gleaner('--json', 'anomalies', ...args)
    t.is(ran.code, 0, ran.stderr)
    return JSON.parse(ran.stdout) as Row[]
  }
  while ((await site.archived()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50))
  writeFileSync(join(site.logs, 'acct'), 'first\nSECOND\nthird\n')
  while ((await rows()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50))
  collector.kill('SIGTERM')
  await collector.ended
  return { site, rows }
}

test('without any there is an empty list', async (t) => {
  const site = await open()
  t.teardown(() => site.close())
  t.is((await site.gleaner('anomalies')).stdout, 'none\n')
  t.is((await site.gleaner('--json', 'anomalies', '--open')).stdout, '[]\n')
})

test('an anomaly is listed until it is acknowledged, and kept after', async (t) => {
  const { site, rows } = await rewritten(t)
  const [row] = await rows('--open')
  t.like(row, { kind: 'rewritten', path: 'acct', root: 'r', acknowledged: null })
  t.regex((await site.gleaner('anomalies', '--open')).stdout, /^what to do about rewritten: find out what/m)
  const { id } = row as Row
  const acknowledged = await site.gleaner('anomalies', 'ack', id, '--reason', 'the admin edited it')
  t.is(acknowledged.code, 0, acknowledged.stderr)
  t.deepEqual(await rows('--open'), [])
  t.like((await rows())[0], { id, acknowledged: 'the admin edited it' })
  t.is((await site.gleaner('anomalies', 'ack', id, '--reason', 'again')).code, 0)
  t.is((await rows())[0]?.acknowledged, 'the admin edited it')
  const text = await site.gleaner('anomalies', '--root', 'r')
  t.regex(text.stdout, new RegExp(`${id} .* ack: the admin edited it`))
  t.notRegex(text.stdout, /what to do/)
})

test('an id that there is not, and a reason that says nothing, are refused', async (t) => {
  const site = await open()
  t.teardown(() => site.close())
  const unknown = await site.gleaner('anomalies', 'ack', `hole-${'0'.repeat(16)}`, '--reason', 'x')
  t.is(unknown.code, 1)
  t.regex(unknown.stderr, /no such anomaly/)
  t.is((await site.gleaner('anomalies', 'ack', '../../x', '--reason', 'x')).code, 1)
  t.is((await site.gleaner('anomalies', 'ack', 'x')).code, 2)
  t.is((await site.gleaner('anomalies', 'ack', 'x', '--reason', ' ')).code, 2)
})
