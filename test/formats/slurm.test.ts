import test from 'ava'
import * as fc from 'fast-check'
import { firstLine } from '../../src/core/identity.ts'
import type { ParseContext } from '../../src/formats/format.ts'
import { slurm } from '../../src/formats/slurm.ts'
import { batchSamples, framedInPieces, framedWhole, isCovered } from '../support/batch-samples.ts'

const names = 'JobID|JobName|User|Submit|Start|End|State|WorkDir'
const columns = slurm.columns?.(Buffer.from(`${names}\n`)) ?? []
const zone: ParseContext = { timezone: 'Europe/Zurich', columns }
const parse = (text: string | Buffer, context = zone) => slurm.parse(Buffer.from(text), context)
const row = (id: string, name = 'a', dir = '/w') =>
  `${id}|${name}|ann|2026-01-05T10:00:00|2026-01-05T10:01:00|2026-01-05T11:00:00|COMPLETED|${dir}`

test("a line of sacct's gives its columns as text, and its end in UTC", (t) => {
  t.deepEqual(parse(`${row('123')}\n`), {
    type: 'job',
    time: '2026-01-05T10:00:00Z',
    local: { text: '2026-01-05T11:00:00', zone: 'Europe/Zurich', ambiguous: false },
    fields: {
      JobID: '123',
      JobName: 'a',
      User: 'ann',
      Submit: '2026-01-05T10:00:00',
      Start: '2026-01-05T10:01:00',
      End: '2026-01-05T11:00:00',
      State: 'COMPLETED',
      WorkDir: '/w',
    },
    flags: [],
    error: '',
  })
})

const types: [string, string][] = [
  ['123', 'job'],
  ['123_4', 'job'],
  ['123_[1-3,5%2]', 'job'],
  ['123+1', 'job'],
  ['123.batch', 'batch'],
  ['123_4.extern', 'extern'],
  ['123+1.0', 'step'],
  ['123.4294967294', 'step'],
  ['123.interactive', 'interactive'],
]
for (const [id, type] of types) test(`${id} is a ${type}`, (t) => t.is(parse(row(id)).type, type))

test('users may put the delimiter into their texts', (t) => {
  t.like(parse(row('1', 'a', '/w|x|y')).fields, { JobName: 'a', WorkDir: '/w|x|y' })
  const oneText = slurm.columns?.(Buffer.from('JobID|JobName|State|End\n')) ?? []
  const context = { ...zone, columns: oneText }
  t.like(parse('7|a|b|COMPLETED|Unknown', context).fields, { JobName: 'a|b', State: 'COMPLETED', End: 'Unknown' })
  t.is(parse('7|a|b|c d|Unknown', context).error, 'too-many-columns')
  const noText = { ...zone, columns: ['JobID', 'State'] }
  t.is(parse('7|COMPLETED|x', noText).error, 'too-many-columns')
})

test('of two texts that could hold what is over, the last column does; else none is guessed', (t) => {
  const both = { ...zone, columns: ['JobID', 'JobName', 'Comment', 'State'] }
  t.is(parse('7|a|b|c|COMPLETED', both).error, 'too-many-columns')
  t.like(parse(row('1', 'a|b', '/w')), { error: '', fields: { JobName: 'a|b', State: 'COMPLETED' } })
})

test('a name with a newline: both halves are kept, as malformed; the records around them are whole', (t) => {
  const bytes = Buffer.from(`${names}\n${row('1')}\n${row('2', 'first\nsecond')}\n${row('3')}\n`)
  const parsed = framedWhole(slurm, bytes).map(({ raw }) => slurm.parse(raw, zone))
  t.deepEqual(
    parsed.map(({ type, error }) => type || error),
    ['header', 'job', 'too-few-columns', 'too-few-columns', 'job'],
  )
})

test('the names again amid the file are no record; other names are told', (t) => {
  t.deepEqual(parse(`${names}\n`) as unknown, {
    type: 'header',
    time: '',
    fields: { columns },
    flags: [],
    error: '',
  })
  const changed = parse('JobID|State|End\n')
  t.deepEqual([changed.type, changed.error, changed.flags], ['header', 'columns-changed', ['malformed']])
})

test('another delimiter is seen in the names, and so is one at the end of each line', (t) => {
  for (const delimiter of ['\x1e', '\t', ';', '@|@']) {
    const line = ['JobID', 'JobName', 'State'].join(delimiter)
    const found = slurm.columns?.(Buffer.from(`${line}\n`)) ?? []
    const parsed = parse(['1', 'a|b', 'FAILED'].join(delimiter), { ...zone, columns: found })
    t.deepEqual(parsed.fields, { JobID: '1', JobName: 'a|b', State: 'FAILED' })
    t.deepEqual(parse(line, { ...zone, columns: found }).fields, { columns: ['JobID', 'JobName', 'State'] })
  }
  const closed = slurm.columns?.(Buffer.from('JobID|JobName|State|\n')) ?? []
  t.deepEqual(parse('1|a|FAILED|\n', { ...zone, columns: closed }).fields, {
    JobID: '1',
    JobName: 'a',
    State: 'FAILED',
  })
})

test('columns come from the first line that says something', (t) => {
  const of = (text: string) => slurm.columns?.(Buffer.from(text))
  t.deepEqual(of('\n# made by cron\nState|JobID\r\nx'), ['State', 'JobID'])
  t.is(of('JobID|State'), null)
  t.is(of(`${row('1')}\n`), null)
  t.is(of('1|JobID|x\nJobID|State\n'), null)
  t.is(of('JobID           JobName  Partition \n'), null)
  t.is(of('User|State\n'), null)
  t.is(of(''), null)
})

test('a source whose first line is names is known by its first record; one of filetxt by its first line', (t) => {
  const first = (text: string) => firstLine(Buffer.from(text), slurm.header)?.toString() ?? null
  t.is(first(`${names}\n`), null)
  t.is(first(`${names}\n${row('1')}\n`), row('1'))
  t.is(first('JobId=1 UserId=a(1)\n'), 'JobId=1 UserId=a(1)')
})

const broken: [string, ParseContext, string][] = [
  ['', zone, 'empty'],
  ['  ', {}, 'empty'],
  ['sacct: error: slurmdbd is away', zone, 'too-few-columns'],
  ['sacct: error: slurmdbd is away', {}, 'not-a-job'],
  [row('JobX'), zone, 'not-a-job'],
  [row('1').slice(0, 40), zone, 'too-few-columns'],
  ['1|a|b', {}, 'no-columns'],
  [`1${'|'.repeat(100_000)}`, zone, 'too-many-columns'],
]
for (const [text, context, error] of broken) {
  test(`${JSON.stringify(text.slice(0, 50))} ${context.columns ? 'with' : 'without'} names is malformed: ${error}`, (t) => {
    const parsed = parse(`${text}\n`, context)
    t.deepEqual([parsed.error, parsed.flags], [error, ['malformed']])
    t.is(slurm.job?.(parsed, context), null)
  })
}

test('without names the cells are numbered, and that is said', (t) => {
  t.deepEqual(parse('1|a|b', {}).fields, { col1: '1', col2: 'a', col3: 'b' })
})

test('a dump without names is understood where its columns are those of a known tool', (t) => {
  const line =
    '5940815|cream|user1|group1|2018-06-03T02:11:12|2018-06-05T03:36:08|2-01:24:56|8-15:40:36|part|8|1|wn1|||COMPLETED'
  t.like(parse(line, { timezone: 'UTC' }), { type: 'job', time: '2018-06-05T03:36:08Z', error: '' })
  t.is(parse(line.replace('COMPLETED', 'completed'), { timezone: 'UTC' }).error, 'no-columns')
})

test('a comment is one', (t) => {
  t.deepEqual(parse('# 1|2\n').fields, { comment: '# 1|2' })
  t.is(parse('# 1|2\n').type, 'comment')
})

const times: [string[], string][] = [
  [['', '2026-01-05T10:01:00', 'Unknown'], '2026-01-05T09:01:00Z'],
  [['2026-01-05T10:00:00', 'None', 'Unknown'], '2026-01-05T09:00:00Z'],
  [['', '', '2026-01-05T10:00:00Z'], '2026-01-05T10:00:00Z'],
  [['', '', '2026-01-05T10:00:00+0500'], '2026-01-05T05:00:00Z'],
  [['', '', '1767607200'], '2026-01-05T10:00:00Z'],
  [['', '', '2026-13-05T10:00:00'], ''],
  [['Unknown', 'None', ''], ''],
]
for (const [[submit, start, end], time] of times) {
  test(`submitted ${submit}, started ${start}, ended ${end}: ${time || 'no time'}`, (t) => {
    const parsed = parse(`1|a|ann|${submit}|${start}|${end}|COMPLETED|/w`)
    t.is(parsed.time, time)
    t.is(parsed.error, '')
    t.is('local' in parsed, time.endsWith('09:01:00Z') || time.endsWith('09:00:00Z'))
  })
}

test('without a zone a local time is none', (t) => {
  t.is(parse(row('1'), { columns }).time, '')
  t.is(parse(row('1').replace('11:00:00', '11:00:00Z'), { columns }).time, '2026-01-05T11:00:00Z')
})

test('bytes that are no UTF-8 become U+FFFD, and the record is lossy', (t) => {
  const parsed = parse(Buffer.from(row('1', 'caf\xe9'), 'latin1'))
  t.deepEqual([parsed.fields['JobName'], parsed.flags], ['caf\uFFFD', ['lossy']])
})

const samples = ['slurm-sacct', 'slurm-filetxt'].flatMap(batchSamples)
const withSamples = samples.length > 0 ? test : test.skip

withSamples('every line of the real files is a record; what is malformed in them is what was made so', (t) => {
  const odd: string[] = []
  for (const { name, bytes } of samples) {
    const records = framedWhole(slurm, bytes)
    t.true(isCovered(records, bytes), name)
    for (const { raw } of records) {
      const text = raw.toString()
      const { error, type, time } = slurm.parse(raw, { timezone: 'UTC' })
      if (error !== '' && error !== 'empty') odd.push(`${name} ${error}`)
      if (error === 'empty') t.is(text.trim(), '')
      t.is(type === 'comment', text.startsWith('#'))
      if (type === 'job') t.not(time, '', text)
    }
  }
  t.deepEqual(odd.sort(), ['aws-issues-20.txt no-columns', 'aws-issues-20.txt no-columns'])
})

const parts = [
  '1|',
  'JobId=1 ',
  ' Name=x',
  ' JobState=A Partition=p TimeLimit=1 StartTime= EndTime= NodeList=',
  ' WorkDir=',
]
const some = [...parts, 'a|b', '|', '#', '\n', '\r\n', `${row('12')}\n`, `${names}\n`, '[', '\0']
const inputs = fc
  .array(
    fc.oneof(
      fc.constantFrom(...some).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 4 }),
    ),
    {
      maxLength: 40,
    },
  )
  .map((all) => Buffer.concat(all))

test('any bytes, cut anywhere, give the same records; they cover the input, and each can be parsed', async (t) => {
  await fc.assert(
    fc.asyncProperty(inputs, fc.array(fc.nat(2000), { maxLength: 8 }), async (bytes, cuts) => {
      const whole = framedWhole(slurm, bytes)
      t.true(isCovered(whole, bytes))
      t.deepEqual(await framedInPieces(slurm, bytes, cuts), whole)
      const found = slurm.columns?.(bytes)
      for (const { raw } of whole) {
        for (const context of [zone, {}, ...(found ? [{ columns: found }] : [])]) {
          const parsed = slurm.parse(raw, context)
          t.is(parsed.flags.includes('malformed'), parsed.error !== '')
          t.false(JSON.stringify(parsed.fields).includes('\\u0000'))
          slurm.job?.(parsed, context)
        }
      }
    }),
    { numRuns: 300 },
  )
})
