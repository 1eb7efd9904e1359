import test from 'ava'
import { lines } from '../../src/formats/lines.ts'
import { openDuck } from '../../src/query/duckdb.ts'
import { rowOf } from '../../src/query/rows.ts'
import { openTableRows, packRows } from '../../src/query/table-rows.ts'

test("a file's name is data, and never part of the SQL", async (t) => {
  const duck = await openDuck({ threads: 1, memory: '256MiB' })
  t.teardown(() => duck.close())
  const name = `it's; DROP TABLE records --`
  const place = {
    source: `${'a'.repeat(32)}-0`,
    family: name,
    path: name,
    format: 'lines',
    segment: 'evidence/segments/r/a/0.zst',
    sha256: '0'.repeat(64),
    archivedMs: 0,
    parser: 1,
  }
  const raw = Buffer.from('one\n')
  const row = rowOf({ start: 0, end: raw.length, raw, flags: [] }, place, { format: lines, parse: {} })
  const sql = openTableRows(duck.connection).select('records', [packRows('records', [row, row])])
  t.false(sql.includes('DROP'))
  const read = (await duck.connection.runAndReadAll(`SELECT path, family, source FROM (${sql})`)).getRowsJS()
  t.deepEqual(read, [
    [name, name, place.source],
    [name, name, place.source],
  ])
})
