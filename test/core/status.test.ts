import test from 'ava'
import { anomaliesMax, openStatus, pathsMax, tailMax } from '../../src/core/status.ts'
import type { OpenAnomaly, TailRow } from '../../src/core/status.ts'

const row = (type: string): TailRow => ({ root: 'r', path: 'p', kind: 'record', type, bytes: 1, text: null })
const anomaly = (id: string): OpenAnomaly => ({ root: 'r', kind: 'torn', subject: 's', detail: 'd', id })

test('a root that nothing was told of is neither up nor down', (t) => {
  const [root] = openStatus().read(0, ['r']).roots
  t.like(root, { name: 'r', up: null, blind: false, lastPass: null })
})

test('roots come in the order asked for, with ages', (t) => {
  const status = openStatus()
  status.up('b', false, 'gone')
  status.pass(1000, 'a', { full: true, files: 3, ms: 7, worstDetectionMs: 9 })
  status.change(1000, 'a', 'inotify')
  status.change(1000, 'a', 'reconcile')
  status.up('dropped', true)
  const { roots } = status.read(5000, ['b', 'a'])
  t.deepEqual(
    roots.map(({ name }) => name),
    ['b', 'a'],
  )
  t.like(roots[0], { up: false, reason: 'gone' })
  t.like(roots[1], { lastPass: { agoMs: 4000, full: true, files: 3, ms: 7 }, worstDetectionMs: 9 })
  t.is(roots[1]?.changes.inotify.at(-1), 1)
  status.up('b', true)
  t.like(status.read(0, ['b']).roots[0], { up: true, reason: null })
})

test('paths, records, anomalies and troubles are bounded; the latest stay, and come first', (t) => {
  const status = openStatus()
  for (let n = 0; n < 1000; n++) {
    status.touch(n, 'r', `p${n}`)
    status.tail(n, [row(`t${n}`)])
    status.anomaly(anomaly(`a${n}`))
    status.trouble(n, { code: 'c', message: `m${n}`, remedy: '' })
  }
  const seen = status.read(1000, [])
  t.is(seen.touched.length, pathsMax)
  t.deepEqual(seen.touched[0], { root: 'r', path: 'p999', agoMs: 1 })
  t.is(seen.tail.length, tailMax)
  t.like(seen.tail[0], { type: 't999', agoMs: 1 })
  t.is(seen.anomalies.length, anomaliesMax)
  t.is(seen.anomalies[0]?.id, 'a999')
  t.is(seen.anomaliesOpen, 1000)
  t.is(seen.troubles.length, 20)
  t.is(seen.troubles[0]?.message, 'm999')
})

test('a list of all that is open replaces what was told', (t) => {
  const status = openStatus()
  status.anomaly(anomaly('one'))
  status.anomalies([anomaly('two')])
  t.deepEqual(status.read(0, []).anomalies, [anomaly('two')])
  t.is(status.read(0, []).anomaliesOpen, 1)
})

test('a trouble counts how often it came, and is shown for ten minutes', (t) => {
  const status = openStatus()
  const trouble = { code: 'c', message: 'm', remedy: 'r' }
  status.trouble(0, trouble)
  status.trouble(60_000, trouble)
  t.deepEqual(status.read(61_000, []).troubles, [{ ...trouble, times: 2, agoMs: 1000 }])
  t.deepEqual(status.read(60_000 + 600_001, []).troubles, [])
})
