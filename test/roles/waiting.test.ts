import test from 'ava'
import { openEntries } from '../../src/roles/entries.ts'
import type { Entry } from '../../src/roles/entries.ts'
import { openWaiting } from '../../src/roles/waiting.ts'

function opened() {
  const entries = openEntries((path) => path)
  const prover = {
    add: () => undefined,
    isProving: () => false,
    hurry: () => undefined,
    provenTo: () => 0,
    learn: () => undefined,
    step: async () => null,
    oldestAgeMs: () => 7,
    changes: 0,
    waiting: 0,
    ripe: 0,
    doubtsRipeInMs: () => null,
    isFull: false,
  }
  const sample = openWaiting({ entries, prover })
  const put = (path: string, source: string | null, { size, archived }: { size: number; archived: number }): Entry => {
    const entry = entries.at(path)
    entries.bind(entry, source, '')
    return Object.assign(entry, { stat: { size, mtimeNs: 0n, ino: 0n }, archived })
  }
  return { sample, put }
}

test('bytes wait from the first sample that saw the head where it is', (t) => {
  const { sample, put } = opened()
  const entry = put('a', 's-0', { size: 10, archived: 4 })
  t.deepEqual(sample(1000), {
    unarchivedBytes: 6,
    oldestUnarchivedAgeMs: 0,
    oldestUnprovenAgeMs: 7,
    longest: ['a'],
  })
  entry.stat = { size: 20, mtimeNs: 0n, ino: 0n }
  t.like(sample(3000), { unarchivedBytes: 16, oldestUnarchivedAgeMs: 2000 })
  entry.archived = 12
  t.like(sample(4000), { unarchivedBytes: 8, oldestUnarchivedAgeMs: 0 })
  entry.archived = 20
  t.like(sample(5000), { unarchivedBytes: 0, oldestUnarchivedAgeMs: 0 })
})

test('the files of one source count once; those behind it not at all', (t) => {
  const { sample, put } = opened()
  put('a', 's-0', { size: 10, archived: 10 })
  put('a.1', 's-0', { size: 10, archived: 0 })
  put('copy', 's-0', { size: 3, archived: 0 }).state = 'behind'
  t.like(sample(0), { unarchivedBytes: 0 })
  put('new', null, { size: 5, archived: 0 })
  t.like(sample(0), { unarchivedBytes: 5 })
})
