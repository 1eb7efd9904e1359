import test from 'ava'
import * as fc from 'fast-check'
import { type CutRules, finishCut, scan, startCut } from '../../src/core/cut.ts'

/** The rule, byte by byte. */
function model(bytes: Buffer, rules: CutRules, tail: boolean) {
  let boundary = 0
  let lastStart = 0
  let lines = 0
  let kind: 'complete' | 'incomplete' | 'cut' = 'complete'
  const nul = bytes.indexOf(0)
  const stop = rules.stopAtNul && nul >= 0
  for (let at = 0; at < (stop ? nul : bytes.length); at++) {
    const newline = bytes[at] === 0x0a
    if (!newline && at + 1 - boundary < rules.lineBytesMax) continue
    lastStart = boundary
    boundary = at + 1
    lines++
    kind = newline ? 'complete' : 'cut'
  }
  if (tail && !stop && boundary < bytes.length)
    return { end: bytes.length, lines: lines + 1, tail: 'incomplete', lastStart: boundary, nul }
  return { end: boundary, lines, tail: kind, lastStart, nul }
}

function run(pieces: Buffer[], rules: CutRules, options: { start: number; tail: boolean }) {
  let at = options.start
  let cut = startCut(at)
  for (const bytes of pieces) {
    cut = scan(cut, { bytes, at }, rules)
    at += bytes.length
  }
  return { ...finishCut(cut, { end: at, tail: options.tail }, rules), nulAt: cut.nulAt }
}

const rules: CutRules = { lineBytesMax: 4, stopAtNul: true }
const cases: [string, string, object][] = [
  ['empty', '', { end: 0, lines: 0, tail: 'complete' }],
  ['no newline: nothing', 'abc', { end: 0, lines: 0, tail: 'complete' }],
  ['up to the last newline', 'a\nb\nc', { end: 4, lines: 2, tail: 'complete', lastStart: 2 }],
  ['only newlines', '\n\n\n', { end: 3, lines: 3, tail: 'complete', lastStart: 2 }],
  ['a line as long as allowed', 'abc\n', { end: 4, lines: 1, tail: 'complete' }],
  ['a longer line is cut, its rest is a line', 'abcd\n', { end: 5, lines: 2, tail: 'complete', lastStart: 4 }],
  ['the end may be at a cut', 'abcdefghi', { end: 8, lines: 2, tail: 'cut', lastStart: 4 }],
  ['nothing from the line with a NUL on', 'a\nb\0\nc\n', { end: 2, lines: 1, nulAt: 3 }],
  ['a cut before the NUL counts', 'abcde\0\n', { end: 4, lines: 1, tail: 'cut', nulAt: 5 }],
]
for (const [title, text, expected] of cases) {
  test(title, (t) => t.like(run([Buffer.from(text)], rules, { start: 0, tail: false }), expected))
}

test('with a tail, what follows the last line is taken, but never past a NUL', (t) => {
  const options = { start: 0, tail: true }
  t.like(run([Buffer.from('a\nbc')], rules, options), { end: 4, lines: 2, tail: 'incomplete', lastStart: 2 })
  t.like(run([Buffer.from('a\n')], rules, options), { end: 2, lines: 1, tail: 'complete' })
  t.like(run([Buffer.from('a\nb\0')], rules, options), { end: 2, lines: 1, tail: 'complete', nulAt: 3 })
  t.like(run([Buffer.from('a\nb\0')], { ...rules, stopAtNul: false }, options), {
    end: 4,
    lines: 2,
    tail: 'incomplete',
    nulAt: 3,
  })
})

test('boundaries follow the rule, however the bytes come in pieces', (t) => {
  const byte = fc.constantFrom(0x0a, 0x61, 0x62, 0x63, 0x64, 0)
  const input = fc.record({
    pieces: fc.array(fc.array(byte, { maxLength: 12 }), { maxLength: 6 }),
    start: fc.integer({ min: 0, max: 1e9 }),
    lineBytesMax: fc.integer({ min: 1, max: 7 }),
    stopAtNul: fc.boolean(),
    tail: fc.boolean(),
  })
  const property = fc.property(input, ({ pieces, start, lineBytesMax, stopAtNul, tail }) => {
    const buffers = pieces.map((piece) => Buffer.from(piece))
    const expected = model(Buffer.concat(buffers), { lineBytesMax, stopAtNul }, tail)
    const got = run(buffers, { lineBytesMax, stopAtNul }, { start, tail })
    const nulAt = got.nulAt === null ? -1 : got.nulAt - start
    t.deepEqual(
      { ...got, end: got.end - start, lastStart: got.lastStart - start, nulAt },
      { ...rest(expected), nulAt: expected.nul },
    )
  })
  fc.assert(property, { numRuns: 2000 })
})

function rest({ end, lines, tail, lastStart }: ReturnType<typeof model>) {
  return { end, lines, tail, lastStart }
}
