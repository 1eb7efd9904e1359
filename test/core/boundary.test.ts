import test from 'ava'
import type { Boundary, ExpiredSegment } from '../../src/core/boundary.ts'
import {
  boundaryKey,
  boundaryObject,
  expiredAt,
  expiredBefore,
  expiredWitnesses,
  parseBoundaryKey,
  readBoundary,
} from '../../src/core/boundary.ts'
import { chainOf } from '../../src/core/chain.ts'
import { sha256 } from '../../src/core/hash.ts'

type Three = [ExpiredSegment, ExpiredSegment, ExpiredSegment]

function boundaryOf(segments: number): Boundary {
  const all = Array.from({ length: segments }, (_, index) => {
    const start = 1_000_000_000_000 + index * 67_108_864
    return {
      start,
      end: start + 67_108_864,
      sha256: sha256(`s${index}`),
      witness: { length: 4096, sha256: sha256(`w${index}`) },
    }
  })
  const end = all.at(-1)?.end ?? 0
  const bytes = Buffer.alloc(4096, 'x')
  return {
    v: 1,
    root: 'r',
    source: 's-0',
    family: 'acct',
    path: 'acct.1',
    format: 'lines',
    end,
    lines: 7,
    chain: all.reduce(chainOf, 's-0'),
    beginning: { length: 4096, sha256: sha256(bytes), bytes: bytes.toString('base64') },
    segments: all,
  }
}

test('a key says root, source and end, and nothing else is one', (t) => {
  const key = boundaryKey('r', 's-0', 42)
  t.is(key, 'evidence/boundaries/r/s-0/0000000000000042.json')
  t.deepEqual(parseBoundaryKey(key), { root: 'r', source: 's-0', end: 42 })
  t.is(parseBoundaryKey(key.replace('.json', '.zst')), null)
})

test('what was written is read; what is damaged or newer is refused', (t) => {
  const boundary = boundaryOf(3)
  t.deepEqual(readBoundary(boundaryObject(boundary), 'k'), boundary)
  for (const text of ['', 'null', '[', '{"v":1}', JSON.stringify({ ...boundary, segments: {} })])
    t.throws(() => readBoundary(Buffer.from(text), 'k'), { code: 'store-damaged' }, text)
  t.throws(() => readBoundary(Buffer.from(JSON.stringify({ ...boundary, v: 2 })), 'k'), { code: 'archive-newer' })
})

test('each expired segment is found by its start, with the chain up to it', (t) => {
  const boundary = boundaryOf(3)
  const [first, second, third] = boundary.segments as Three
  t.is(expiredAt(boundary, third.start)?.chain, boundary.chain)
  t.is(expiredAt(boundary, second.start)?.chain, [first, second].reduce(chainOf, 's-0'))
  t.is(expiredAt(boundary, second.start + 1), null)
})

test('the last expired segment that fits a size, and the last witnesses', (t) => {
  const boundary = boundaryOf(3)
  const [first, second, third] = boundary.segments as Three
  t.is(expiredBefore(boundary, first.end - 1), null)
  t.is(expiredBefore(boundary, second.end)?.end, second.end)
  t.is(expiredBefore(boundary, Number.MAX_SAFE_INTEGER)?.end, third.end)
  const revisions = [{ ...first, n: 1, witness: { length: 9, sha256: 'r' } }]
  t.deepEqual(
    expiredWitnesses({ ...boundary, revisions }, 2).map(({ end, length }) => [end, length]),
    [
      [second.end, 4096],
      [third.end, 4096],
      [first.end, 9],
    ],
  )
})

test('a segment takes at most 250 bytes of its boundary', (t) => {
  const bytes = boundaryObject(boundaryOf(1001)).length - boundaryObject(boundaryOf(1)).length
  t.log(`${bytes / 1000} bytes`)
  t.true(bytes / 1000 <= 250)
})
