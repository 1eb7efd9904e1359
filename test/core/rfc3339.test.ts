import test from 'ava'
import * as fc from 'fast-check'
import { formatRfc3339 } from '../../src/core/rfc3339.ts'

test('it is what the platform writes, for every year from 0 to 9999', (t) => {
  const first = Date.UTC(0, 0, 1) - (Date.UTC(1900, 0, 1) - Date.parse('0000-01-01T00:00:00Z'))
  const last = Date.parse('9999-12-31T23:59:59.999Z')
  fc.assert(
    fc.property(fc.integer({ min: first, max: last }), (ms) => {
      t.is(formatRfc3339(ms), new Date(ms).toISOString().replace('.000Z', 'Z'))
    }),
    { numRuns: 2000 },
  )
})

test('leap days and the ends of years', (t) => {
  for (const text of [
    '1970-01-01T00:00:00Z',
    '2000-02-29T23:59:59Z',
    '2100-02-28T00:00:00Z',
    '2024-12-31T23:59:59.999Z',
    '1969-12-31T23:59:59.5Z',
  ]) {
    const ms = Date.parse(text)
    t.is(Date.parse(formatRfc3339(ms)), ms)
  }
  t.is(formatRfc3339(951_868_799_000), '2000-02-29T23:59:59Z')
})
