import test from 'ava'
import { bytesText, counted, durationText, progressText, table } from '../../src/commands/output.ts'

test('bytesText: three figures at most, the unit that fits', (t) => {
  t.deepEqual([0, 1023, 1024, 1536, 150 * 1024, 1024 ** 3, 3.5 * 1024 ** 6].map(bytesText), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '150 KiB',
    '1.0 GiB',
    '3584 PiB',
  ])
})

test('counted: one and many', (t) => {
  t.deepEqual(
    [0, 1, 12_345].map((count) => counted(count, 'file')),
    ['0 files', '1 file', '12,345 files'],
  )
})

test('table: texts to the left, figures to the right, no blanks at the end', (t) => {
  const rows = [
    ['a', '1.5 KiB', 'x'],
    ['long name', '12 B', ''],
  ]
  t.is(table(['file', 'size', 'state'], rows), 'file          size  state\na          1.5 KiB  x\nlong name     12 B')
  t.is(table(['file'], []), 'file')
})

test('progress: what is done, of what, what is left, how fast, and how long that takes', (t) => {
  const mib = 1024 ** 2
  t.is(
    progressText({ verb: 'archived', done: 30 * mib, total: 90 * mib, unit: 'bytes', more: '2 segments' }, 6 * mib),
    'archived 30.0 MiB of 90.0 MiB, 60.0 MiB left, 6.0 MiB/s, 10 s to go; 2 segments',
  )
  t.is(
    progressText({ verb: 'verified', done: 1, total: 3001, unit: 'segment' }, 0.5),
    'verified 1 of 3,001 segments, 3,000 left, 0.5 a second, 1 h 40 min to go',
  )
  t.is(progressText({ verb: 'expired', done: 1, unit: 'segment' }, 12_345.6), 'expired 1 segment, 12,346 a second')
  t.is(
    progressText({ verb: 'read', done: 5, total: 3, unit: 'file' }, null),
    'read 5 files',
    'a total that was too low',
  )
  t.is(progressText({ verb: 'read', done: 5, total: 9, unit: 'file' }, 0), 'read 5 of 9 files, 4 left, 0.0 a second')
  t.is(progressText({ verb: 'read', done: 9, total: 9, unit: 'file' }, 3), 'read 9 of 9 files, 0 left, 3.0 a second')
  t.deepEqual([0.2, 59, 60, 3600, 90_000, 200_000].map(durationText), [
    '1 s',
    '59 s',
    '1 min 0 s',
    '1 h 0 min',
    '25 h 0 min',
    '2 days',
  ])
})
