/** What must hold of every format, for any bytes at all and for any way that they arrive. */

import test from 'ava'
import * as fc from 'fast-check'
import type { Framed } from '../../src/formats/format.ts'
import { frame, sourceContext } from '../../src/formats/format.ts'
import { formats } from '../../src/formats/registry.ts'
import { frameStream } from '../../src/formats/stream.ts'

/** Pieces of what the formats are made of, so that their rules meet each other. */
const fragments = [
  '\n',
  '\r\n',
  '"',
  '""',
  ',',
  ';',
  '\t',
  ':',
  '|',
  ' ',
  '#',
  '*** ',
  '\\"',
  '=',
  ' = ',
  'a',
  '7',
  '\0',
  '\uD83D\uDE00',

  'MyType = "Job"\n',
  'ClusterId = 1\n',
  'ClusterId = 2\n',
  'Cmd = "a\n',
  '__proto__ = 1\n',
  'a,b\n',
  '"x",y\n',
  '"a\nb",',
  '*** Offset = 0 ClusterId = 1 ProcId = 0 Owner = "o" CompletionDate = 5\n',
  'q:h:g:o:n:1:sge:0:1:2:3:0:0:1',
  ':0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:NONE:d:NONE:1:0:0:0:0:-l a=1:2:0:NONE:5\n',
]
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(...fragments).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 6 }).map((some) => Buffer.from(some)),
    ),
    { maxLength: 30 },
  )
  .map((some) => Buffer.concat(some))
const maxima = fc.constantFrom(1, 3, 40, 100_000)

const plain = (records: Framed[]) =>
  records.map(({ start, end, raw, flags }) => ({ start, end, raw: raw.toString('hex'), flags }))

for (const format of formats) {
  test(`${format.name}: records cover the input, and any cut into pieces gives the same`, async (t) => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(400)), maxima, async (input, cuts, recordBytesMax) => {
        const whole = frame(format, input, { offset: 0, recordBytesMax, final: true })
        let at = 0
        for (const { start, end, raw } of whole) {
          t.is(start, at)
          t.true(end > start && raw.equals(input.subarray(start, end)))
          at = end
        }
        t.is(at, input.length)
        const bounds = [0, ...cuts.map((cut) => Math.min(cut, input.length)).sort((a, b) => a - b), input.length]
        const pieces = bounds.slice(1).map((end, index) => input.subarray(bounds[index], end))
        const framed: Framed[] = []
        for await (const some of frameStream(format, pieces, { recordBytesMax })) framed.push(...some)
        t.deepEqual(plain(framed), plain(whole))
      }),
      { numRuns: 500 },
    )
  })

  test(`${format.name}: any record has fields that are JSON without NUL, and an error exactly if it is malformed`, (t) => {
    fc.assert(
      fc.property(bytes, (input) => {
        const context = sourceContext(format, { timezone: 'Europe/Zurich' }, input)
        for (const { raw } of frame(format, input, { offset: 0, recordBytesMax: 100_000, final: true })) {
          const parsed = format.parse(raw, context)
          t.false(JSON.stringify(parsed.fields).includes('\\u0000'))
          t.is(parsed.error !== '', parsed.flags.includes('malformed'))
          t.regex(parsed.time, /^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)?$/)
          for (const value of Object.values(format.job?.(parsed, context) ?? {})) t.false(value === '' || value === -1)
        }
      }),
      { numRuns: 500 },
    )
  })
}
