import test from 'ava'
import type { Framed } from '../../src/formats/format.ts'
import { frame, parseFramed } from '../../src/formats/format.ts'
import { lsf } from '../../src/formats/lsf.ts'
import { ends, lsfRecord, parseLsf } from '../support/lsf-records.ts'

test('a whole record gives every field, counted groups as arrays', (t) => {
  const parsed = parseLsf(`${lsfRecord()}\n`)
  t.like(parsed, { type: 'JOB_FINISH', time: '2023-11-14T22:30:00Z', flags: [], error: '' })
  t.like(parsed.fields, {
    eventType: 'JOB_FINISH',
    version: '10.108',
    eventTime: 1_700_001_000,
    jobId: 101,
    numAskedHosts: 0,
    askedHosts: [],
    execHosts: ['node1'],
    hostFactor: 100,
    ru_utime: 12.5,
    ru_exutime: -1,
    idx: 0,
    commandSpool: 'spool',
    rsvId: 'r1',
    rsvId2: 'r2',
    submitExt: [
      { key: 1032, value: '0' },
      { key: 1033, value: '1' },
    ],
    hostRusage: [
      { host: 'node1', mem: 10, swap: 0, utime: 5, stime: 6, numExt: 0, ext: [] },
      { host: 'node2', mem: 20, swap: 0, utime: 7, stime: 8, numExt: 1, ext: [{ key: 'k', value: 'v' }] },
    ],
    runLimit: 3600,
    options3: 4_194_304,
    network: [{ networkID: '18338657682652659712', num_window: 1 }],
    gflops: 0.5,
    allocSlots: ['node1'],
    indexRange: [],
    gpuRusage: [{ host: 'node1', numKVP: 1, kvp: [{ key: 'gpu', value: '0' }] }],
    storageInfoV: ['s'],
    kvp: [{ key: 'schedulingOverhead', value: '0.00' }],
  })
  t.false('extra' in parsed.fields)
})

for (const end of ends) {
  test(`a record may end after ${end}, and then has no later field`, (t) => {
    const { fields, error } = parseLsf(`${lsfRecord({}, end)}\n`)
    t.is(error, '')
    t.is(Object.keys(fields).at(-1), end)
    t.true(Object.values(fields).every((value) => value !== undefined))
  })
}

test('no record ends before commandSpool, nor within a counted group', (t) => {
  const tokens: string[] = lsfRecord().match(/"(?:[^"]|"")*"|\S+/g) ?? []
  const refused: string[] = []
  for (let count = 3; count < tokens.length; count++) {
    const { error, fields, type } = parseLsf(`${tokens.slice(0, count).join(' ')}\n`)
    if (error === '') continue
    t.deepEqual([error, type, fields['eventTime']], ['ends-early', 'JOB_FINISH', 1_700_001_000])
    refused.push(String(count))
  }
  const within = [4, 14, 2, 1, 4, 1, 2].reduce((sum, count) => sum + count)
  const before = tokens.indexOf('"spool"') - 2
  t.is(refused.length, before + within)
})

test('what follows the last known field is kept', (t) => {
  const { fields, error } = parseLsf(`${lsfRecord({ version: '"10.11"' })} 0.466667 0.5 "x y" word\n`)
  t.is(error, '')
  t.deepEqual(fields['extra'], [0.466667, 0.5, 'x y', 'word'])
})

const derivative = (post: string) =>
  `"JOB_FINISH" "22" 1700000000 12 1000 0 1 1699999900 0 0 1699999950 "u" "normal" "" "" "" ${post}"h0" "/home/u" "" "" "" "1.12" 0 1 "h1" 64 60.0 "" "sleep 1" 0.01 0.02 1 0 -1 0 0 1 0 0 0 0 -1 0 0 0 1 1 -1 "" "default" 0 1 "" 0 100 200 "" "spool"`

test('a version without a dot has the layout of openlava, with postExecCmd only where it is written', (t) => {
  const plain = parseLsf(`${derivative('')}\n`)
  t.is(plain.error, '')
  t.like(plain.fields, { fromHost: 'h0', jobFile: '1.12', idx: 0, maxRMem: 100, maxRSwap: 200, commandSpool: 'spool' })
  t.false('postExecCmd' in plain.fields)
  t.like(parseLsf(`${derivative('"post" ')}\n`).fields, { postExecCmd: 'post', fromHost: 'h0', jobFile: '1.12' })
  t.is(parseLsf(`${derivative('"a" "b" ')}\n`).error, 'not-a-number')
  t.is(parseLsf(`${derivative('').replace('"h0" ', '')}\n`).error, 'not-a-string')
  t.deepEqual(parseLsf(`${derivative('')} 7 "x"\n`).fields['extra'], [7, 'x'])
})

test('runs of blanks and tabs are one separator; a doubled quote is one; a newline and a backslash are text', (t) => {
  const text = lsfRecord({ command: '"""exec"" \\"" x\ny """', jobName: '""   \t ' })
  const { fields, error } = parseLsf(`${text} \r\n`)
  t.is(error, '')
  t.is(fields['command'], '"exec" \\" x\ny "')
  t.is(fields['jobName'], '')
})

test('integers beyond 2^53 stay text; decimals are the nearest number', (t) => {
  const { fields } = parseLsf(
    `${lsfRecord({ maxRMem: '9007199254740993', maxRSwap: '9007199254740991', ru_utime: '-1.000000', ru_stime: '5793844.123456789012345678', ru_maxrss: '0.1' })}\n`,
  )
  t.is(fields['maxRMem'], '9007199254740993')
  t.is(fields['maxRSwap'], 9_007_199_254_740_991)
  t.is(fields['ru_utime'], -1)
  t.is(fields['ru_stime'], 5_793_844.123456789)
  t.is(fields['ru_maxrss'], 0.1)
})

test('NUL and bytes that are no UTF-8 become U+FFFD, and the record is lossy; UTF-8 is text', (t) => {
  const lossy = parseLsf(Buffer.from(`${lsfRecord({ command: '"a\0b \xe9 \xa1"' })}\n`, 'latin1'))
  t.is(lossy.fields['command'], 'a\uFFFDb \uFFFD \uFFFD')
  t.deepEqual([lossy.flags, lossy.error], [['lossy'], ''])
  const text = parseLsf(`${lsfRecord({ command: '"größe 😀 ""μ"""' })}\n`)
  t.is(text.fields['command'], 'größe 😀 "μ"')
  t.deepEqual(text.flags, [])
})

const malformed: [what: string, change: Record<string, string>, error: string][] = [
  ['a letter after a closing quote', { queue: '"a"b' }, 'glued-token'],
  ['a number after a closing quote', { flow_id: '""0' }, 'glued-token'],
  ['a string after a number', { exceptMask: '0""' }, 'glued-token'],
  ['a word where a number belongs', { jobId: 'many' }, 'not-a-number'],
  ['a decimal where an integer belongs', { jobId: '1.5' }, 'glued-token'],
  ['a string where a number belongs', { jobId: '"1"' }, 'not-a-number'],
  ['a number where a string belongs', { queue: '1' }, 'not-a-string'],
  ['a leading zero', { askedHosts: '02 "a" "b"' }, 'not-a-number'],
  ['a plus sign', { jobId: '+1' }, 'not-a-number'],
  ['a minus sign alone', { jobId: '-' }, 'not-a-number'],
  ['a decimal without digits before its point', { hostFactor: '.5' }, 'not-a-number'],
  ['a decimal without digits after its point', { hostFactor: '5.' }, 'not-a-number'],
  ['a negative count', { askedHosts: '-1' }, 'bad-count'],
  ['a count beyond what is there', { askedHosts: '999999999 "a"' }, 'not-a-string'],
  ['a string that is not closed', { kvp: '1 "a" "b' }, 'unclosed-quote'],
  ['a string that ends in a doubled quote', { kvp: '1 "a" "b""' }, 'unclosed-quote'],
  ['a carriage return between fields', { jobId: '1\r2' }, 'glued-token'],
]
for (const [what, change, error] of malformed) {
  test(`${what} is malformed: ${error}`, (t) => {
    const head = { eventType: 'JOB_FINISH', version: '10.108', eventTime: 1_700_001_000 }
    t.deepEqual(parseLsf(`${lsfRecord(change)}\n`), {
      type: 'JOB_FINISH',
      time: '2023-11-14T22:30:00Z',
      fields: head,
      flags: ['malformed'],
      error,
    })
  })
}

const noHead: [text: string, type: string][] = [
  ['plain text', ''],
  ['"lower" "10.1" 1700000000', ''],
  ['"JOB_FINISH"', 'JOB_FINISH'],
  ['"JOB_FINISH" \xa1 "7.06" 1', 'JOB_FINISH'],
  ['"JOB_FINISH" "x" 1700000000', 'JOB_FINISH'],
  ['"JOB_FINISH" "10.1" "1700000000"', 'JOB_FINISH'],
  ['12 13', ''],
]
for (const [text, type] of noHead) {
  test(`${text} has no head`, (t) => {
    t.like(parseLsf(`${text}\n`), { type, time: '', fields: {}, flags: ['malformed'], error: 'no-head' })
  })
}

test('of other types the head and the tokens are kept, and a broken one is malformed', (t) => {
  const parsed = parseLsf('"JOB_RESIZE" "10.1" 1644826549 386 -0.5 "a ""b""" node1 12345678901234567890\n')
  t.is(parsed.time, '2022-02-14T08:15:49Z')
  t.deepEqual(parsed.fields, {
    eventType: 'JOB_RESIZE',
    version: '10.1',
    eventTime: 1_644_826_549,
    tokens: [386, -0.5, 'a "b"', 'node1', '12345678901234567890'],
  })
  t.is(parseLsf('"JOB_RESIZE" "10.1" 1644826549 a"b\n').error, 'glued-token')
})

test('comments and empty lines are records of their own type, and not malformed', (t) => {
  t.deepEqual(parseLsf('#1700000000 "x\n'), {
    type: 'comment',
    time: '',
    fields: { text: '1700000000 "x' },
    flags: [],
    error: '',
  })
  for (const text of ['\n', '\r\n', ' \t\n'])
    t.deepEqual(parseLsf(text), { type: 'blank', time: '', fields: {}, flags: [], error: '' })
})

test('a record that another one follows in its line is torn, even where what it has could be a whole one', (t) => {
  const [torn, next] = [lsfRecord({}, 'commandSpool'), `${lsfRecord()}\n`]
  const parse = (framed: Framed) => parseFramed(lsf, framed, {})
  const bytes = Buffer.from(torn + next)
  const records = frame(lsf, bytes, { offset: 0, recordBytesMax: 1e6, final: false })
  t.deepEqual(
    records.map((one) => [one.end, one.flags]),
    [
      [torn.length, ['malformed']],
      [bytes.length, []],
    ],
  )
  t.deepEqual(
    records.map(parse).map(({ type, flags, error }) => [type, flags, error]),
    [
      ['JOB_FINISH', ['malformed'], 'torn'],
      ['JOB_FINISH', [], ''],
    ],
  )
  t.deepEqual(parse(records[0] as Framed).fields, {})
  const [last] = frame(lsf, Buffer.from(torn), { offset: 0, recordBytesMax: 1e6, final: true })
  t.like(parse(last as Framed), { flags: ['incomplete'], error: '', fields: { jobId: 101 } })
})
