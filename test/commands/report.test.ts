import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { sha256 } from '../../src/core/hash.ts'
import type { Site } from '../support/gleaner.ts'
import { openSite } from '../support/gleaner.ts'
import { lsfRecord } from '../support/lsf-records.ts'
import { samplesOf } from '../support/samples.ts'

interface ReportSite extends Site {
  pub: string
  evidence: string
}

interface Answer {
  rows: Record<string, unknown>[]
  summary: Record<string, unknown>
}

const seconds = (text: string): number => Date.parse(text) / 1000

/** A JOB_FINISH line. */
function finished(end: string, jobId: number, change: Record<string, string> = {}): string {
  const times = { eventTime: String(seconds(end)), startTime: String(seconds(end) - 60) }
  return `${lsfRecord({ jobId: String(jobId), ...times, ...change })}\n`
}

const lines = [
  finished('2026-02-28T22:59:59Z', 1),
  finished('2026-02-28T23:00:00Z', 2),
  finished('2026-03-15T12:00:00Z', 3, { userName: '"bob"' }),
  finished('2026-03-15T12:00:00Z', 4, { jobName: '"two\nlines, ""quoted"""' }),
  finished('2026-03-31T21:59:59Z', 5),
  finished('2026-03-31T22:00:00Z', 6),
]

async function open(
  t: ExecutionContext,
  text = lines.join(''),
  root: Record<string, unknown> = {},
): Promise<ReportSite> {
  const site = await openSite()
  t.teardown(() => site.close())
  const keyFile = join(site.dir, 'signer')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
  await site.configure({ sign: { keyFile } }, { format: 'lsf', ...root })
  writeFileSync(join(site.logs, 'lsb.acct'), text)
  t.is((await site.gleaner('reconcile')).code, 0)
  return { ...site, pub: `${keyFile}.pub`, evidence: join(site.dir, 'evidence') }
}

const zurich = ['report', '--user', 'anna', '--ended', '2026-03', '--timezone', 'Europe/Zurich']

const asked = async (site: Site, ...args: string[]): Promise<Answer> =>
  JSON.parse((await site.gleaner('--json', ...args)).stdout) as Answer

const ids = ({ rows }: Answer): unknown[] => rows.map((row) => row['job_id'])

function check(site: ReportSite, ...args: string[]): { status: number | null; output: string } {
  const ran = spawnSync('sh', [join(site.evidence, 'check.sh'), ...args], { encoding: 'utf8' })
  return { status: ran.status, output: ran.stdout + ran.stderr }
}

test.serial(
  'a month is half-open in its zone, also where summer time begins in it; rows as CSV, the rest on stderr',
  async (t) => {
    const site = await open(t)
    const ran = await site.gleaner(...zurich)
    t.is(ran.code, 0, ran.stderr)
    t.regex(ran.stdout, /^root,cluster,job_id,.*,late\n/)
    t.regex(
      ran.stderr,
      /^anna, ended in 2026-03 \(Europe\/Zurich\): from 2026-02-28T23:00:00Z, before 2026-03-31T22:00:00Z\n/,
    )
    t.regex(ran.stderr, /3 jobs in 3 records.*\n[^]*complete\n$/)
    const answer = await asked(site, ...zurich)
    t.deepEqual(ids(answer), ['2', '4', '5'])
    t.like(answer.summary, { complete: true, records: 3, jobs: 3, user: 'anna', asOf: null })
    t.deepEqual(ids(await asked(site, 'report', '--user', 'anna', '--ended', '2026-03')), ['4', '5', '6'])
    t.deepEqual(ids(await asked(site, 'report', '--user', 'anna', '--ended', '2026-02-28')), ['1', '2'])
    t.deepEqual(ids(await asked(site, 'report', '--user', 'anna', '--ended', '2026')), ['1', '2', '4', '5', '6'])
    t.regex((await site.gleaner(...zurich, '--format', 'table')).stdout, /^end_time +root +job_id/)
  },
)

test.serial(
  'the answer is the same once there are tables, and of those no more is opened than the month needs',
  async (t) => {
    const site = await open(t)
    const before = await asked(site, ...zurich)
    t.is((await site.gleaner('tables', 'build')).code, 0)
    const after = await asked(site, ...zurich)
    t.deepEqual(after.rows, before.rows)
    const [root] = after.summary['roots'] as { tables: { files: number; filesOf: number }; parsedBytes: number }[]
    t.is(root?.parsedBytes, 0)
    const day = await asked(site, 'report', '--user', 'anna', '--ended', '2026-03-15')
    const [narrow] = day.summary['roots'] as { tables: { files: number; filesOf: number } }[]
    t.deepEqual([ids(day), narrow?.tables.files, narrow?.tables.filesOf], [['4'], 2, 6])
  },
)

test.serial('the evidence holds the very bytes, and stock tools find it as it should be', async (t) => {
  const site = await open(t)
  // A record that begins in one segment and ends in the next.
  const last = finished('2026-03-20T00:00:00Z', 7, { jobName: '"two\nlines"' })
  const cut = last.indexOf('\n') + 1
  for (const part of [last.slice(0, cut), last.slice(cut)]) {
    appendFileSync(join(site.logs, 'lsb.acct'), part)
    t.is((await site.gleaner('reconcile')).code, 0)
  }
  t.is((await site.gleaner('digest', 'create')).code, 0)
  const ran = await site.gleaner('--json', ...zurich, '--evidence', site.evidence)
  t.is(ran.code, 0, ran.stderr)
  const summary = JSON.parse(ran.stdout) as Record<string, unknown>
  t.like(summary, { complete: true, records: 4, digests: { segments: 3, of: 3, newest: { n: 1 } } })
  t.deepEqual(JSON.parse(readFileSync(join(site.evidence, 'manifest.json'), 'utf8')), summary)
  const raw = readFileSync(join(site.evidence, 'records.raw'), 'utf8')
  t.is(raw, [lines[1], lines[3], lines[4], last].join(''))
  t.is(readFileSync(join(site.evidence, 'jobs.csv'), 'utf8'), (await site.gleaner(...zurich)).stdout)
  t.deepEqual(check(site, site.pub), {
    status: 0,
    output:
      '1. the files are those that were written\n2. the digests are signed\n3. the segments hold what their digests say\n' +
      '4. the records are in records.raw, and in the segments\nall as it should be: 4 records\n',
  })
  t.is(check(site).status, 0)
  const [segment] = readFileSync(join(site.evidence, 'segments.csv'), 'utf8').split('\n').slice(1)
  const [key = '', hash = ''] = segment?.split(',') ?? []
  const bytes = execFileSync('zstd', ['-dcq', join(site.evidence, 'archive', key)])
  t.is(bytes.toString(), lines.join(''))
  t.is(sha256(bytes), hash)
})

test.serial(
  'check.sh finds a changed record, another key, and a segment that is not what its digest says',
  async (t) => {
    const site = await open(t)
    t.is((await site.gleaner('digest', 'create')).code, 0)
    t.is((await site.gleaner(...zurich, '--evidence', site.evidence)).code, 0)
    const other = join(site.dir, 'other')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const forged = check(site, `${other}.pub`)
    t.is(forged.status, 3)
    t.regex(forged.output, /WRONG: the signature of digest 1/)
    const index = join(site.evidence, 'records.raw')
    writeFileSync(index, readFileSync(index, 'utf8').replace('sleep 3', 'sleep 9'))
    const changed = check(site, site.pub)
    t.is(changed.status, 3)
    t.regex(changed.output, /WRONG: SHA256SUMS[^]*WRONG: the record at 0 of records\.raw/)
    const segments = join(site.evidence, 'archive/evidence/segments/r')
    const [source = ''] = readdirSync(segments)
    const object = join(segments, source, '0000000000000000.zst')
    writeFileSync(object, execFileSync('zstd', ['-cq'], { input: lines.join('').replace('sleep 3', 'sleep 9') }))
    t.regex(check(site, site.pub).output, /WRONG: evidence\/segments\/.*0000000000000000\.zst holds/)
  },
)

test.serial('as of a time before a late record came it is left out; now it is there and marked', async (t) => {
  const site = await open(t)
  const [source = ''] = readdirSync(join(site.archive, 'evidence/segments/r'))
  const first = join(site.archive, 'evidence/segments/r', source, '0000000000000000.zst')
  utimesSync(first, seconds('2026-04-01T00:00:00Z'), seconds('2026-04-01T00:00:00Z'))
  appendFileSync(join(site.logs, 'lsb.acct'), finished('2026-03-20T00:00:00Z', 7))
  t.is((await site.gleaner('reconcile')).code, 0)
  for (const _ of ['without tables', 'with tables']) {
    const then = await asked(site, ...zurich, '--as-of', '2026-04-02')
    t.deepEqual(ids(then), ['2', '4', '5'])
    t.like(then.summary, { asOf: '2026-04-02T00:00:00Z', late: { records: 0 } })
    t.is((then.summary['roots'] as { archived: { upTo: string } }[])[0]?.archived.upTo, '2026-04-01T00:00:00Z')
    const now = await asked(site, ...zurich)
    t.deepEqual(
      now.rows.map((row) => [row['job_id'], row['late']]),
      [
        ['2', false],
        ['4', false],
        ['7', true],
        ['5', false],
      ],
    )
    t.like(now.summary, { late: { archivedAfter: '2026-04-01T22:00:00Z', records: 1 } })
    t.is((await site.gleaner('tables', 'build')).code, 0)
  }
})

test.serial('a user without jobs, and nothing archived: the header, the reason, and status 0', async (t) => {
  const site = await open(t)
  const nobody = await site.gleaner('report', '--user', `x' OR 'a'='a`, '--ended', '2026-03')
  t.is(nobody.code, 0, nobody.stderr)
  t.is(nobody.stdout.split('\n').length, 2)
  t.regex(nobody.stderr, /0 jobs in 0 records/)
  const empty = await open(t, '')
  const ran = await empty.gleaner(...zurich)
  t.is(ran.code, 0, ran.stderr)
  t.regex(ran.stderr, /r: nothing is archived/)
  t.deepEqual((await asked(empty, ...zurich)).rows, [])
  t.is((await empty.gleaner(...zurich, '--evidence', empty.evidence)).code, 0)
  t.deepEqual(check(empty, empty.pub).status, 0)
})

test.serial('what is asked wrongly is refused with what was expected', async (t) => {
  const site = await open(t)
  for (const [args, said] of [
    [['--user', 'anna', '--ended', '2026-13'], /--ended: expected a year, a month or a day.*2026-13/],
    [['--user', 'anna', '--ended', '2026-03', '--timezone', 'Mars/Base'], /Mars\/Base is no IANA time zone/],
    [['--user', '', '--ended', '2026-03'], /--user: expected a name/],
    [['--user', 'anna'], /--ended/],
    [['--ended', '2026'], /--user/],
    [['--user', 'anna', '--ended', '2026', '--as-of', 'later'], /RFC 3339/],
    [['--user', 'anna', '--ended', '2026', '--format', 'xml'], /csv, table, json/],
    [['--user', 'anna', '--ended', '2026', '--evidence', site.logs], /expected an empty directory/],
    [['--user', 'anna', '--ended', '2026', '--evidence', site.config], /no directory can be made there/],
  ] as const) {
    const ran = await site.gleaner('report', ...args)
    t.is(ran.code, 2, args.join(' '))
    t.regex(ran.stderr, said)
  }
  t.is((await site.gleaner(...zurich, '--root', 'none')).code, 1)
})

test.serial('damage and open anomalies: what is left out, status 3, and the evidence says so', async (t) => {
  const site = await open(t)
  appendFileSync(join(site.logs, 'lsb.acct'), finished('2026-03-20T00:00:00Z', 7))
  t.is((await site.gleaner('reconcile')).code, 0)
  const journal = join(site.archive, 'evidence/journal/r')
  mkdirSync(journal, { recursive: true })
  const anomaly = {
    v: 1,
    id: 'truncated-0123456789abcdef',
    root: 'r',
    at: '2026-03-20T00:00:00Z',
    node: 'n',
    kind: 'truncated',
  }
  writeFileSync(
    join(journal, `${anomaly.id}.json`),
    JSON.stringify({ ...anomaly, source: '', path: 'x', start: 0, end: 0, detail: 'cut' }),
  )
  const found = await site.gleaner(...zurich)
  t.is(found.code, 3)
  t.regex(found.stderr, /not complete:\n {2}r: 1 open in `gleaner anomalies --open`/)
  t.is((await site.gleaner('anomalies', 'ack', anomaly.id, '--reason', 'known')).code, 0)
  t.is((await site.gleaner(...zurich)).code, 0)
  const segments = join(site.archive, 'evidence/segments/r')
  const [source = ''] = readdirSync(segments)
  const [, last = ''] = readdirSync(join(segments, source)).sort()
  const object = join(segments, source, last)
  const bytes = readFileSync(object)
  t.is((await site.gleaner('tables', 'build')).code, 0)
  bytes.fill(0, bytes.length - 200, bytes.length - 100)
  rmSync(object)
  writeFileSync(object, bytes)
  const ran = await site.gleaner('--json', ...zurich, '--evidence', site.evidence)
  t.is(ran.code, 3, ran.stderr)
  t.like(JSON.parse(ran.stdout), { complete: false, records: 4 })
  t.regex(readFileSync(join(site.evidence, 'records.csv'), 'utf8'), /,table,evidence\/segments/)
  t.is(check(site, site.pub).status, 3)
  rmSync(join(site.archive, 'derived'), { recursive: true })
  const left = await site.gleaner(...zurich)
  t.is(left.code, 3)
  t.regex(left.stderr, /records are left out/)
})

test.serial('a copy that was collected twice counts once, and what was left out is told', async (t) => {
  const site = await open(t)
  const comment = `# copied back\n`
  writeFileSync(join(site.logs, 'lsb.acct.1'), comment + lines.join(''))
  t.is((await site.gleaner('reconcile')).code, 0)
  const answer = await asked(site, ...zurich)
  t.deepEqual(ids(answer), ['2', '4', '5'])
  t.like(answer.summary, { duplicatesLeftOut: 3 })
  await site.gleaner(...zurich, '--evidence', site.evidence)
  t.is(readFileSync(join(site.evidence, 'duplicates.csv'), 'utf8').trimEnd().split('\n').length, 4)
})

test.serial('records whose segments have expired come from the tables, and that is said', async (t) => {
  const site = await open(t)
  appendFileSync(join(site.logs, 'lsb.acct'), finished('2026-05-20T00:00:00Z', 7))
  t.is((await site.gleaner('reconcile')).code, 0)
  t.is((await site.gleaner('digest', 'create')).code, 0)
  t.is((await site.gleaner('tables', 'build')).code, 0)
  const segments = join(site.archive, 'evidence/segments/r')
  for (const source of readdirSync(segments))
    for (const name of readdirSync(join(segments, source))) utimesSync(join(segments, source, name), 1e9, 1e9)
  rmSync(join(site.logs, 'lsb.acct'))
  t.is((await site.gleaner('reconcile')).code, 0)
  const expired = await site.gleaner('--json', 'expire', '--root', 'r', '--before', '2026-05-01')
  t.is(expired.code, 0, expired.stdout + expired.stderr)
  t.is((JSON.parse(expired.stdout) as { segments: number }).segments, 1, expired.stdout)
  const ran = await site.gleaner('--json', ...zurich, '--evidence', site.evidence)
  t.is(ran.code, 0, ran.stderr + ran.stdout)
  t.like(JSON.parse(ran.stdout), { records: 3, digests: { segments: 1, of: 1 } })
  t.is(readFileSync(join(site.evidence, 'records.raw'), 'utf8'), [lines[1], lines[3], lines[4]].join(''))
  t.regex(
    check(site, site.pub).output,
    /expired by command: .*\n[^]*kept by a table alone: r\/[^]*all as it should be: 3 records\n$/,
  )
  t.true(existsSync(join(site.evidence, 'archive/evidence/boundaries/r')))
  rmSync(join(site.archive, 'derived/tables'), { recursive: true })
  const without = await site.gleaner(...zurich)
  t.is(without.code, 3)
  t.regex(without.stderr, /have expired, and no table holds their records/)
})

const sample = samplesOf('lsf').find(({ name }) => name.includes('gratia'))
const withSamples = sample === undefined ? test.skip : test.serial

withSamples('records that others wrote', async (t) => {
  const site = await open(t, sample?.bytes.toString('latin1'))
  const users = JSON.parse(
    (
      await site.gleaner(
        '--json',
        'query',
        'SELECT "user", year(end_time) AS y, count(*) AS n FROM jobs GROUP BY ALL ORDER BY n DESC',
      )
    ).stdout,
  ) as { user: string; y: number; n: number }[]
  const [most] = users
  t.is((await site.gleaner('digest', 'create')).code, 0)
  const args = ['report', '--user', String(most?.user), '--ended', String(most?.y), '--evidence', site.evidence]
  const ran = await site.gleaner('--json', ...args)
  t.is(ran.code, 0, ran.stderr)
  t.is((JSON.parse(ran.stdout) as { records: number }).records, Number(most?.n))
  t.is(check(site, site.pub).status, 0)
})
