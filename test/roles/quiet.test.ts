import test from 'ava'
import { openQuiet } from '../../src/roles/quiet.ts'

/** Samples 10 s apart; each number is the share of a core in one of them. Gives those at which memory is given back. */
function given(shares: number[]): number[] {
  const isTime = openQuiet({ nowMs: 0, cpuMs: 400 })
  let cpuMs = 400
  return shares.flatMap((share, index) => {
    cpuMs += share * 10_000
    return isTime({ nowMs: (index + 1) * 10_000, cpuMs }) ? [index] : []
  })
}

const idle = 0.01
const busy = 0.5

test('memory is given back at the first quiet sample, and then every three minutes', (t) => {
  t.deepEqual(given(Array.from({ length: 40 }, () => idle)), [0, 18, 36])
  t.deepEqual(given([busy, busy, idle, idle]), [2])
})

test('a process that works is left alone, and what it leaves behind is given back afterwards', (t) => {
  const work = Array.from({ length: 1000 }, () => busy)
  t.deepEqual(given(work), [])
  t.deepEqual(given([idle, ...work, idle, idle]), [0, 1001])
})
