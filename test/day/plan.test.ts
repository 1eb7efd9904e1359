/** The day's times: what lasts and what follows what, whatever the speed. */

import test from 'ava'
import { dayMs, hourOf, planDay, recordsBy } from './plan.ts'

test('at 100 times as fast a day lasts 864 s, and an incident of ten minutes 6 s', (t) => {
  const day = planDay({ speed: 100, records: 300_000 })
  t.is(day.endMs, 864_000)
  t.deepEqual(
    day.incidents.map(({ what, fromMs, toMs }) => `${what} ${hourOf(day, fromMs)} ${toMs - fromMs}`),
    ['redis 06:00 6000', 'store 12:00 6000', 'root 18:00 6000'],
  )
})

test('what lasts does so at any speed; incidents never meet, and files are rotated within each', (t) => {
  for (const speed of [1, 50, 100, 1000]) {
    const { incidents, rotationsMs, endMs, pace } = planDay({ speed, records: 1000 })
    t.deepEqual(
      rotationsMs,
      [...rotationsMs].sort((a, b) => a - b),
    )
    for (const [index, { fromMs, toMs }] of incidents.entries()) {
      t.is(toMs - fromMs, 600_000 / pace)
      t.true(toMs < (incidents[index + 1]?.fromMs ?? endMs))
      t.true(rotationsMs.some((atMs) => atMs > fromMs && atMs < toMs))
    }
  }
})

test('records never grow fewer, all are written by the end, and noon has nine times as many as midnight', (t) => {
  const day = planDay({ speed: 1, records: 300_000 })
  const by = (hour: number): number => recordsBy(day, (hour / 24) * dayMs)
  const hours = Array.from({ length: 24 }, (_, hour) => by(hour + 1) - by(hour))
  t.true(hours.every((count) => count > 0))
  t.is(by(0), 0)
  t.is(by(24), 300_000)
  t.is(recordsBy(day, 2 * dayMs), 300_000)
  const minute = (hour: number): number => by(hour + 1 / 60) - by(hour)
  t.is(Math.round(minute(12) / minute(0)), 9)
})
