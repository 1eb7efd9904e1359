import test from 'ava'
import * as fc from 'fast-check'
import { safeText, safeValue } from '../../src/formats/text.ts'

test('any bytes give well-formed text without NUL; it is lossy exactly where the bytes do not come back', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(bytes, (input) => {
      const { text, lossy } = safeText(Buffer.from(input))
      t.true(text.isWellFormed() && !text.includes('\0'))
      t.is(lossy, !Buffer.from(text).equals(input))
    }),
  )
})

test('values are cleaned however deep, and others are left as they are', (t) => {
  t.deepEqual(safeValue({ a: ['\0', { '\ud800': 1 }], b: null }), {
    value: { a: ['\uFFFD', { '\uFFFD': 1 }], b: null },
    lossy: true,
  })
  t.deepEqual(safeValue({ a: '😀', n: 1.5 }), { value: { a: '😀', n: 1.5 }, lossy: false })
})
