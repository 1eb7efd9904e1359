import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { ndjson, runGleaner } from '../support/run-gleaner.ts'

function fileWith(t: ExecutionContext, name: string, body: string | Buffer): { cwd: string; file: string } {
  const cwd = mkdtempSync(join(tmpdir(), 'gleaner-decode-'))
  t.teardown(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, name), body)
  return { cwd, file: name }
}

test('a file gives its records, with its path and without a source, with no configuration', async (t) => {
  const { cwd, file } = fileWith(t, 'a b.log.1', 'one\ntwo')
  const ran = await runGleaner(['decode', '--format', 'lines', file], { cwd })
  t.is(ran.status, 0, ran.stderr)
  const common = {
    v: 1,
    kind: 'record',
    source: '',
    revision: 0,
    path: 'a%20b.log.1',
    family: 'a%20b.log',
    format: 'lines',
    type: 'line',
    time: '',
    error: '',
  }
  t.deepEqual(ndjson(ran.stdout), [
    { ...common, start: 0, end: 4, flags: '', fields: { line: 'one' }, raw: 'one\n' },
    { ...common, start: 4, end: 7, flags: 'incomplete', fields: { line: 'two' }, raw: 'two' },
  ])
})

test('stdin is read where no file is named, or -', async (t) => {
  for (const args of [[], ['-']]) {
    const ran = await runGleaner(['decode', '--format', 'jsonl', ...args], { input: '{"type":"x"}\n{' })
    t.deepEqual(
      ndjson(ran.stdout).map(({ type, flags, path }) => [type, flags, path]),
      [
        ['x', '', ''],
        ['', 'incomplete,malformed', ''],
      ],
    )
  }
})

test('auto says what it guessed, on stderr alone', async (t) => {
  const json = await runGleaner(['decode'], { input: '{"type":"x"}\n' })
  t.regex(json.stderr, /taken for jsonl/)
  t.is(ndjson(json.stdout)[0]?.['format'], 'jsonl')
  const plain = await runGleaner(['decode', '--format', 'auto'], { input: 'plain\n' })
  t.regex(plain.stderr, /taken for lines/)
  t.is(ndjson(plain.stdout)[0]?.['format'], 'lines')
  const empty = await runGleaner(['decode'], { input: '' })
  t.deepEqual([empty.status, empty.stdout.length], [0, 0])
})

test('records of several lines, and the columns of a table, come out of stdin as out of a file', async (t) => {
  const table = '"first\nname";n\n"a\nb";1\n'
  const input = Array.from(table, (one) => Buffer.from(one))
  const rows = ndjson((await runGleaner(['decode', '--format', 'csv'], { input })).stdout)
  t.deepEqual(
    rows.map(({ start, end, type, fields }) => [start, end, type, fields]),
    [
      [0, 15, 'header', { 'first\nname': 'first\nname', n: 'n' }],
      [15, 23, 'row', { 'first\nname': 'a\nb', n: '1' }],
    ],
  )
  const ad = 'ClusterId = 1\n*** Offset = 0 ClusterId = 1 ProcId = 0 Owner = "o" CompletionDate = 5\n'
  const guessed = await runGleaner(['decode'], { input: ad + ad })
  t.regex(guessed.stderr, /taken for htcondor: 2 of its first 2 records are understood/)
  t.is(ndjson(guessed.stdout).length, 2)
})

test('a compressed file is read as its content; a torn one is an error that says so', async (t) => {
  for (const [name, body] of [
    ['a.gz', gzipSync('one\n')],
    ['a.zst', zstdCompressSync('one\n')],
  ] as const) {
    const whole = fileWith(t, name, body)
    t.is(ndjson((await runGleaner(['decode', '--format', 'lines', name], whole)).stdout)[0]?.['raw'], 'one\n')
    const torn = fileWith(t, name, body.subarray(0, -5))
    const ran = await runGleaner(['decode', '--format', 'lines', name], torn)
    t.is(ran.status, 1)
    t.regex(ran.stderr, /gleaner: decode a\./)
  }
})

test('bytes that are no UTF-8 come as raw_base64', async (t) => {
  const [record] = ndjson((await runGleaner(['decode', '--format', 'lines'], { input: Buffer.of(0xff, 10) })).stdout)
  t.like(record, { raw_base64: '/wo=', flags: 'lossy' })
})

test('a line without end is cut at 16 MiB and does not stay in memory', async (t) => {
  const mib = Buffer.alloc(1024 * 1024, 'x')
  const ran = await runGleaner(['decode', '--format', 'lines'], { input: Array.from({ length: 40 }, () => mib) })
  t.is(ran.status, 0)
  const records = ndjson(ran.stdout)
  t.deepEqual(
    records.map(({ start, end, flags }) => [start, end, flags]),
    [
      [0, 16 * 2 ** 20, 'cut'],
      [16 * 2 ** 20, 32 * 2 ** 20, 'cut'],
      [32 * 2 ** 20, 40 * 2 ** 20, 'incomplete'],
    ],
  )
  t.true(records.every((record) => !('raw' in record)))
})

const refused: [string, string[], RegExp][] = [
  ['an unknown format', ['--format', 'xml'], /xml is no format; expected auto or one of lsf/],
  ['an unknown zone', ['--format', 'lines', '--timezone', 'Mars/North'], /Mars\/North is no IANA time zone/],
  ['a file that is not there', ['--format', 'lines', 'no-such-file'], /no-such-file: no such file/],
  ['a directory', ['--format', 'lines', '/'], /it is a directory/],
]
for (const [title, args, message] of refused) {
  test(`${title} is refused with exit status 2`, async (t) => {
    const ran = await runGleaner(['decode', ...args])
    t.is(ran.status, 2, ran.stderr)
    t.regex(ran.stderr, message)
  })
}
