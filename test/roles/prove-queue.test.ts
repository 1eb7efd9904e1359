import test from 'ava'
import type { Job, ProveQueue } from '../../src/roles/prove-queue.ts'
import { openProveQueue } from '../../src/roles/prove-queue.ts'

function job(key: string, more: Partial<Job> = {}): Job {
  const due = { notBeforeMs: 1000, atOnce: false, storedAtMs: 0, differed: null, attempts: 0 }
  return { key, source: key[0] as string, path: key, ...due, ...more }
}

/** At 1000 ms. */
function queueOf(jobs: Job[], nowMs = (): number => 1000): ProveQueue {
  const queue = openProveQueue({ monotonicMs: nowMs })
  for (const one of jobs) queue.add(one)
  return queue
}

const keysOf = (queue: ProveQueue): string[] => queue.ripe().map(({ key }) => key)

test('what was asked for at once comes first, then what was stored first; what is not ripe does not', (t) => {
  const queue = queueOf([
    job('a1', { storedAtMs: 30 }),
    job('b1', { storedAtMs: 10 }),
    job('c1', { notBeforeMs: 1001 }),
    job('d1', { storedAtMs: 40, atOnce: true }),
  ])
  t.deepEqual(keysOf(queue), ['d1', 'b1', 'a1'])
  t.is(queue.soonestMs(), 1000)
  queue.hurry(new Set(['c']))
  t.deepEqual(keysOf(queue), ['c1', 'd1', 'b1', 'a1'])
})

test('what differed once is read again no earlier, whoever asks', (t) => {
  let nowMs = 1000
  const jobs = [job('a1', { differed: 'x', notBeforeMs: 1600 }), job('b1', { notBeforeMs: 1900 })]
  const queue = queueOf(jobs, () => nowMs)
  t.is(queue.doubtsRipeInMs(), 600)
  queue.hurry(new Set(['a', 'b']))
  queue.add(job('a1', { atOnce: true }))
  t.deepEqual(keysOf(queue), ['b1'])
  t.is(queue.doubtsRipeInMs(), 600)
  nowMs = 1600
  t.deepEqual(keysOf(queue), ['a1', 'b1'])
})

test('a source is counted until its last job is forgotten', (t) => {
  const jobs = [job('a1'), job('a2'), job('a1')]
  const queue = queueOf(jobs)
  t.is(queue.ofSource('a'), 2)
  for (const one of jobs) queue.forget(one)
  t.is(queue.ofSource('a'), 0)
  t.is(queue.doubtsRipeInMs(), null)
  t.is(queue.size, 0)
})
