import test from 'ava'
import * as fc from 'fast-check'
import { jsonl } from '../../src/formats/jsonl.ts'

const parse = (text: string | Buffer) => jsonl.parse(Buffer.from(text), {})

test('an object gives its fields, with or without a newline', (t) => {
  const expected = { type: '', time: '', fields: { a: 1, b: [true, null, 'x'] }, flags: [], error: '' }
  for (const end of ['', '\n', '\r\n']) t.deepEqual(parse(`{"a":1,"b":[true,null,"x"]}${end}`) as unknown, expected)
})

test('integers beyond 2^53 stay as they were written, as strings; others stay numbers', (t) => {
  const { fields } = parse(
    '{"a":9007199254740991,"b":9007199254740992,"c":-12345678901234567890,"d":[18446744073709551615],"e":1e300,"f":0.1,"g":1e400}',
  )
  t.deepEqual(fields, {
    a: 9007199254740991,
    b: '9007199254740992',
    c: '-12345678901234567890',
    d: ['18446744073709551615'],
    e: 1e300,
    f: 0.1,
    g: '1e400',
  })
})

test('NUL and lone surrogates, in keys and values, become U+FFFD, and the record is lossy', (t) => {
  const parsed = parse('{"a":"x\\u0000y","\\ud800":"\\udc00","ok":"\\ud83d\\ude00"}')
  t.deepEqual(parsed.fields, { a: 'x\uFFFDy', '\uFFFD': '\uFFFD', ok: '😀' })
  t.deepEqual(parsed.flags, ['lossy'])
})

test('bytes that are no UTF-8 become U+FFFD, and the record is lossy', (t) => {
  const parsed = parse(Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}\n')]))
  t.deepEqual(parsed.fields, { a: '\uFFFD' })
  t.deepEqual(parsed.flags, ['lossy'])
})

const malformed: [string, string][] = [
  ['{"a":', 'not-json'],
  ['plain', 'not-json'],
  ['[1]', 'not-an-object'],
  ['null', 'not-an-object'],
  ['"x"', 'not-an-object'],
  ['', 'empty'],
  ['  ', 'empty'],
  ['{"a":1}{"b":2}', 'not-json'],
  ['['.repeat(100_000), 'too-deep'],
  [`{"a":${'['.repeat(300)}${']'.repeat(300)}}`, 'too-deep'],
]
for (const [text, error] of malformed) {
  test(`${text.slice(0, 20)} (${text.length}) is kept as malformed: ${error}`, (t) => {
    t.deepEqual(parse(`${text}\n`), { type: '', time: '', fields: {}, flags: ['malformed'], error })
  })
}

test('brackets in strings are no nesting', (t) => {
  t.is(parse(`{"a":"${'['.repeat(1000)}"}`).error, '')
})

test('a key named __proto__ is a field like any other', (t) => {
  const { fields } = parse('{"__proto__":{"x":1},"constructor":2}')
  t.is(JSON.stringify(fields), '{"__proto__":{"x":1},"constructor":2}')
})

test('the type is type or event, where it is text', (t) => {
  t.is(parse('{"type":"a","event":"b"}').type, 'a')
  t.is(parse('{"type":5,"event":"b"}').type, 'b')
  t.is(parse('{"type":5}').type, '')
  t.is(parse(`{"type":"${'x'.repeat(100)}"}`).type.length, 64)
})

const times: [string, string][] = [
  ['{"time":"2026-03-01T10:00:00Z"}', '2026-03-01T10:00:00Z'],
  ['{"timestamp":"2026-03-01T10:00:00.5+01:00"}', '2026-03-01T09:00:00.500Z'],
  ['{"@timestamp":1772359200}', '2026-03-01T10:00:00Z'],
  ['{"ts":1772359200123}', '2026-03-01T10:00:00.123Z'],
  ['{"time":"2026-03-01T10:00:00"}', ''],
  ['{"time":"yesterday","ts":0}', '1970-01-01T00:00:00Z'],
  ['{"time":{}}', ''],
  ['{"time":-1}', ''],
]
for (const [text, expected] of times)
  test(`the time of ${text} is ${expected || 'none'}`, (t) => t.is(parse(text).time, expected))

test('any object of JSON comes back, and any bytes give a record whose fields are JSON without NUL', (t) => {
  const values = fc.dictionary(
    fc.string({ unit: 'grapheme' }),
    fc.jsonValue({ depthSize: 'small', stringUnit: 'grapheme' }),
  )
  fc.assert(
    fc.property(values, (value) => {
      const text = JSON.stringify(value)
      fc.pre(!text.includes('\\u0000') && !/\d{16,}/.test(text))
      t.is(JSON.stringify(parse(text).fields), text)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
      const { fields, time } = parse(Buffer.from(bytes))
      t.false(JSON.stringify(fields).includes('\\u0000'))
      t.is(typeof time, 'string')
    }),
  )
})
