import test from 'ava'
import { openLatency } from '../../src/core/latency.ts'

test('median and worst of what went well, and how many failed', (t) => {
  const latency = openLatency()
  for (const ms of [5, 1, 9]) latency.add(0, { ms, ok: true })
  latency.add(0, { ms: 900, ok: false })
  t.deepEqual(latency.read(10), { requests: 4, failed: 1, medianMs: 5, worstMs: 9, failing: true })
  latency.add(20, { ms: 2, ok: true })
  t.false(latency.read(20).failing)
})

test('five minutes and 256 requests count', (t) => {
  const latency = openLatency()
  latency.add(0, { ms: 1000, ok: true })
  t.like(latency.read(300_001), { requests: 0, medianMs: null, worstMs: null })
  for (let n = 0; n < 400; n++) latency.add(1, { ms: n, ok: true })
  t.like(latency.read(2), { requests: 256, worstMs: 399 })
})
