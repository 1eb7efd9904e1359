import test from 'ava'
import * as fc from 'fast-check'
import { finishCut, scan, startCut } from '../../src/core/cut.ts'
import { frame } from '../../src/formats/format.ts'
import type { Format } from '../../src/formats/format.ts'
import { jsonl } from '../../src/formats/jsonl.ts'
import { lines } from '../../src/formats/lines.ts'

const bytes = fc.array(fc.constantFrom(10, 10, 97, 0, 0xff), { maxLength: 40 }).map((all) => Buffer.from(all))
const maxima = fc.integer({ min: 1, max: 6 })

for (const format of [lines, jsonl]) {
  test(`${format.name}: records of a whole input cover it without gap or overlap`, (t) => {
    fc.assert(
      fc.property(bytes, maxima, fc.nat(1000), (input, recordBytesMax, offset) => {
        let at = offset
        for (const { start, end, raw } of frame(format, input, { offset, recordBytesMax, final: true })) {
          t.is(start, at)
          t.true(raw.equals(input.subarray(start - offset, end - offset)))
          t.true(raw.length > 0 && raw.length <= recordBytesMax)
          at = end
        }
        t.is(at, offset + input.length)
      }),
    )
  })
}

test('framing and segment cutting find the same boundaries, with and without a tail', (t) => {
  fc.assert(
    fc.property(bytes, maxima, fc.boolean(), (input, lineBytesMax, tail) => {
      const rules = { lineBytesMax, stopAtNul: false }
      const ending = finishCut(scan(startCut(0), { bytes: input, at: 0 }, rules), { end: input.length, tail }, rules)
      const records = frame(lines, input, { offset: 0, recordBytesMax: lineBytesMax, final: tail })
      const last = records.at(-1)
      t.is(last?.end ?? 0, ending.end)
      t.is(records.length, ending.lines)
      t.is(last?.start ?? 0, ending.lastStart)
      const kind = last === undefined || last.flags.length === 0 ? 'complete' : last.flags[0]
      t.is(kind, ending.tail)
    }),
    { numRuns: 1000 },
  )
})

test('framing what a segment holds, from its start, gives the records of the whole', (t) => {
  fc.assert(
    fc.property(bytes, maxima, fc.nat(40), (input, recordBytesMax, cut) => {
      const rules = { lineBytesMax: recordBytesMax, stopAtNul: false }
      const upTo = Math.min(cut, input.length)
      const { end } = finishCut(
        scan(startCut(0), { bytes: input.subarray(0, upTo), at: 0 }, rules),
        { end: upTo, tail: false },
        rules,
      )
      const whole = frame(lines, input, { offset: 0, recordBytesMax, final: false })
      const first = frame(lines, input.subarray(0, end), { offset: 0, recordBytesMax, final: false })
      const rest = frame(lines, input.subarray(end), { offset: end, recordBytesMax, final: false })
      t.deepEqual(
        [...first, ...rest].map(({ start, flags }) => [start, flags]),
        whole.map(({ start, flags }) => [start, flags]),
      )
    }),
  )
})

test('a record is complete, incomplete at the end of a final source, or cut', (t) => {
  const flags = (text: string, final: boolean) =>
    frame(lines, Buffer.from(text), { offset: 0, recordBytesMax: 4, final }).map((one) => [
      one.raw.toString(),
      ...one.flags,
    ])
  t.deepEqual(flags('abc\nd', false), [['abc\n']])
  t.deepEqual(flags('abc\nd', true), [['abc\n'], ['d', 'incomplete']])
  t.deepEqual(flags('abcdef', false), [['abcd', 'cut']])
  t.deepEqual(flags('abcd', false), [['abcd', 'cut']])
  t.deepEqual(flags('abcd\n', false), [['abcd', 'cut'], ['\n']])
  t.deepEqual(flags('', true), [])
})

const upToX: Format = {
  ...lines,
  aheadBytes: 1,
  // A record ends before an x, or at a newline.
  endOf(bytes, start, final) {
    for (let at = start; at < bytes.length; at++) {
      if (bytes[at] === 10) return at + 1
      if (bytes[at + 1] === 0x78) return at + 1
    }
    return final ? bytes.length : null
  },
}

test('a record that another one follows in its line is malformed, not incomplete', (t) => {
  const flags = (text: string, final: boolean) =>
    frame(upToX, Buffer.from(text), { offset: 0, recordBytesMax: 9, final }).map((one) => [
      one.raw.toString(),
      ...one.flags,
    ])
  t.deepEqual(flags('axb\nc', true), [['a', 'malformed'], ['xb\n'], ['c', 'incomplete']])
  t.deepEqual(flags('axb\nc', false), [['a', 'malformed'], ['xb\n']])
})

test('a record is cut only once what is looked at beyond its end is there', (t) => {
  const ends = (text: string, final: boolean) =>
    frame(upToX, Buffer.from(text), { offset: 0, recordBytesMax: 3, final }).map(({ end }) => end)
  t.deepEqual(ends('abc', false), [])
  t.deepEqual(ends('abcd', false), [3])
  t.deepEqual(ends('abc', true), [3])
})
