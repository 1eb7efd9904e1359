import { createHash } from 'node:crypto'
import test from 'ava'
import * as fc from 'fast-check'
import type { Position } from '../../src/core/position.ts'
import { agreement, decodePosition, encodePosition, foldRecord, publishedAhead } from '../../src/core/position.ts'

const sha = (input: string | Uint8Array): string => createHash('sha256').update(input).digest('hex')
const digest = 'a'.repeat(64)
const offsets = fc.maxSafeNat()
const hashes = fc.uint8Array({ maxLength: 8 }).map(sha)
const aheads = fc.record({
  at: offsets,
  digest: hashes,
  isFalse: fc.constant(false),
  marks: fc.array(fc.record({ end: offsets, digest: hashes }), { maxLength: 4 }),
  witness: fc.record({ length: fc.nat(4096), sha256: hashes }),
})
const positions: fc.Arbitrary<Position> = fc.record({
  published: offsets,
  announced: offsets,
  ahead: fc.option(aheads),
})

test('any position comes back from its text', (t) => {
  fc.assert(
    fc.property(positions, (position) => {
      t.deepEqual(decodePosition(encodePosition(position)), position)
    }),
  )
})

test('that what was published is known to be false comes back, without the digest', (t) => {
  const ahead = { at: 4, digest, isFalse: true, marks: [{ end: 9, digest }], witness: { length: 5, sha256: digest } }
  const back = decodePosition(encodePosition({ published: 9, announced: 4, ahead }))
  t.like(back?.ahead, { at: 4, isFalse: true, marks: [{ end: 9, digest }] })
})

test('the text of a position is fixed: it outlives a process', (t) => {
  t.is(encodePosition({ published: 100_000_000_000_001, announced: 0, ahead: null }), '1 100000000000001 0')
  const ahead = {
    at: 4,
    digest: '',
    isFalse: false,
    marks: [{ end: 9, digest }],
    witness: { length: 5, sha256: digest },
  }
  t.is(encodePosition({ published: 9, announced: 4, ahead }), `1 9 4 4: 9:${digest} 5:${digest}`)
})

test('text that is no position is none', (t) => {
  const wrong = [
    '',
    '1',
    '1 2',
    '2 0 0',
    '1 -1 0',
    '1 x 0',
    '1 1e3 0',
    '1 9007199254740993 0',
    '1 0 0 ',
    `1 9 4 4:${digest}`,
    `1 9 4 4:${digest} 9:${digest.slice(1)}`,
  ]
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

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 30 })

test('folding in any split into batches ends in the same digest as folding at once', (t) => {
  fc.assert(
    fc.property(lengths, fc.array(fc.nat(30)), fc.nat(50), (sizes, cuts, from) => {
      const records = recordsFrom(from, sizes)
      const start: Position = { published: from, announced: from, ahead: null }
      const bounds = [...new Set([0, ...cuts.filter((cut) => cut < records.length), records.length])].sort(
        (a, b) => a - b,
      )
      const inBatches = bounds
        .slice(1)
        .reduce((before, end, index) => publishedAhead(before, records.slice(bounds[index], end)), start)
      const atOnce = publishedAhead(start, records)
      t.is(inBatches.published, atOnce.published)
      t.is(inBatches.ahead?.at, from)
      t.deepEqual(inBatches.ahead?.marks.at(-1), atOnce.ahead?.marks.at(-1))
    }),
  )
})

test('however many batches: few marks, in order, the last where publishing stands, each the digest of all records up to it', (t) => {
  fc.assert(
    fc.property(lengths, fc.nat(50), (sizes, from) => {
      const records = recordsFrom(from, sizes)
      const start: Position = { published: from, announced: from, ahead: null }
      const { ahead, published } = records.reduce((before, record) => publishedAhead(before, [record]), start)
      const marks = ahead?.marks ?? []
      t.true(marks.length <= 6)
      t.is(marks.at(-1)?.end, published)
      for (const mark of marks) {
        const upTo = records.filter((record) => record.end <= mark.end)
        t.is(
          mark.digest,
          upTo.reduce((sum, record) => foldRecord(sum, record.bytes), ''),
        )
      }
    }),
  )
})

test('a file that holds what was published ahead agrees; one that does not, differs', (t) => {
  const records = recordsFrom(10, [5, 5])
  const position = publishedAhead({ published: 10, announced: 10, ahead: null }, records)
  const bytes = Buffer.concat(records.map((record) => record.bytes))
  t.is(agreement(position, 10, { start: 10, bytes }), 'agrees')
  const other = Buffer.from(bytes)
  other[9] = 0
  t.is(agreement(position, 10, { start: 10, bytes: other }), 'differs')
  t.is(agreement(position, 10, null), 'unread')
  t.is(agreement(position, 10, { start: 10, bytes: bytes.subarray(0, 9) }), 'unread')
  t.is(agreement(position, 15, { start: 10, bytes: other }), 'doubtful')
})

test('with nothing published ahead, a head behind what is announced is stale', (t) => {
  const position: Position = { published: 10, announced: 10, ahead: null }
  t.is(agreement(position, 9, null), 'stale')
  t.is(agreement(position, 10, null), 'agrees')
})
