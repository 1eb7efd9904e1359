import test from 'ava'
import * as fc from 'fast-check'
import { fieldsOfRow } from '../../src/formats/csv-row.ts'

test('any fields, quoted, come back', (t) => {
  const written = (field: string): string => `"${field.replaceAll('"', '""')}"`
  const fields = fc.array(fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', ' ') }), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(fields, fc.constantFrom(',', ';', '\t'), (given, separator) => {
      t.deepEqual(fieldsOfRow(given.map(written).join(separator), separator), { fields: given, ok: true })
    }),
  )
})

const rows: [string, string[], boolean][] = [
  ['', [''], true],
  ['a,', ['a', ''], true],
  ['"a",', ['a', ''], true],
  ['a"b,c', ['a"b', 'c'], true],
  ['"a"b,c', ['"a"b', 'c'], false],
  ['"a,b', ['"a', 'b'], false],
  ['"', ['"'], false],
]
for (const [row, fields, ok] of rows)
  test(`${JSON.stringify(row)} has ${fields.length} fields`, (t) => t.deepEqual(fieldsOfRow(row, ','), { fields, ok }))
