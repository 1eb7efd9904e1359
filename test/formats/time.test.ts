import test from 'ava'
import * as fc from 'fast-check'
import { epochToRfc3339, toRfc3339 } from '../../src/formats/time.ts'

const times: [string, string][] = [
  ['2026-03-01T10:00:00Z', '2026-03-01T10:00:00Z'],
  ['2026-03-01 10:00:00+0100', '2026-03-01T09:00:00Z'],
  ['2026-03-01t10:00:00z', '2026-03-01T10:00:00Z'],
  ['2026-01-01T00:30:00+01:00', '2025-12-31T23:30:00Z'],
  ['2026-03-01T10:00:00.123456789Z', '2026-03-01T10:00:00.123Z'],
  ['2026-03-01T10:00:00', ''],
  ['2026-13-01T10:00:00Z', ''],
  ['2026-03-01T24:00:00Z', ''],
  ['', ''],
]
for (const [text, expected] of times)
  test(`${text || '(empty)'} is ${expected || 'no time'}`, (t) => t.is(toRfc3339(text), expected))

test('what the platform writes is read as the platform reads it', (t) => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }), (date) => {
      t.is(toRfc3339(date.toISOString()), date.toISOString().replace('.000Z', 'Z'))
    }),
  )
})

test('a day that its month does not have is no time', (t) => {
  t.is(toRfc3339('2026-02-30T00:00:00Z'), '')
  t.is(toRfc3339('2026-02-29T00:00:00Z'), '')
  t.is(toRfc3339('2024-02-29T00:00:00Z'), '2024-02-29T00:00:00Z')
})

test('seconds, or milliseconds where they are too many for seconds', (t) => {
  t.is(epochToRfc3339(0), '1970-01-01T00:00:00Z')
  t.is(epochToRfc3339(1_772_359_200.5), '2026-03-01T10:00:00.500Z')
  t.is(epochToRfc3339(1_772_359_200_000), '2026-03-01T10:00:00Z')
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e18]) t.is(epochToRfc3339(wrong), '')
})
