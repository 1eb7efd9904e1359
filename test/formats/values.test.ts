import test from 'ava'
import { numberOf, putField } from '../../src/formats/values.ts'

const cases: [string, number | string | null][] = [
  ['0', 0],
  ['-1', -1],
  ['007', 7],
  ['0.500000', 0.5],
  ['.5', 0.5],
  ['1.5e+03', 1500],
  ['9007199254740991', 9007199254740991],
  ['9007199254740993', '9007199254740993'],
  ['1e999', '1e999'],
  ['', null],
  [' 1', null],
  ['0x10', null],
  ['1.2.3', null],
  ['NaN', null],
  ['Infinity', null],
]
for (const [text, expected] of cases)
  test(`${JSON.stringify(text)} is ${String(expected)}`, (t) => t.is(numberOf(text), expected))

test('a field named __proto__ is a field like any other', (t) => {
  const fields: Record<string, unknown> = {}
  putField(fields, '__proto__', 1)
  putField(fields, 'a', 2)
  t.is(JSON.stringify(fields), '{"__proto__":1,"a":2}')
})
