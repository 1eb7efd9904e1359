import test from 'ava'
import * as fc from 'fast-check'
import { instantOf, zonedText } from '../../src/formats/zone.ts'

const zones = [
  'UTC',
  'Europe/Zurich',
  'Europe/Dublin',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Asia/Kathmandu',
  'Asia/Pyongyang',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Africa/Monrovia',
  'Antarctica/Troll',
]
const minute = 60_000
const hour = 60 * minute

/** What a clock in the zone shows at an instant, by Intl: another way than the one under test. */
function shown(ms: number, zone: string): number {
  const format = (formats[zone] ??= new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }))
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 0, day = 0, hour: hours = 0, minute: minutes = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hours, minutes, second)
}
const formats: Record<string, Intl.DateTimeFormat> = {}

function transitions(zone: string): number[] {
  const found: number[] = []
  let at = Temporal.Instant.from('1900-01-01T00:00:00Z').toZonedDateTimeISO(zone)
  for (;;) {
    const next = at.getTimeZoneTransition('next')
    if (next === null || next.year > 2040) return found
    found.push(next.epochMilliseconds)
    at = next
  }
}

test('what a clock showed leads back to its instant; of two, to the earlier, and that is said', (t) => {
  const seconds = fc.integer({ min: Date.UTC(1900, 0) / 1000, max: Date.UTC(2040, 0) / 1000 })
  const changes = zones.flatMap((zone) => transitions(zone).map((ms) => ({ zone, ms })))
  const nearChange = fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -3 * 3600, max: 3 * 3600 }))
    .map(([{ zone, ms }, off]) => ({ zone, ms: ms + off * 1000 }))
  const anywhere = fc.tuple(fc.constantFrom(...zones), seconds).map(([zone, s]) => ({ zone, ms: s * 1000 }))
  fc.assert(
    fc.property(fc.oneof(nearChange, anywhere), ({ zone, ms }) => {
      const civil = shown(ms, zone)
      const found = instantOf(civil, zone)
      t.truthy(found)
      if (!found) return
      t.is(shown(found.ms, zone), civil)
      t.true(found.ms <= ms)
      if (found.ms < ms) t.true(found.ambiguous)
    }),
    { numRuns: 4000 },
  )
})

const civil = (text: string): number => Date.parse(`${text}Z`)
const told = (text: string, zone: string) => {
  const found = instantOf(civil(text), zone)
  return found && [new Date(found.ms).toISOString(), found.ambiguous]
}

test('the hour that comes twice: the earlier of both, ambiguous; beside it, one', (t) => {
  t.deepEqual(told('2025-10-26T01:59:59', 'Europe/Zurich'), ['2025-10-25T23:59:59.000Z', false])
  t.deepEqual(told('2025-10-26T02:00:00', 'Europe/Zurich'), ['2025-10-26T00:00:00.000Z', true])
  t.deepEqual(told('2025-10-26T02:59:59', 'Europe/Zurich'), ['2025-10-26T00:59:59.000Z', true])
  t.deepEqual(told('2025-10-26T03:00:00', 'Europe/Zurich'), ['2025-10-26T02:00:00.000Z', false])
})

test('the hour that never was is shifted by the skip, and ambiguous', (t) => {
  t.deepEqual(told('2025-03-30T01:59:59', 'Europe/Zurich'), ['2025-03-30T00:59:59.000Z', false])
  t.deepEqual(told('2025-03-30T02:30:00', 'Europe/Zurich'), ['2025-03-30T01:30:00.000Z', true])
  t.deepEqual(told('2025-03-30T03:00:00', 'Europe/Zurich'), ['2025-03-30T01:00:00.000Z', false])
})

test('on Lord Howe the clock moves by half an hour', (t) => {
  t.deepEqual(told('2025-04-06T01:29:59', 'Australia/Lord_Howe'), ['2025-04-05T14:29:59.000Z', false])
  t.deepEqual(told('2025-04-06T01:30:00', 'Australia/Lord_Howe'), ['2025-04-05T14:30:00.000Z', true])
  t.deepEqual(told('2025-04-06T02:00:00', 'Australia/Lord_Howe'), ['2025-04-05T15:30:00.000Z', false])
})

test('Samoa left out a day', (t) => {
  t.deepEqual(told('2011-12-29T23:59:59', 'Pacific/Apia'), ['2011-12-30T09:59:59.000Z', false])
  t.deepEqual(told('2011-12-30T12:00:00', 'Pacific/Apia'), ['2011-12-30T22:00:00.000Z', true])
})

test('what was asked before changes no answer', (t) => {
  const some = fc.array(fc.integer({ min: civil('2025-10-25T00:00:00'), max: civil('2025-10-28T00:00:00') }))
  fc.assert(
    fc.property(some, fc.integer({ min: 0, max: 72 }), (before, hours) => {
      for (const one of before) instantOf(one, 'Europe/Zurich')
      const at = civil('2025-10-25T00:00:00') + hours * hour
      t.is(instantOf(at, 'Europe/Zurich')?.ambiguous, hours === 26)
    }),
  )
})

test('a zone that is not known, or none, gives no time', (t) => {
  t.is(instantOf(0, 'Mars/Olympus'), null)
  t.deepEqual(zonedText('x', 0, 'Mars/Olympus'), { time: '' })
  t.deepEqual(zonedText('x', 0, undefined), { time: '' })
  t.deepEqual(zonedText('x', civil('0001-01-01T00:00:00'), 'Asia/Tokyo'), { time: '' })
})

test('a time keeps its text, the zone and whether it is certain', (t) => {
  t.deepEqual(zonedText('02:30', civil('2025-10-26T02:30:00'), 'Europe/Zurich'), {
    time: '2025-10-26T00:30:00Z',
    local: { text: '02:30', zone: 'Europe/Zurich', ambiguous: true },
  })
})
