import test from 'ava'
import * as fc from 'fast-check'
import {
  isDue,
  isFullDue,
  nextLookMs,
  openBudget,
  takeTokens,
  worstDetectionMs,
  type SchedulePolicy,
} from '../../src/core/schedule.ts'

const defaults = { everyMs: 10_000, fullEveryMs: 600_000 }
const policies: fc.Arbitrary<SchedulePolicy> = fc
  .record({
    everyMs: fc.integer({ min: 100, max: 100_000 }),
    factor: fc.integer({ min: 1, max: 100 }),
    rest: fc.nat(99),
  })
  .map(({ everyMs, factor, rest }) => ({ everyMs, fullEveryMs: everyMs * factor + rest }))

test('a new file, a file looked at in the future, and every file of a full pass are due', (t) => {
  const old = { lastChangedMs: 0, lastLookedMs: 9_999_000 }
  t.true(isDue({ lastChangedMs: 0, lastLookedMs: null }, { nowMs: 0, full: false }, defaults))
  t.true(isDue(old, { nowMs: 5, full: false }, defaults))
  t.true(isDue(old, { nowMs: 9_999_001, full: true }, defaults))
  t.false(isDue(old, { nowMs: 9_999_001, full: false }, defaults))
})

test('with the defaults: every pass while hot, then after an eighth of the age, then in the last pass before fullEvery is over', (t) => {
  const next = (ageMs: number) => nextLookMs({ lastChangedMs: 0, lastLookedMs: ageMs }, defaults) - ageMs
  t.is(next(0), 0)
  t.is(next(599_999), 0)
  t.is(next(600_000), 75_000)
  t.is(next(3_600_000), 450_000)
  t.is(next(86_400_000), 590_000)
})

test('no file is looked at more rarely than fullEvery, and a hot one in every pass', (t) => {
  fc.assert(
    fc.property(policies, fc.nat(10_000_000), fc.array(fc.boolean(), { maxLength: 300 }), (policy, ageMs, changes) => {
      const file = { lastChangedMs: -ageMs, lastLookedMs: 0 }
      for (const [index, changed] of changes.entries()) {
        const nowMs = (index + 1) * policy.everyMs
        const hot = nowMs - file.lastChangedMs < policy.fullEveryMs
        const due = isDue(file, { nowMs, full: false }, policy)
        if (hot && !due) return false
        // The look that follows this pass must still be in time.
        if (!due && nowMs + policy.everyMs - file.lastLookedMs > policy.fullEveryMs) return false
        if (due) {
          file.lastLookedMs = nowMs
          if (changed && index % 7 === 0) file.lastChangedMs = nowMs
        }
      }
      return true
    }),
  )
  t.pass()
})

test('the longer a file is unchanged, the longer it is left alone, but a cold file is not looked at in every pass', (t) => {
  fc.assert(
    fc.property(policies, fc.nat(10_000_000), fc.nat(10_000_000), (policy, a, b) => {
      const wait = (ageMs: number) => nextLookMs({ lastChangedMs: 0, lastLookedMs: ageMs }, policy) - ageMs
      return wait(Math.min(a, b)) <= wait(Math.max(a, b))
    }),
  )
  const looks = Array.from({ length: 60 }, (_, pass) => (pass + 1) * 10_000).reduce(
    (seen, nowMs) =>
      isDue({ lastChangedMs: -86_400_000, lastLookedMs: seen.lastMs }, { nowMs, full: false }, defaults)
        ? { lastMs: nowMs, count: seen.count + 1 }
        : seen,
    { lastMs: 0, count: 0 },
  )
  t.is(looks.count, 1)
})

/**
 * Passes on a virtual clock, each as long as chance wants up to `longestMs`, ticks during a pass skipped. One file, which each pass reaches at any
 * moment within it, and which changes right after it was read.
 */
test('no schedule of passes leaves a change unseen for longer than worstDetection', (t) => {
  const chance = fc.double({ min: 0, max: 1, noNaN: true })
  const passes = fc.array(fc.record({ length: chance, reach: chance }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(policies, fc.integer({ min: 1, max: 500_000 }), passes, (policy, longestMs, lengths) => {
      const worstMs = worstDetectionMs(policy, { files: 1000, metadataPerSecondMax: 1e9, passMs: longestMs })
      const file = { lastChangedMs: -1e12, lastLookedMs: null as number | null }
      let nowMs = 0
      let lastFullMs: number | null = null
      let readMs: number | null = null
      for (const { length, reach } of lengths) {
        const full = isFullDue(lastFullMs, nowMs, policy)
        if (isDue(file, { nowMs, full }, policy)) {
          const atMs = nowMs + length * reach * longestMs
          if (readMs !== null && atMs - readMs > worstMs) return false
          readMs = atMs
          file.lastLookedMs = nowMs
        }
        if (full) lastFullMs = nowMs
        const endMs = nowMs + length * longestMs
        nowMs = Math.max(nowMs + policy.everyMs, Math.ceil(endMs / policy.everyMs) * policy.everyMs)
      }
      return true
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('the worst detection time counts what the budget costs', (t) => {
  const cost = { files: 10_000, metadataPerSecondMax: 5000, passMs: 300 }
  t.is(worstDetectionMs(defaults, cost), 602_000)
  t.is(worstDetectionMs(defaults, { ...cost, files: 1_000_000 }), 600_000 + 200_000 + 200_000)
  t.is(worstDetectionMs(defaults, { ...cost, passMs: 5000 }), 605_000)
  t.is(worstDetectionMs({ everyMs: 86_400_000, fullEveryMs: 600_000 }, cost), 86_402_000)
  t.is(worstDetectionMs(defaults, { files: 0, metadataPerSecondMax: 0, passMs: 0 }), 600_000)
  t.is(worstDetectionMs(defaults, { ...cost, metadataPerSecondMax: 0 }), Number.POSITIVE_INFINITY)
})

test('a full pass is due at first, after a clock that went back, and in the last pass before fullEvery is over', (t) => {
  t.true(isFullDue(null, 0, defaults))
  t.true(isFullDue(100, 99, defaults))
  t.false(isFullDue(0, 589_999, defaults))
  t.true(isFullDue(0, 590_000, defaults))
})

test('over any stretch of time no more calls are granted than the rate and one second of burst', (t) => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(3000), wanted: fc.integer({ min: 1, max: 20_000 }) }), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), asks, (ratePerSecond, list) => {
      let budget = openBudget(0, ratePerSecond)
      let nowMs = 0
      const calls: { atMs: number; count: number }[] = []
      for (const { afterMs, wanted } of list) {
        nowMs += afterMs
        const answer = takeTokens(budget, { nowMs, ratePerSecond, wanted })
        budget = answer.budget
        if (answer.taken < Math.min(wanted, ratePerSecond)) return false
        calls.push({ atMs: nowMs + answer.waitMs, count: answer.taken })
      }
      return calls.every((first, from) => {
        let count = 0
        return calls.slice(from).every((last) => {
          count += last.count
          return count <= ratePerSecond + ((last.atMs - first.atMs) * ratePerSecond) / 1000 + 1e-6
        })
      })
    }),
  )
  t.pass()
})

test('the rate is also reached: a steady taker waits no longer than its calls take', (t) => {
  let budget = openBudget(0, 1000)
  let nowMs = 0
  for (let i = 0; i < 100; i++) {
    const answer = takeTokens(budget, { nowMs, ratePerSecond: 1000, wanted: 250 })
    budget = answer.budget
    nowMs += answer.waitMs
  }
  t.is(nowMs, 24_000)
})
