import test from 'ava'
import { csv } from '../../src/formats/csv.ts'
import { frame, sourceContext } from '../../src/formats/format.ts'

const texts = (text: string, final = true): string[] =>
  frame(csv, Buffer.from(text), { offset: 0, recordBytesMax: 1e8, final }).map(({ raw }) => raw.toString())

/** Type, error and fields of each row. */
function rows(text: string): [string, string, Record<string, unknown>][] {
  const bytes = Buffer.from(text)
  const context = sourceContext(csv, {}, bytes)
  return frame(csv, bytes, { offset: 0, recordBytesMax: 1e8, final: true }).map(({ raw }) => {
    const { type, error, fields } = csv.parse(raw, context)
    return [type, error, fields]
  })
}

test('the first row names the columns, and is a record of its own kind', (t) => {
  t.deepEqual(rows('id,name\n1,anna\n2,\n'), [
    ['header', '', { id: 'id', name: 'name' }],
    ['row', '', { id: '1', name: 'anna' }],
    ['row', '', { id: '2', name: '' }],
  ])
})

test('a field in quotes may hold separators, quotes and line ends', (t) => {
  const text = 'a,b\n"x, y","say ""hi""\r\n;"\r\n"",2\n'
  t.deepEqual(texts(text), ['a,b\n', '"x, y","say ""hi""\r\n;"\r\n', '"",2\n'])
  t.deepEqual(
    rows(text)
      .slice(1)
      .map(([, , fields]) => fields),
    [
      { a: 'x, y', b: 'say "hi"\r\n;' },
      { a: '', b: '2' },
    ],
  )
})

for (const [separator, name] of [
  [',', 'comma'],
  [';', 'semicolon'],
  ['\t', 'tab'],
] as const) {
  test(`the first row shows the separator: ${name}`, (t) => {
    const [, row] = rows(`a${separator}b${separator}"c,;d\t;x"\n1,5;x\t\n1${separator}"2\n3"${separator}4\n`).slice(1)
    t.deepEqual(row, ['row', '', { a: '1', b: '2\n3', 'c,;d\t;x': '4' }])
  })
}

test('a decimal comma in a table with semicolons is no separator', (t) => {
  t.deepEqual(rows('a;b\n1,5;2\n')[1], ['row', '', { a: '1,5', b: '2' }])
})

test('a record is given as soon as its newline is here, and one in quotes when they are closed', (t) => {
  t.deepEqual(texts('a,b\n"x', false), ['a,b\n'])
  t.deepEqual(texts('a,b\n"x\ny"', false), ['a,b\n'])
  t.deepEqual(texts('a,b\n"x\ny"\r', false), ['a,b\n'])
  t.deepEqual(texts('a,b\n"x\ny",z\n', false), ['a,b\n', '"x\ny",z\n'])
})

test('the last row may lack its newline, in quotes or not', (t) => {
  for (const last of ['1,2', '"x\ny"', '"x\ny",2', '"x']) t.deepEqual(texts(`a,b\n${last}`), ['a,b\n', last])
  t.deepEqual(texts('a,b\n"x\ny'), ['a,b\n', '"x\n', 'y'])
})

test('a lost quote costs the row that it stands in', (t) => {
  t.deepEqual(texts('a,b\n1,"lost\n2,"fine"\n3,x\n'), ['a,b\n', '1,"lost\n', '2,"fine"\n', '3,x\n'])
  t.deepEqual(rows('a,b\n1,"lost\n2,"fine"\n')[1], ['row', 'bad-quoting', { a: '1', b: '"lost' }])
  t.deepEqual(rows('a,b\n1,x "y" z\n')[1], ['row', '', { a: '1', b: 'x "y" z' }])
  t.deepEqual(rows('a,b\n1,"x" y\n')[1], ['row', 'bad-quoting', { a: '1', b: '"x" y' }])
})

test('a quote that is never closed ends its row at the line, once 1 MiB has come', (t) => {
  const head = 'a,b\n1,"lost\n'
  const more = '2,x\n'.repeat(300_000)
  t.deepEqual(texts(head + more.slice(0, 1_048_000), false), ['a,b\n'])
  t.is(texts(head + more, false).length, 300_002)
})

test('rows that are too short or too long keep what is named', (t) => {
  t.deepEqual(rows('a,b\n1\n')[1], ['row', 'too-few-fields', { a: '1' }])
  t.deepEqual(rows('a,b\n1,2,3\n')[1], ['row', 'too-many-fields', { a: '1', b: '2' }])
  t.deepEqual(rows('a,b\n\n')[1], ['', 'empty', {}])
})

test('columns have one name each', (t) => {
  t.deepEqual(csv.columns?.(Buffer.from('\uFEFFa,,a, b ,__proto__\n')), ['a', 'column_2', 'a_2', 'b', '__proto__'])
  t.deepEqual(
    rows('\uFEFFa,a\n1,2\na,a\n').map(([type]) => type),
    ['header', 'row', 'header'],
  )
  t.is(JSON.stringify(rows('__proto__,b\n1,2\n')[1]?.[2]), '{"__proto__":"1","b":"2"}')
  t.deepEqual(csv.columns?.(Buffer.from('one\n1\n')), ['one'])
})

test('a source without a first row has no columns, and its rows say so', (t) => {
  for (const beginning of ['', '\n', '\r\n1,2\n']) t.is(csv.columns?.(Buffer.from(beginning)), null)
  t.like(csv.parse(Buffer.from('1,2\n'), {}), { error: 'no-columns', flags: ['malformed'] })
})

const times: [string, string][] = [
  ['time\n2026-03-01T10:00:00+01:00\n', '2026-03-01T09:00:00Z'],
  ['id,Timestamp\n1,1772359200\n', '2026-03-01T10:00:00Z'],
  ['date,ts\n2026-03-01,1772359200123\n', '2026-03-01T10:00:00.123Z'],
  ['date\n2026-03-01\n', ''],
  ['when\n1772359200\n', ''],
]
for (const [text, expected] of times) {
  test(`the time of ${JSON.stringify(text)} is ${expected || 'none'}`, (t) => {
    const bytes = Buffer.from(text)
    const row = frame(csv, bytes, { offset: 0, recordBytesMax: 1e6, final: true })[1]
    t.is(csv.parse(row?.raw as Buffer, sourceContext(csv, {}, bytes)).time, expected)
  })
}
