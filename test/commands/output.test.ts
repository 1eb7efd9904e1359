import test from 'ava'
import { bytesText, counted, table } from '../../src/commands/output.ts'

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
