import test from 'ava'
import { openDuck } from '../../src/query/duckdb.ts'
import { cellOf, csvLine, jsonOf } from '../../src/query/results.ts'

const values: [sql: string, json: unknown][] = [
  ['42::BIGINT', 42],
  ['9007199254740991', 9_007_199_254_740_991],
  ['9007199254740993', '9007199254740993'],
  ['-9007199254740993', '-9007199254740993'],
  ['170141183460469231731687303715884105727::HUGEINT', '170141183460469231731687303715884105727'],
  ['1.5::DOUBLE', 1.5],
  [`'nan'::DOUBLE`, 'NaN'],
  ['1.25::DECIMAL(9,2)', 1.25],
  ['true', true],
  ['NULL', null],
  [`TIMESTAMPTZ '2026-03-01 01:02:03+01'`, '2026-03-01T00:02:03Z'],
  [`TIMESTAMPTZ '2026-03-01 01:02:03.5+00'`, '2026-03-01T01:02:03.500Z'],
  [`TIMESTAMPTZ '2026-03-01 01:02:03.000007+00'`, '2026-03-01T01:02:03.000007Z'],
  [`TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'`, '1969-12-31T23:59:59.999999Z'],
  [`TIMESTAMP '2026-03-01 01:02:03'`, '2026-03-01T01:02:03'],
  [`'infinity'::TIMESTAMPTZ`, 'infinity'],
  [`DATE '2026-03-01'`, '2026-03-01'],
  [`'text'`, 'text'],
  [`'abc'::BLOB`, 'abc'],
  [`'\\xFF\\x00'::BLOB`, 'base64:/wA='],
  [`'{"a":[1,2]}'::JSON`, { a: [1, 2] }],
  [`['x', NULL]`, ['x', null]],
  [`{a: 1::BIGINT, b: [true]}`, { a: 1, b: [true] }],
  [`MAP {'k': 1}`, [['k', 1]]],
]

test('every kind of value as JSON', async (t) => {
  const duck = await openDuck({ threads: 1, memory: '256MiB' })
  try {
    for (const [sql, expected] of values) {
      const read = await duck.connection.runAndReadAll(`SELECT ${sql}`)
      t.deepEqual(jsonOf(read.getRows()[0]?.[0] ?? null, read.columnTypes()[0]), expected as never, sql)
    }
  } finally {
    await duck.close()
  }
})

test('CSV as RFC 4180 has it, NULL told from an empty text', (t) => {
  t.is(
    csvLine(['a', null, '', 'b,c', 'say "x"', 'two\nlines', 1.5, true, ['x']]),
    'a,,"","b,c","say ""x""","two\nlines",1.5,true,"[""x""]"',
  )
  t.is(cellOf({ a: 1 }), '{"a":1}')
})
