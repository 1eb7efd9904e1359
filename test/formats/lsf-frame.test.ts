import test from 'ava'
import * as fc from 'fast-check'
import { frame } from '../../src/formats/format.ts'
import { lsf } from '../../src/formats/lsf.ts'
import { isHeadAt, headBytesMax } from '../../src/formats/lsf-frame.ts'

const head = '"JOB_FINISH" "10.1" 1643910039 '
const records = (text: string, final = true) =>
  frame(lsf, Buffer.from(text, 'latin1'), { offset: 0, recordBytesMax: 1e6, final }).map(({ raw }) =>
    raw.toString('latin1'),
  )

const cases: [what: string, records: string[]][] = [
  ['records end at newlines outside quotes', [`${head}1 "a"\n`, `${head}2 "b"\n`, `${head}3\n`]],
  ['a newline in quotes belongs to the record', [`${head}1 "a\nb ""c""\n" 2\n`, `${head}2 "b"\n`]],
  ['a head after a newline in quotes ends the torn record', [`${head}1 "a\n`, `${head}2 "b"\n`]],
  ['a head in the middle of a line ends the torn record', [`${head}1 "" "`, `${head}2 "b"\n`]],
  ['the same where it was torn in a doubled quote', [`${head}1 "say "`, `${head}2 "b"\n`]],
  [
    'the same where it was torn outside quotes',
    [`${head}1 2`, `${head}2 "b"\n`, `${head}1 2 `, `"A_1" "22" 1234567890 x\n`],
  ],
  ['a run of NULs before a head is a record', ['\0\0\0\0', `${head}2 "b"\n`]],
  [
    'text that is like a head but escaped is text',
    [`${head}1 "x ""JOB_FINISH"" ""10.1"" 1643910039 \n""JOB_FINISH"" ""10.1"" 1643910039 "\n`, `${head}2\n`],
  ],
  [
    'a quote that is lost costs one record, whatever follows',
    [`${head}1 "host "/proj" 2 "c"\n`, 'garbage\n', '\n', '# x\n', `${head}2\n`],
  ],
  ['so does one too many', [`${head}1 0"" "b\n`, 'more" 2\n', `${head}2\n`]],
  ['what is like a head but opens with no quote is none', ['\0xJ" "1" 1644826549 \n', `${head}2\n`]],
  ['what begins with no quote ends at any newline', ['say "hello\n', 'you" \n', `${head}2\n`]],
  ['a comment ends at its newline, whatever it holds', [`# "a ${head}\n`, `#${head}1 "\n`, `${head}2\n`]],
  ['empty lines are records', ['\n', '\r\n', `${head}1\r\n`, '\n', `${head}2\n`]],
]
for (const [what, expected] of cases) {
  test(what, (t) => {
    t.deepEqual(records(expected.join('')), expected)
  })
}

test('a record is given once its newline is there, and a torn one once the next head is', (t) => {
  t.deepEqual(records(`${head}1 "a"\n`, false), [`${head}1 "a"\n`])
  t.deepEqual(records(`${head}1 "a\n`, false), [])
  for (let cut = 0; cut < head.length; cut++) t.deepEqual(records(`${head}1 "a\n${head.slice(0, cut)}`, false), [])
  t.deepEqual(records(`${head}1 "a\n${head}`, false), [`${head}1 "a\n`])
})

test('a head is known within its bound', (t) => {
  const long = `"${'T'.repeat(64)}" "1234567890.1234567890" 1234567890 `
  t.is(isHeadAt(Buffer.from(long), 0), true)
  t.true(long.length <= headBytesMax)
  for (let cut = 1; cut < long.length; cut++) t.is(isHeadAt(Buffer.from(long.slice(0, cut)), 0), false)
})

const noHeads = [
  '"T',
  '""',
  '"a"',
  '"A"" "1" 1234567890 ',
  `"${'T'.repeat(65)}" "1" 1234567890 `,
  '"T" "1." 1234567890 ',
  '"T" "x" 1234567890 ',
]
for (const text of [
  ...noHeads,
  '"T" "1.2" 123456789 ',
  '"T" "1.2" 12345678901 ',
  '"T"  "1.2" 1234567890 ',
  '"T" "1.2.3" 1234567890 ',
])
  test(`${text.slice(0, 40)} is no head`, (t) => t.is(isHeadAt(Buffer.from(`${text} .`), 0), false))

test('a record is cut at its bound alike, however many bytes are there to look ahead', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 40, max: 120 }), fc.integer({ min: 0, max: 120 }), (recordBytesMax, length) => {
      const bytes = Buffer.from(`${head}"${'x'.repeat(length)}${head}"${'y'.repeat(200)}\n`)
      const ends = (upTo: number, final: boolean) =>
        frame(lsf, bytes.subarray(0, upTo), { offset: 0, recordBytesMax, final }).map(
          ({ end, flags }) => `${end} ${flags.join()}`,
        )
      const whole = ends(bytes.length, true)
      for (let upTo = 0; upTo < bytes.length; upTo++) {
        const some = ends(upTo, false)
        t.deepEqual(some, whole.slice(0, some.length))
      }
    }),
    { numRuns: 50 },
  )
})
