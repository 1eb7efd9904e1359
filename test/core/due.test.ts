import test from 'ava'
import * as fc from 'fast-check'
import { dueInMs, isDue } from '../../src/core/due.ts'

const seal = { bytes: 1000, ageMs: 300 }
const waiting = { bytes: 10, lastStoredAtMs: 5000, nowMs: 5100, ended: false, drain: false }

test('bytes wait while the last segment is younger than seal.age', (t) => {
  t.false(isDue(waiting, seal))
  t.is(dueInMs(waiting, seal), 200)
  t.false(isDue({ ...waiting, nowMs: 5299 }, seal))
  t.true(isDue({ ...waiting, nowMs: 5300 }, seal))
})

test('due at once: no segment yet, seal.bytes wait, the source ended, a drain', (t) => {
  t.true(isDue({ ...waiting, lastStoredAtMs: null }, seal))
  t.true(isDue({ ...waiting, bytes: 1000 }, seal))
  t.true(isDue({ ...waiting, ended: true }, seal))
  t.true(isDue({ ...waiting, drain: true }, seal))
  t.false(isDue({ ...waiting, bytes: 999 }, seal))
})

test('nothing that waits is never due', (t) => {
  for (const bytes of [0, -5])
    t.false(isDue({ ...waiting, bytes, lastStoredAtMs: null, ended: true, drain: true }, seal))
})

test('what is due in n ms is due then, and not a millisecond before', (t) => {
  const nowMs = fc.integer({ min: 5000, max: 5299 })
  fc.assert(
    fc.property(nowMs, (now) => {
      const inMs = dueInMs({ ...waiting, nowMs: now }, seal)
      t.true(isDue({ ...waiting, nowMs: now + inMs }, seal))
      t.false(isDue({ ...waiting, nowMs: now + inMs - 1 }, seal))
    }),
  )
})

test('a store clock that went back makes bytes wait, not fail', (t) => {
  t.is(dueInMs({ ...waiting, nowMs: 4000 }, seal), 1300)
})
