/** Records of several lines, through the product: written in pieces, archived in segments that end inside of them, and read back whole. */

import test from 'ava'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSite } from '../support/gleaner.ts'
import { readArchive } from '../support/lines.ts'
import { ndjson } from '../support/run-gleaner.ts'

const ad = (n: number): string =>
  [
    'MyType = "Job"',
    `ClusterId = ${n}`,
    'ProcId = 0',
    `Note = "line one\n*** of ${n}\nlast"`,
    'JobStatus = 4',
    `*** Offset = 0 ClusterId = ${n} ProcId = 0 Owner = "anna" CompletionDate = ${1_700_000_000 + n}`,
    '',
  ].join('\n')

interface Told {
  start: number
  end: number
  raw: string
  fields: Record<string, unknown>
  flags: string
}

test('HTCondor ads that straddle segments: each record once, with its range, whichever run archived its parts', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({ seal: { bytes: '64KiB', age: '1s' } }, { format: 'htcondor' })
  const ads = Array.from({ length: 40 }, (_, n) => ad(n + 1))
  const text = ads.join('')
  const file = join(site.logs, 'history')
  await writeFile(file, '')
  const step = Math.ceil(text.length / 7)
  for (let at = 0; at < text.length; at += step) {
    await appendFile(file, text.slice(at, at + step))
    t.is((await site.gleaner('reconcile')).code, 0)
  }
  const [archived] = await readArchive(site.archive, 'r')
  t.is(archived?.bytes.toString(), text)
  const inside = archived?.segments.filter(
    ({ end }) =>
      !text.slice(0, end).endsWith(ad(ads.findIndex((_, n) => ads.slice(0, n + 1).join('').length === end) + 1)),
  )
  t.true((inside?.length ?? 0) >= 3, 'segments end inside of records')
  const told = ndjson((await site.gleaner('replay', 'r')).stdout) as unknown as Told[]
  t.deepEqual(
    told.map(({ raw }) => raw),
    ads,
  )
  let at = 0
  for (const { start, end, fields, flags } of told) {
    t.deepEqual([start, flags, fields['Note']], [at, '', `line one\n*** of ${String(fields['ClusterId'])}\nlast`])
    at = end
  }
  t.is(at, text.length)
})

test('a file per job has no footer: its ad is a record all the same', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({}, { format: 'htcondor', files: 'whole' })
  await mkdir(join(site.logs, 'jobs'))
  const text = 'MyType = "Job"\nClusterId = 377260\nProcId = 0\nJobStatus = 4\nCompletionDate = 1290672370\n'
  for (const proc of [0, 1])
    await writeFile(join(site.logs, 'jobs', `history.377260.${proc}`), text.replace('ProcId = 0', `ProcId = ${proc}`))
  t.is((await site.gleaner('reconcile')).code, 0)
  const told = ndjson((await site.gleaner('replay', 'r')).stdout)
  t.deepEqual(
    told
      .map(({ path, family, start, end, time }) => [path, family, start, end, time])
      .sort((a, b) => String(a[0]).localeCompare(String(b[0]))),
    [0, 1].map((proc) => [
      `jobs/history.377260.${proc}`,
      `jobs/history.377260.${proc}`,
      0,
      text.length,
      '2010-11-25T08:06:10Z',
    ]),
  )
})

test('a table: rows of several lines, named by the first row, whichever segment they are in', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({}, { format: 'csv' })
  const file = join(site.logs, 'a.csv')
  await writeFile(file, 'id;note\n1;"one\n')
  await site.gleaner('reconcile')
  await appendFile(file, 'more"\n2;two\n')
  await site.gleaner('reconcile')
  const told = ndjson((await site.gleaner('replay', 'r')).stdout) as unknown as Told[]
  t.deepEqual(
    told.map(({ start, end, fields }) => [start, end, fields]),
    [
      [0, 8, { id: 'id', note: 'note' }],
      [8, 21, { id: '1', note: 'one\nmore' }],
      [21, 27, { id: '2', note: 'two' }],
    ],
  )
})

test('a format that does not fit a file is an anomaly, and exit status 3; every byte is archived', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({}, { format: 'gridengine' })
  const text = 'a line of another program\n'.repeat(30)
  await writeFile(join(site.logs, 'accounting'), text)
  const { code, stdout } = await site.gleaner('--json', 'reconcile')
  t.is(code, 3)
  t.deepEqual(
    (JSON.parse(stdout) as { anomalies: { kind: string }[] }).anomalies.map(({ kind }) => kind),
    ['mismatch'],
  )
  t.deepEqual(await site.archived(), [text])
  const open = JSON.parse((await site.gleaner('--json', 'anomalies', '--open')).stdout) as {
    kind: string
    detail: string
  }[]
  t.is(open[0]?.kind, 'mismatch')
  t.regex(open[0]?.detail ?? '', /^30 of the first 30 records are no gridengine, the first at offset 0: too-few-fields/)
})
