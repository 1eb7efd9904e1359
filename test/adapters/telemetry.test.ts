import { spawnSync } from 'node:child_process'
import test from 'ava'
import { facts, openLog } from '../../src/adapters/log.ts'
import { openTelemetry } from '../../src/adapters/telemetry.ts'
import { Secret } from '../../src/config/secret.ts'
import { GleanerError } from '../../src/errors.ts'

function open(level = 'debug') {
  const lines: Record<string, unknown>[] = []
  const clock = { ms: 0 }
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
  const log = openLog({ level, node: 'n', version: '1.2.3', destination })
  const telemetry = openTelemetry({ log, node: 'n', version: '1.2.3', monotonicMs: () => clock.ms })
  return { log, telemetry, lines, clock }
}

/** The samples of one metric: label text → value. */
function samples(text: string, name: string): Record<string, string> {
  const found = [...text.matchAll(new RegExp(`^${name}(\\{[^}]*\\})? (\\S+)$`, 'gm'))]
  return Object.fromEntries(found.map(([, labels = '', value = '']) => [labels, value]))
}

test('store and Redis are up as long as the last request was done; without one nothing is said', async (t) => {
  const { telemetry } = open()
  const up = async (name: string): Promise<Record<string, string>> => samples(await telemetry.metrics(), name)
  t.deepEqual([await up('gleaner_redis_up'), await up('gleaner_store_up')], [{}, {}])
  telemetry.redisRequest('publish', 'ok', 2)
  telemetry.storeRequest('create', 'exists', 2)
  t.deepEqual([await up('gleaner_redis_up'), await up('gleaner_store_up')], [{ '': '1' }, { '': '1' }])
  telemetry.redisRequest('lease', 'redis-unreachable', 2)
  t.deepEqual([await up('gleaner_redis_up'), await up('gleaner_store_up')], [{ '': '0' }, { '': '1' }])
  telemetry.storeRequest('create', 'unknown', 2)
  t.deepEqual(await up('gleaner_store_up'), { '': '0' })
})

const published = { source: 's', path: 'f', latest: () => [] }

test('every fact reaches its metric', async (t) => {
  const { telemetry } = open()
  telemetry.archived('a', { source: 's-0', path: 'f', start: 10, end: 30, lines: 2 })
  telemetry.archived('a', { source: 's-0', path: 'f', start: 30, end: 35, lines: 1 })
  telemetry.published('a', { ...published, source: 's-0', records: 3, types: { JOB_FINISH: 2, line: 1 }, malformed: 1 })
  telemetry.change('a', 'inotify')
  telemetry.change('a', 'reconcile')
  telemetry.pass('a', { full: true, files: 5, signalled: 1, ms: 1500, worstDetectionMs: 600_000 })
  telemetry.rootUp('a', true)
  telemetry.rootUp('b', false, 'not mounted')
  telemetry.rootBlind('a', true)
  telemetry.waiting('a', { unarchivedBytes: 7, oldestUnarchivedAgeMs: 2000, oldestUnprovenAgeMs: 3000, longest: [] })
  telemetry.anomaly('a', { kind: 'truncated', subject: 'x', detail: 'd' })
  telemetry.openAnomalies({ truncated: 2 }, [])
  telemetry.digest({ n: 3, toMs: 1_772_323_200_000, sha256: 'ab' })
  telemetry.storeRequest('create', 'created', 20)
  telemetry.metadataCalls('a', 11)
  telemetry.reconcilers('a', 2)
  const text = await telemetry.metrics()
  const value = (name: string): Record<string, string> => samples(text, name)
  t.deepEqual(Object.values(value('gleaner_build_info')), ['1'])
  t.true(Object.keys(value('gleaner_build_info'))[0]?.includes('version="1.2.3"'))
  t.deepEqual(value('gleaner_archived_bytes_total'), { '{root="a"}': '25' })
  t.deepEqual(value('gleaner_records_total'), { '{root="a",type="JOB_FINISH"}': '2', '{root="a",type="line"}': '1' })
  t.deepEqual(value('gleaner_parse_errors_total'), { '{root="a"}': '1' })
  t.deepEqual(value('gleaner_changes_total'), {
    '{root="a",seen_by="inotify"}': '1',
    '{root="a",seen_by="reconcile"}': '1',
  })
  t.true(Number(value('gleaner_last_pass_timestamp_seconds')['{root="a"}']) > 1e9)
  t.deepEqual(value('gleaner_pass_duration_seconds_sum'), { '{root="a"}': '1.5' })
  t.deepEqual(value('gleaner_worst_detection_seconds'), { '{root="a"}': '600' })
  t.deepEqual(value('gleaner_root_up'), { '{root="a"}': '1', '{root="b"}': '0' })
  t.deepEqual(value('gleaner_root_blind'), { '{root="a"}': '1' })
  t.deepEqual(value('gleaner_unarchived_bytes'), { '{root="a"}': '7' })
  t.deepEqual(value('gleaner_oldest_unarchived_age_seconds'), { '{root="a"}': '2' })
  t.deepEqual(value('gleaner_oldest_unproven_age_seconds'), { '{root="a"}': '3' })
  t.deepEqual(value('gleaner_anomalies_total'), { '{root="a",kind="truncated"}': '1' })
  t.deepEqual(value('gleaner_anomalies_open'), { '{kind="truncated"}': '2' })
  t.deepEqual(Object.values(value('gleaner_digest_last_timestamp_seconds')), ['1772323200'])
  t.deepEqual(value('gleaner_store_requests_total'), { '{op="create",outcome="created"}': '1' })
  t.deepEqual(value('gleaner_store_request_duration_seconds_count'), { '{op="create"}': '1' })
  t.deepEqual(value('gleaner_metadata_calls_total'), { '{root="a"}': '11' })
  t.deepEqual(value('gleaner_reconcilers'), { '{root="a"}': '2' })
  t.true(telemetry.contentType.startsWith('text/plain'))
})

test('two in one process do not share a registry', async (t) => {
  const [one, two] = [open().telemetry, open().telemetry]
  one.metadataCalls('a', 1)
  t.deepEqual(samples(await two.metrics(), 'gleaner_metadata_calls_total'), {})
  t.deepEqual(samples(await two.metrics(), 'gleaner_digest_last_timestamp_seconds'), {})
})

test('an anomaly that closed is shown as 0', async (t) => {
  const { telemetry } = open()
  telemetry.openAnomalies({ hole: 1, vanished: 1 }, [])
  telemetry.openAnomalies({ vanished: 3 }, [])
  t.deepEqual(samples(await telemetry.metrics(), 'gleaner_anomalies_open'), {
    '{kind="hole"}': '0',
    '{kind="vanished"}': '3',
  })
})

test('lags of groups: a name that is no plain word is `other`, and a group that is gone is shown no more', async (t) => {
  const { telemetry } = open()
  const shown = async (): Promise<Record<string, string>> =>
    samples(await telemetry.metrics(), 'gleaner_feed_lag_records')
  telemetry.feedLags('a', [
    { group: 'billing', records: 3 },
    { group: 'a "user"\n', records: 9 },
    { group: '', records: 4 },
  ])
  telemetry.feedLags('b', [{ group: 'billing', records: 1 }])
  const ofB = { '{root="b",group="billing"}': '1' }
  t.deepEqual(await shown(), { '{root="a",group="billing"}': '3', '{root="a",group="other"}': '9', ...ofB })
  telemetry.feedLags('a', [{ group: 'billing', records: 0 }])
  t.deepEqual(await shown(), { '{root="a",group="billing"}': '0', ...ofB })
  telemetry.feedLags('a', null)
  t.deepEqual(await shown(), ofB)
})

test('record types are bounded for each root, and no content becomes a label', async (t) => {
  const { telemetry } = open()
  for (let n = 0; n < 200; n++) {
    telemetry.published('a', { ...published, records: 1, types: { [`t${n}`]: 1 }, malformed: 0 })
  }
  telemetry.published('a', { ...published, records: 1, types: { t0: 1 }, malformed: 0 })
  telemetry.published('b', {
    ...published,
    records: 2,
    types: { 'a user\nname': 1, ['x'.repeat(65)]: 1 },
    malformed: 0,
  })
  const counts = samples(await telemetry.metrics(), 'gleaner_records_total')
  t.is(Object.keys(counts).filter((labels) => labels.includes('root="a"')).length, 51)
  t.is(counts['{root="a",type="other"}'], '150')
  t.is(counts['{root="a",type="t0"}'], '2')
  t.is(counts['{root="b",type="other"}'], '2')
})

test('a trouble is logged with what to do about it', (t) => {
  const { telemetry, lines } = open()
  const error = new GleanerError('store-full', { operation: 'create', subject: 'evidence/x', message: 'no space left' })
  telemetry.trouble(error, { root: 'a', level: 'x' })
  t.like(lines[0], {
    level: 'error',
    node: 'n',
    version: '1.2.3',
    root: 'a',
    fact_level: 'x',
    code: 'store-full',
    operation: 'create',
    subject: 'evidence/x',
    remedy: error.remedy,
    message: 'create evidence/x: no space left',
  })
  t.regex(String(lines[0]?.['time']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  telemetry.trouble(new TypeError('oops'), {})
  t.like(lines[1], { code: 'internal', message: 'oops' })
  t.true(String(lines[1]?.['stack']).includes('telemetry.test'))
  telemetry.trouble('text', {})
  telemetry.trouble(undefined, {})
  t.deepEqual(
    lines.slice(2).map((line) => line['message']),
    ['text', 'unknown trouble'],
  )
})

test('the same trouble is logged once a minute, with how often it was held back', (t) => {
  const { telemetry, lines, clock } = open()
  const trouble = (subject: string): void =>
    telemetry.trouble(new GleanerError('redis-unreachable', { operation: 'publish', subject }), {})
  for (let n = 0; n < 100; n++) trouble('a')
  trouble('b')
  t.deepEqual(
    lines.map((line) => line['subject']),
    ['a', 'b'],
  )
  clock.ms = 59_999
  trouble('a')
  t.is(lines.length, 2)
  clock.ms = 60_000
  trouble('a')
  trouble('b')
  t.like(lines[2], { subject: 'a', repeated: 100 })
  t.is(lines[3]?.['repeated'], undefined)
})

test('what is held back is bounded; the longest silent is forgotten first', (t) => {
  const { telemetry, lines } = open()
  const trouble = (subject: string): void =>
    telemetry.trouble(new GleanerError('file-io', { operation: 'look', subject }), {})
  for (let n = 0; n <= 1000; n++) trouble(`f${n}`)
  trouble('f1')
  t.is(lines.length, 1001)
  trouble('f0')
  t.is(lines.length, 1002)
})

test('roots are told when they turn, not at every look', (t) => {
  const { telemetry, lines } = open()
  telemetry.rootUp('a', true)
  telemetry.rootUp('a', false, 'not mounted')
  telemetry.rootUp('a', false, 'not mounted')
  telemetry.rootUp('a', true)
  telemetry.rootBlind('a', false)
  telemetry.rootBlind('a', true)
  telemetry.rootBlind('a', true)
  t.deepEqual(
    lines.map((line) => line['level']),
    ['error', 'info', 'warn'],
  )
})

test('normal work is quiet at info', (t) => {
  const { telemetry, lines } = open('info')
  telemetry.archived('a', { source: 's', path: 'f', start: 0, end: 1, lines: 1 })
  telemetry.published('a', { ...published, records: 1, types: {}, malformed: 0 })
  telemetry.pass('a', { full: false, files: 1, signalled: 0, ms: 1, worstDetectionMs: 1 })
  telemetry.change('a', 'inotify')
  t.is(lines.length, 0)
  telemetry.pass('a', { full: true, files: 1, signalled: 0, ms: 1, worstDetectionMs: 1 })
  telemetry.notice('hello', { root: 'a', size: 2n ** 60n })
  t.deepEqual(
    lines.map((line) => [line['level'], line['message']]),
    [
      ['info', 'pass'],
      ['info', 'hello'],
    ],
  )
})

test('facts keep their names where a line has none of them', (t) => {
  t.deepEqual(facts({ root: 'a' }), { root: 'a' })
  t.deepEqual(facts({ time: 1, root: 'a' }), { fact_time: 1, root: 'a' })
})

test('a secret among the facts is not shown', (t) => {
  const { telemetry, lines } = open()
  telemetry.notice('hello', { deep: { token: new Secret('planted') } })
  telemetry.trouble(new Error('oops'), { token: new Secret('planted') })
  t.false(JSON.stringify(lines).includes('planted'))
  t.true(JSON.stringify(lines).includes('[secret]'))
})

test('lines go to stderr, and the last one is there when the process ends', (t) => {
  const log = new URL('../../src/adapters/log.ts', import.meta.url).href
  const program = `const { openLog } = await import('${log}')
    const log = openLog({ level: 'info', node: 'n', version: '1' })
    for (let n = 0; n < 1000; n++) log.info({ n }, 'line')
    process.exit(0)`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  t.is(child.stdout, '')
  const lines = child.stderr.trimEnd().split('\n')
  t.is(lines.length, 1000)
  t.like(JSON.parse(lines[999] ?? ''), { level: 'info', n: 999, message: 'line', node: 'n' })
})
