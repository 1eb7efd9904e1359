import { createHash } from 'node:crypto'
import test from 'ava'
import * as fc from 'fast-check'
import type { Position } from '../../src/core/position.ts'
import { decodePosition, encodePosition, foldRecord, publishedAhead } from '../../src/core/position.ts'

const offsets = fc.maxSafeNat()
const digests = fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => foldRecord('', bytes))
const positions: fc.Arbitrary<Position> = fc.record({
  published: offsets,
  announced: offsets,
  ahead: fc.array(fc.record({ start: offsets, end: offsets, digest: digests }), { maxLength: 4 }),
})

test('any position comes back from its text', (t) => {
  fc.assert(fc.property(positions, (position) => t.deepEqual(decodePosition(encodePosition(position)), position)))
})

test('the text of a position is fixed: it outlives a process', (t) => {
  t.is(encodePosition({ published: 100_000_000_000_001, announced: 0, ahead: [] }), '1 100000000000001 0')
  const digest = 'a'.repeat(64)
  t.is(encodePosition({ published: 9, announced: 4, ahead: [{ start: 4, end: 9, digest }] }), `1 9 4 4:9:${digest}`)
})

test('text that is no position is none', (t) => {
  const digest = 'a'.repeat(64)
  const wrong = ['', '1', '1 2', '2 0 0', '1 -1 0', '1 x 0', '1 1e3 0', '1 9007199254740993 0', '1 0 0 ', `1 9 4 4:9:${digest.slice(1)}`, `1 9 4 4:${digest}`]
  for (const text of wrong) t.is(decodePosition(text), null, text)
})

test('any text is a position or null, and never throws', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const position = decodePosition(text)
      t.true(position === null || Number.isSafeInteger(position.published))
    }),
  )
})

test('the digest folds hashes of records, as documented', (t) => {
  const sha = (text: string) => createHash('sha256').update(text).digest('hex')
  t.is(foldRecord('', Buffer.from('a\n')), sha(sha('a\n')))
  t.is(foldRecord(foldRecord('', Buffer.from('a\n')), Buffer.from('b\n')), sha(sha(sha('a\n')) + sha('b\n')))
})

/** Records one after the other from `start`. */
function recordsFrom(start: number, lengths: number[]): { end: number; bytes: Buffer }[] {
  let end = start
  return lengths.map((length, index) => {
    end += length
    return { end, bytes: Buffer.alloc(length, index + 97) }
  })
}

test('folding in any split into batches equals folding at once', (t) => {
  const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(lengths, fc.array(fc.nat(12)), fc.integer({ min: 0, max: 50 }), (sizes, cuts, from) => {
      const records = recordsFrom(from, sizes)
      const start: Position = { published: from, announced: from, ahead: [] }
      const bounds = [...new Set([0, ...cuts.filter((cut) => cut < records.length), records.length])].sort((a, b) => a - b)
      const inBatches = bounds.slice(1).reduce((position, end, index) => publishedAhead(position, from, records.slice(bounds[index], end)), start)
      t.deepEqual(inBatches, publishedAhead(start, from, records))
    }),
  )
})

test('a range grows until a segment reaches into it; then the next begins', (t) => {
  const [first, second, third] = recordsFrom(10, [5, 5, 5]) as [{ end: number; bytes: Buffer }, { end: number; bytes: Buffer }, { end: number; bytes: Buffer }]
  const one = publishedAhead({ published: 10, announced: 10, ahead: [] }, 10, [first])
  const grown = publishedAhead(one, 10, [second])
  t.like(grown, { published: 20, announced: 10 })
  t.deepEqual(grown.ahead.map(({ start, end }) => [start, end]), [[10, 20]])
  const next = publishedAhead(grown, 12, [third])
  t.deepEqual(next.ahead.map(({ start, end }) => [start, end]), [[10, 20], [20, 25]])
  t.is(next.ahead[1]?.digest, foldRecord('', third.bytes))
})

test('a range that does not end where publishing goes on is left as it is', (t) => {
  const digest = 'a'.repeat(64)
  const before: Position = { published: 20, announced: 0, ahead: [{ start: 10, end: 15, digest }] }
  t.deepEqual(publishedAhead(before, 0, recordsFrom(20, [5])).ahead.map(({ start, end }) => [start, end]), [[10, 15], [20, 25]])
})
