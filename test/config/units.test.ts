import test from 'ava'
import * as fc from 'fast-check'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.ts'

test('durations and sizes are read with their units', (t) => {
  t.deepEqual(
    ['250ms', '60s', '5m', '1h', '7d', '0ms'].map((text) => parseDuration(text)),
    [250, 60_000, 300_000, 3_600_000, 604_800_000, 0],
  )
  t.deepEqual(
    ['64MiB', '4GiB', '1MB', '512B', '1KiB', '1KB', '2TiB', '0B'].map((text) => parseSize(text)),
    [67_108_864, 4_294_967_296, 1_000_000, 512, 1024, 1000, 2_199_023_255_552, 0],
  )
})

test('nothing without a unit, with a fraction, a sign, a space or an unknown unit is one', (t) => {
  for (const text of [
    '60',
    '0',
    '',
    's',
    '-1s',
    '+1s',
    '1.5h',
    '1e3s',
    ' 1s',
    '1 s',
    '1S',
    '1w',
    '1s\n',
    '1constructor',
  ]) {
    t.is(parseDuration(text), null, JSON.stringify(text))
  }
  for (const text of [
    '64',
    '0',
    '',
    'MiB',
    '-1B',
    '1.5GiB',
    '1 MiB',
    '1mib',
    '1M',
    '1b',
    '1MiB\n',
    '999999999999TiB',
  ]) {
    t.is(parseSize(text), null, JSON.stringify(text))
  }
})

test('what is formatted reads back as the same number', (t) => {
  fc.assert(fc.property(fc.nat(999_999_999), (ms) => parseDuration(formatDuration(ms)) === ms))
  fc.assert(fc.property(fc.nat(999_999_999), (bytes) => parseSize(formatSize(bytes)) === bytes))
  t.is(formatDuration(300_000), '5m')
  t.is(formatSize(67_108_864), '64MiB')
})

test('what is read formats to the same amount, whatever its unit', (t) => {
  const duration = fc.tuple(fc.nat(9999), fc.constantFrom('ms', 's', 'm', 'h', 'd')).map(([n, unit]) => `${n}${unit}`)
  const size = fc.tuple(fc.nat(999), fc.constantFrom('B', 'KB', 'MB', 'GB', 'TB', 'KiB', 'MiB', 'GiB', 'TiB'))
  fc.assert(
    fc.property(duration, (text) => {
      const ms = parseDuration(text)
      return ms !== null && parseDuration(formatDuration(ms)) === ms
    }),
  )
  fc.assert(
    fc.property(size, ([n, unit]) => {
      const bytes = parseSize(`${n}${unit}`)
      return bytes !== null && parseSize(formatSize(bytes)) === bytes
    }),
  )
  t.pass()
})
