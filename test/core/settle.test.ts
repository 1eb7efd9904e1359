import test from 'ava'
import * as fc from 'fast-check'
import type { Aged } from '../../src/core/settle.ts'
import { age, readableNow, unseen } from '../../src/core/settle.ts'

const settleMs = 250
const at = (atMs: number) => ({ fromMs: atMs, atMs, settleMs })

test('where nothing need settle, all is readable at once', (t) => {
  t.is(age(unseen, 100, { fromMs: 0, atMs: 0, settleMs: 0 }).trusted, 100)
  t.is(readableNow(unseen, { atMs: 0, settleMs: 0 }), Number.MAX_SAFE_INTEGER)
})

test('nothing is readable before a size is settle.read old', (t) => {
  const seen = age(unseen, 100, at(0))
  t.is(seen.trusted, 0)
  t.is(readableNow(seen, at(249)), 0)
  t.is(readableNow(seen, at(250)), 100)
  t.is(age(seen, 100, at(249)).trusted, 0)
  t.is(age(seen, 100, at(250)).trusted, 100)
})

test('a slow look makes no size older than it is, and reads nothing that was not old when it began', (t) => {
  const seen = age(unseen, 100, { fromMs: 0, atMs: 200, settleMs })
  t.deepEqual(seen.pending, { size: 100, atMs: 200 })
  t.is(age(seen, 100, { fromMs: 300, atMs: 600, settleMs }).trusted, 0)
  t.is(age(seen, 100, { fromMs: 450, atMs: 600, settleMs }).trusted, 100)
})

test('a file that grows on is readable up to the size that is old enough', (t) => {
  const grown = age(age(unseen, 100, at(0)), 200, at(100))
  t.deepEqual(grown.pending, { size: 100, atMs: 0 })
  const ripe = age(grown, 300, at(250))
  t.deepEqual(ripe, { trusted: 100, pending: { size: 300, atMs: 250 } })
})

test('a file that shrank starts anew', (t) => {
  const settled: Aged = { trusted: 100, pending: null }
  t.deepEqual(age(settled, 50, at(1000)), { trusted: 0, pending: { size: 50, atMs: 1000 } })
  t.deepEqual(age({ trusted: 10, pending: { size: 100, atMs: 0 } }, 50, at(1000)), {
    trusted: 0,
    pending: { size: 50, atMs: 1000 },
  })
})

test('a file that is as long as trusted waits for nothing', (t) => {
  t.deepEqual(age({ trusted: 100, pending: null }, 100, at(5)), { trusted: 100, pending: null })
})

test('whatever is looked at when: what is trusted was seen settle.read before, with no shorter look since', (t) => {
  const looks = fc.array(fc.record({ waitMs: fc.nat(200), size: fc.nat(5) }), { maxLength: 30 })
  fc.assert(
    fc.property(looks, (all) => {
      let aged = unseen
      let nowMs = 0
      const seen: { size: number; atMs: number }[] = []
      for (const { waitMs, size } of all) {
        nowMs += waitMs
        const readable = readableNow(aged, at(nowMs))
        t.true(readable === 0 || seen.some((one) => one.size >= readable && nowMs - one.atMs >= settleMs))
        aged = age(aged, size, at(nowMs))
        seen.push({ size, atMs: nowMs })
        t.true(aged.trusted <= size)
        t.true(aged.trusted === 0 || seen.some((one) => one.size >= aged.trusted && nowMs - one.atMs >= settleMs))
      }
    }),
  )
})

test('a file left alone is wholly readable after two looks', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { maxLength: 10 }), fc.nat(5), (sizes, last) => {
      let aged = sizes.reduce((before, size, index) => age(before, size, at(index * 100)), unseen)
      for (const nowMs of [2000, 3000, 4000]) aged = age(aged, last, at(nowMs))
      t.is(aged.trusted, last)
    }),
  )
})
