import test from 'ava'
import { openMinutes } from '../../src/core/minutes.ts'

const minute = 60_000

test('counts by minute, the minute under way last', (t) => {
  const minutes = openMinutes()
  minutes.add(10 * minute)
  minutes.add(10 * minute + 59_999, 2)
  minutes.add(11 * minute)
  t.deepEqual(minutes.read(12 * minute).slice(-4), [0, 3, 1, 0])
  t.is(minutes.read(12 * minute).length, 60)
})

test('what is older than an hour is gone, however long nothing was counted', (t) => {
  const minutes = openMinutes()
  minutes.add(0)
  t.is(minutes.read(59 * minute)[0], 1)
  t.true(minutes.read(60 * minute).every((count) => count === 0))
  minutes.add(61 * minute, 5)
  t.true(minutes.read(1000 * minute).every((count) => count === 0))
  minutes.add(1000 * minute, 7)
  t.is(minutes.read(1000 * minute).at(-1), 7)
})

test('before anything is counted it is an hour of nothing', (t) => {
  t.deepEqual(
    openMinutes().read(5),
    Array.from({ length: 60 }, () => 0),
  )
})
