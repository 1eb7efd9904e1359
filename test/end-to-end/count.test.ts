/** The counting of the end-to-end tests can fail: each planted fault is found, and named with its place. */

import test from 'ava'
import { countArchive, countStream } from '../support/lines.ts'
import type { ArchivedSource, Counted, StreamEntry } from '../support/lines.ts'

const content = Buffer.from('one\ntwo\nthree\nrest')
const truth = new Map([
  ['a', content],
  ['b', Buffer.from('other\n')],
])

const source = (id: string, text: string): ArchivedSource => ({ id, bytes: Buffer.from(text), segments: [] })
const problems = (...archive: ArchivedSource[]): string => countArchive(truth, archive).problems.join('\n')
const other = source('o', 'other\n')

test('archive: exact, with or without the rest of a last line', (t) => {
  t.is(problems(source('s', 'one\ntwo\nthree\n'), other), '')
  t.is(problems(source('s', 'one\ntwo\nthree\nrest'), other), '')
})

test('archive: a lost end, a lost file, a doubled source, other bytes', (t) => {
  t.is(problems(source('s', 'one\ntwo\n'), other), 'source s, a: 1 lines lost from 8 on: "three"')
  t.is(problems(source('s', 'one\ntwo\nthree\n')), 'b is in no source: 1 lines lost from 0 on: "other"')
  t.regex(
    problems(source('s', 'one\ntwo\nthree\n'), source('z', 'one\n'), other),
    /^source z is a, which another source holds too/,
  )
  t.regex(
    problems(source('s', 'one\nTWO\nthree\n'), other),
    /no file that was written: it is a .* up to 4 of 14; then it has "TWO", written was "two"/,
  )
})

const counted: Pick<Counted, 'sources'> = {
  sources: new Map([['s', { name: 'a', content, archived: source('s', 'one\ntwo\nthree\n') }]]),
}

function stream(...ranges: [number, number][]): StreamEntry[] {
  return ranges.map(([start, end], index) => {
    const texts = { epoch: 'e', seq: index + 1, kind: 'record', source: 's', start, end }
    const fields: Record<string, Buffer> = { raw: content.subarray(start, end) }
    for (const [name, value] of Object.entries(texts)) fields[name] = Buffer.from(String(value))
    return { id: `${index}-0`, fields }
  })
}

test('stream: exact from the beginning, or from where a history begins', (t) => {
  t.deepEqual(countStream(stream([0, 4], [4, 8], [8, 14]), counted), [])
  t.deepEqual(countStream(stream([4, 8], [8, 14]), counted, { begins: () => 4 }), [])
})

test('stream: a gap, a repetition, a lost end, other bytes, a jump in seq, another epoch', (t) => {
  t.regex(countStream(stream([0, 4], [8, 14]), counted).join(), /a lost in the stream: 1 lines lost from 4 on: "two"/)
  t.regex(countStream(stream([0, 4], [0, 4], [4, 8], [8, 14]), counted).join(), /published again, a was at 4/)
  t.regex(countStream(stream([0, 4], [4, 8]), counted).join(), /lacks the end of s, a: 1 lines lost from 8 on/)
  for (const [name, value, expected] of [
    ['raw', 'TWO\n', /other bytes than a/],
    ['seq', '7', /seq 7, expected 2/],
    ['epoch', 'f', /epoch f, before e/],
    ['kind', 'revision', /kind revision/],
    ['source', 'x', /a source that is not archived/],
  ] as const) {
    const entries = stream([0, 4], [4, 8], [8, 14])
    const fields = entries[1]?.fields
    if (fields) fields[name] = Buffer.from(value)
    t.regex(countStream(entries, counted).join(), expected)
  }
})

test('stream: other bytes that a revision names are told of, where that is asked for; what it does not name is not', (t) => {
  const entries = stream([0, 4], [4, 8], [8, 14], [4, 8])
  const [, wrong, , revision] = entries.map(({ fields }) => fields)
  if (wrong) wrong['raw'] = Buffer.from('TWO\n')
  if (revision) revision['kind'] = Buffer.from('revision')
  t.deepEqual(countStream(entries, counted, { revisable: true }), [])
  t.regex(countStream(entries, counted).join(), /other bytes than a.*kind revision/s)
  if (revision) revision['start'] = Buffer.from('8')
  t.regex(countStream(entries, counted, { revisable: true }).join(), /other bytes than a/)
})
