import test from 'ava'
import { lines } from '../../src/formats/lines.ts'

const parse = (text: string | Buffer) => lines.parse(Buffer.from(text), {})

test('a line is its text, without newline or carriage return', (t) => {
  t.deepEqual(parse('a b\n'), { type: 'line', time: '', fields: { line: 'a b' }, flags: [], error: '' })
  t.deepEqual(parse('a\r\n').fields, { line: 'a' })
  t.deepEqual(parse('a\r').fields, { line: 'a\r' })
  t.deepEqual(parse('\n').fields, { line: '' })
})

test('what is no UTF-8, and NUL, become U+FFFD, and the record is lossy', (t) => {
  t.deepEqual(parse(Buffer.of(97, 0xff, 10)), {
    type: 'line',
    time: '',
    fields: { line: 'a\uFFFD' },
    flags: ['lossy'],
    error: '',
  })
  t.deepEqual(parse('a\0b\n').fields, { line: 'a\uFFFDb' })
  t.deepEqual(parse('é😀\n').flags, [])
})
