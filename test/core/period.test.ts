import test from 'ava'
import { readPeriod } from '../../src/core/period.ts'
import { formatRfc3339 } from '../../src/core/rfc3339.ts'

const periods: [text: string, zone: string, from: string, to: string][] = [
  ['2026', 'UTC', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['2026-12', 'UTC', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['2024-02-29', 'UTC', '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'],
  ['2026-03', 'Europe/Zurich', '2026-02-28T23:00:00Z', '2026-03-31T22:00:00Z'],
  ['2026-10', 'Europe/Zurich', '2026-09-30T22:00:00Z', '2026-10-31T23:00:00Z'],
  ['2026-03-29', 'Europe/Zurich', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
  // The clock skipped midnight: the day began at one.
  ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z'],
  // There was no 30 December 2011 in Samoa.
  ['2011-12-29', 'Pacific/Apia', '2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z'],
]
for (const [text, zone, from, to] of periods) {
  test(`${text} in ${zone}`, (t) => {
    const period = readPeriod(text, zone)
    if (typeof period === 'string') return t.fail(period)
    t.deepEqual([formatRfc3339(period.fromMs), formatRfc3339(period.toMs)], [from, to])
  })
}

test('what is no period, and what is no zone', (t) => {
  for (const text of ['', '2026-13', '2026-3', '2026-02-29', '0000', '2026-03-05T00', '03/2026', '2026-03-'])
    t.is(readPeriod(text, 'UTC'), 'period', text)
  for (const zone of ['Europe/Zürich', 'Nowhere/None', '', 'CEST+1x'])
    t.is(readPeriod('2026-03', zone), 'timezone', zone)
})
