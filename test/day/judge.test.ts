/** A day that was told otherwise than it happened is found: too little, too much, in another order, too early. */

import test from 'ava'
import { changes, judge, names } from './judge.ts'
import type { Telling } from './judge.ts'
import { planDay } from './plan.ts'

const day = planDay({ speed: 100, records: 300_000 })

/** Each told 2 s after it went, and cleared 1 s after it came back. */
const tellings = day.incidents.flatMap(({ what, fromMs, toMs }) =>
  (['page', 'alert'] as const).flatMap((by): Telling[] => [
    { by, of: names[what][by], away: true, atMs: fromMs + 2000 },
    { by, of: names[what][by], away: false, atMs: toMs + 1000 },
  ]),
)
const problems = (...told: Telling[]): string => judge(day, told).problems.join('\n')

test('each incident told and cleared once, in order', (t) => {
  const { told, problems } = judge(day, tellings)
  t.deepEqual(problems, [])
  t.deepEqual(
    told.map(({ incident, by, saidAfterMs, clearedAfterMs }) => [incident.what, by, saidAfterMs, clearedAfterMs]),
    (['page', 'alert'] as const).flatMap((by) => ['redis', 'store', 'root'].map((what) => [what, by, 2000, 1000])),
  )
})

test('nothing told, one not cleared, one too many, another order', (t) => {
  t.regex(problems(), /page: expected redis away.*told were none\nalert: expected/)
  t.regex(problems(...tellings.slice(0, -1)), /^alert: expected/)
  t.regex(problems(...tellings, { by: 'page', of: 'root cluster2', away: true, atMs: 1 }), /root cluster2 away$/)
  t.regex(problems(...tellings.toReversed()), /^page: .*\nalert: /)
})

test('what may be said besides is no fault while its incident lasts and soon after; at another time it is', (t) => {
  const [, store] = day.incidents
  const fails = (atMs: number): Telling[] =>
    [true, false].map((away, index) => ({ by: 'alert', of: 'GleanerStoreFails', away, atMs: atMs + index }))
  const ordered = (atMs: number): Telling[] => [...tellings, ...fails(atMs)].sort((a, b) => a.atMs - b.atMs)
  t.is(problems(...ordered(store?.toMs ?? 0)), '')
  t.regex(problems(...ordered((store?.toMs ?? 0) + 60_000)), /^alert: .*GleanerStoreFails away/)
})

test('told before it went, cleared before it came back', (t) => {
  const early = tellings.map((one) => (one.of === 'store' ? { ...one, atMs: one.atMs - 3000 } : one))
  t.is(problems(...early), 'page: store was told before it went\npage: store was cleared before it came back')
})

test('what changed from one set to the next', (t) => {
  t.deepEqual(changes(new Set(['a', 'b']), new Set(['b', 'c'])), [
    { of: 'a', away: false },
    { of: 'c', away: true },
  ])
})
