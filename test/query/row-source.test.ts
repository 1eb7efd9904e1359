/** Packed columns, as DuckDB reads them. */

import { BLOB, BOOLEAN, DOUBLE, LIST, VARCHAR } from '@duckdb/node-api'
import type { DuckDBType } from '@duckdb/node-api'
import test from 'ava'
import { array, assert, asyncProperty, boolean, constant, double, option, string, uint8Array } from 'fast-check'
import type { Arbitrary } from 'fast-check'
import { openDuck } from '../../src/query/duckdb.ts'
import type { ColumnKind, Value } from '../../src/query/packed-column.ts'
import { giveBack, packColumn } from '../../src/query/packed-column.ts'
import type { Given } from '../../src/query/row-source.ts'
import { registerRows } from '../../src/query/row-source.ts'

const types: Record<ColumnKind, DuckDBType> = {
  number: DOUBLE,
  flag: BOOLEAN,
  text: VARCHAR,
  document: VARCHAR,
  blob: BLOB,
  texts: LIST(VARCHAR),
}

const duck = await openDuck({ threads: 1, memory: '256MiB' })
test.after.always(() => duck.close())
let given: Given = { columns: [], chunks: [] }
registerRows(duck.connection, 'given_rows', () => given)

/** What DuckDB reads of chunks of values. */
async function read(kind: ColumnKind, chunks: readonly (readonly Value[])[]): Promise<unknown[]> {
  given = {
    columns: [{ name: 'value', type: types[kind] }],
    chunks: chunks.map((values) => ({ count: values.length, columns: [packColumn(kind, values)] })),
  }
  const value = kind === 'blob' ? 'hex(value)' : 'value'
  const rows = (await duck.connection.runAndReadAll(`SELECT ${value} FROM given_rows()`)).getRowsJS()
  return rows.map(([one]) => one)
}

const chunksOf = (value: Arbitrary<Value>): Arbitrary<Value[][]> =>
  array(array(option(value), { minLength: 1, maxLength: 130 }), { minLength: 1, maxLength: 3 })

const texts = string({ unit: 'binary', maxLength: 20 })
const arbitraries: Record<ColumnKind, Arbitrary<Value>> = {
  number: double(),
  flag: boolean(),
  text: texts,
  document: texts,
  blob: uint8Array({ maxLength: 30 }),
  texts: array(texts, { maxLength: 4 }),
}

for (const kind of Object.keys(types) as ColumnKind[]) {
  test.serial(`DuckDB reads what was packed: ${kind}`, async (t) => {
    const expected = (value: Value): unknown =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex').toUpperCase() : value
    await assert(
      asyncProperty(chunksOf(arbitraries[kind]), async (chunks) => {
        t.deepEqual(await read(kind, chunks), chunks.flat().map(expected))
      }),
      { numRuns: 60 },
    )
  })
  test.serial(`a column of one value in a chunk is that value in every row: ${kind}`, async (t) => {
    await assert(
      asyncProperty(option(arbitraries[kind]), constant(kind), async (value, kind) => {
        const [first] = await read(kind, [[value]])
        t.deepEqual(await read(kind, [[value], Array.from({ length: 70 }, () => value)]), Array(71).fill(first))
      }),
      { numRuns: 20 },
    )
  })
}

test.serial('texts of every length around what a vector holds in place', async (t) => {
  const lengths = [0, 1, 4, 11, 12, 13, 14, 2000]
  const values = lengths.flatMap((length) => ['x'.repeat(length), 'ü'.repeat(length), null])
  t.deepEqual(await read('text', [values]), values)
  for (const value of values) t.deepEqual(await read('text', [[value, 'a']]), [value, 'a'])
})

test.serial('halves of a character that meet where two texts join stay two', async (t) => {
  t.deepEqual(await read('text', [['a\ud83d', '\ude00b', 'ü']]), ['a\ufffd', '\ufffdb', 'ü'])
})

test.serial('space that was given back is used again, and a column that was not keeps its own', async (t) => {
  const large = (fill: number): Value[] => [new Uint8Array(100_000).fill(fill), null]
  const [one, two] = [packColumn('blob', large(1)), packColumn('blob', large(2))]
  giveBack(one)
  const three = packColumn('blob', large(3))
  t.is(three.kind === 'bytes' && one.kind === 'bytes' && three.bytes.buffer === one.bytes.buffer, true)
  t.true(two.kind === 'bytes' && two.bytes.every((byte) => byte === 2))
  t.true(three.kind === 'bytes' && three.bytes.length === 100_000 && three.bytes.every((byte) => byte === 3))
})
