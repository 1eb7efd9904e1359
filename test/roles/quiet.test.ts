import test from 'ava'
import { openQuiet } from '../../src/roles/quiet.ts'

/**
 * Samples 10 s apart; each number is the share of a core in one of them. Gives those at which memory is given back. `rssMiB`: what the
 * process has at a sample.
 */
function given(shares: number[], rssMiB = (sample: number) => sample * 100): number[] {
  const isTime = openQuiet({ nowMs: 0, cpuMs: 400, rssBytes: 0 })
  let cpuMs = 400
  return shares.flatMap((share, index) => {
    cpuMs += share * 10_000
    return isTime({ nowMs: (index + 1) * 10_000, cpuMs, rssBytes: rssMiB(index) * 2 ** 20 }) ? [index] : []
  })
}

const idle = 0.01
const busy = 0.5

test('memory is given back at the first quiet sample, and then once a minute while it grows', (t) => {
  t.deepEqual(given(Array.from({ length: 14 }, () => idle)), [0, 6, 12])
  t.deepEqual(given([busy, busy, idle, idle]), [2])
})

test('a process that works is left alone, and what it leaves behind is given back afterwards', (t) => {
  const work = Array.from({ length: 1000 }, () => busy)
  t.deepEqual(given(work), [])
  t.deepEqual(given([idle, ...work, idle, idle]), [0, 1001])
})

test('what has hardly grown since the sample after the last time is left alone', (t) => {
  const quiet = Array.from({ length: 40 }, () => idle)
  t.deepEqual(
    given(quiet, () => 100),
    [0],
  )
  // It falls from 150 to 100, and grows by 1 with every fourth sample.
  t.deepEqual(
    given(quiet, (sample) => (sample === 0 ? 150 : 100 + Math.floor(sample / 4))),
    [0, 16, 32],
  )
})
