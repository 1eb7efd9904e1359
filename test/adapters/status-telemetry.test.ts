import test from 'ava'
import { both, openStatusTelemetry } from '../../src/adapters/status-telemetry.ts'
import type { StatusTelemetry } from '../../src/adapters/status-telemetry.ts'
import { GleanerError } from '../../src/errors.ts'

const opened = (options: { showRecords?: boolean; publishes?: boolean } = {}): StatusTelemetry =>
  openStatusTelemetry({ clock: { monotonicMs: () => 0 }, showRecords: false, publishes: true, ...options })
const raw = Buffer.from('planted content of a record')
const latest = () => [{ type: 'JOB', bytes: raw.length, raw }]
const published = { source: 's', path: 'p', records: 1, types: { JOB: 1 }, malformed: 0, latest }
const archived = { source: 's', path: 'p', start: 10, end: 30, lines: 2 }

test('records are shown by type and size; their content only where that is allowed', (t) => {
  const [silent, open] = [opened(), opened({ showRecords: true })]
  for (const one of [silent, open]) one.published('r', published)
  t.like(silent.read([]).tail[0], { kind: 'record', type: 'JOB', bytes: raw.length, text: null, path: 'p' })
  t.false(JSON.stringify(silent.read([])).includes('planted'))
  t.is(open.read([]).tail[0]?.text, 'planted content of a record')
})

test('segments are told of only where no records are', (t) => {
  const [feeding, alone] = [opened(), opened({ publishes: false })]
  for (const one of [feeding, alone]) one.archived('r', archived)
  t.deepEqual(feeding.read([]).tail, [])
  t.like(alone.read([]).tail[0], { kind: 'segment', type: '2 lines', bytes: 20 })
  t.is(feeding.read([]).touched[0]?.path, 'p')
})

test('what waits is among the paths; requests that fail are counted', (t) => {
  const status = opened()
  const waiting = { unarchivedBytes: 5, oldestUnarchivedAgeMs: 6, oldestUnprovenAgeMs: 7 }
  status.waiting('r', { ...waiting, longest: ['slow'] })
  status.storeRequest('create', 'exists', 3)
  status.storeRequest('get', 'store-unreachable', 3)
  status.redisRequest('publish', 'ok', 2)
  const seen = status.read(['r'])
  t.deepEqual(seen.roots[0]?.waiting, waiting)
  t.is(seen.touched[0]?.path, 'slow')
  t.like(seen.store, { requests: 2, failed: 1, failing: true })
  t.like(seen.redis, { requests: 1, failed: 0, medianMs: 2 })
})

test('anomalies and troubles say what to do', (t) => {
  const status = opened()
  status.anomaly('r', { kind: 'torn', subject: 's', path: 'p', detail: 'd', id: 'torn-1' })
  status.trouble(new GleanerError('redis-unreachable', { operation: 'publish', subject: 'r' }), {})
  const { anomalies, troubles } = status.read([])
  t.deepEqual(anomalies, [{ root: 'r', kind: 'torn', subject: 'p', detail: 'd', id: 'torn-1' }])
  t.like(troubles[0], { code: 'redis-unreachable' })
  t.not(troubles[0]?.remedy, '')
})

test('both are told of every fact, and the first keeps what else it has', (t) => {
  const [one, other] = [opened(), opened()]
  const told = both({ ...one, more: 1 }, other)
  told.rootUp('r', false, 'gone')
  told.change('r', 'inotify')
  told.pass('r', { full: false, files: 1, signalled: 0, ms: 1, worstDetectionMs: 1 })
  t.is(told.more, 1)
  t.like(one.read(['r']).roots[0], { up: false, reason: 'gone', lastPass: { files: 1 } })
  t.deepEqual(other.read(['r']), one.read(['r']))
})
