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

test('memory is given back at the first quiet sample after the start, and once', (t) => {
  t.deepEqual(given([idle, idle, idle]), [0])
  t.deepEqual(given([busy, busy, idle, idle]), [2])
})

test('a process that works is left alone', (t) => {
  t.deepEqual(given(Array.from({ length: 1000 }, () => busy)), [])
})

test('after work it is given back again, but not before a minute has passed', (t) => {
  t.deepEqual(given([...Array.from({ length: 9 }, () => idle), busy, idle, idle]), [0, 10])
  t.deepEqual(given([idle, busy, ...Array.from({ length: 9 }, () => idle)]), [0, 6])
})

test('what minutes of little work leave behind is given back too', (t) => {
  t.deepEqual(given(Array.from({ length: 30 }, () => idle)), [0, 12, 24])
})
