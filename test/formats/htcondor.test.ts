import test from 'ava'
import { frame, type Framed } from '../../src/formats/format.ts'
import { htcondor } from '../../src/formats/htcondor.ts'
import type { Job } from '../../src/formats/job.ts'
import { expectedOf, samplesOf } from '../support/samples.ts'

const framed = (text: string, final = true): Framed[] =>
  frame(htcondor, Buffer.from(text), { offset: 0, recordBytesMax: 1e6, final })
const texts = (text: string, final = true): string[] => framed(text, final).map(({ raw }) => raw.toString())
const parse = (text: string) => htcondor.parse(Buffer.from(text), {})
const errors = (text: string): string[] => framed(text).map(({ raw }) => htcondor.parse(raw, {}).error)

const footer = (cluster: number, proc = 0): string =>
  `*** Offset = 0 ClusterId = ${cluster} ProcId = ${proc} Owner = "anna" CompletionDate = 1724181763\n`
const ad = (cluster: number): string =>
  `MyType = "Job"\nClusterId = ${cluster}\nProcId = 0\nJobStatus = 4\n${footer(cluster)}`

test('an ad is a record up to and with its footer; without one it ends with the input', (t) => {
  t.deepEqual(texts(ad(1) + ad(2) + 'MyType = "Job"\nOwner = "o"\n'), [ad(1), ad(2), 'MyType = "Job"\nOwner = "o"\n'])
  t.deepEqual(texts(`${ad(1)}MyType = "Job"\nOwn`, false), [ad(1)])
  t.deepEqual(texts(ad(1).slice(0, -1), false), [])
})

test('only a line that is a footer in every part ends an ad', (t) => {
  for (const line of [
    '*** ',
    '*** Offset = 0',
    '*** stars ***',
    `x${footer(1).trimEnd()}`,
    `${footer(1).trimEnd()} and more`,
  ]) {
    const text = `MyType = "Job"\nNote = "\n${line.replaceAll('"', '\\"')}\n"\n${footer(1)}`
    t.deepEqual(texts(text), [text])
    t.deepEqual(parse(text).fields['Note'], `\n${line}\n`)
  }
})

const footers = [
  '*** Offset = -1 ClusterId = 3 ProcId = 7 Owner = "name" CompletionDate = 1361297173',
  '*** Offset = 9 ClusterId = 3 ProcId = 7 Owner = "na\\"me" CompletionDate = 0 CurrentTime = 1361297173',
  '*** JOB Offset = 9 ClusterId = 3 ProcId = 7 Owner = "?" CompletionDate = -1 CurrentTime = 1361297173',
  '*** EPOCH ClusterId=3 ProcId=7 RunInstanceId=0 Owner="name" CurrentTime=1361297173',
]
for (const line of footers) {
  test(`a footer: ${line}`, (t) => {
    const text = `A = 1\n${line}\n`
    t.deepEqual(texts(text + ad(1)), [text, ad(1)])
    const { type, fields, error } = parse(text)
    t.is(error, '')
    t.is(type, line.includes('EPOCH') ? 'EPOCH' : 'Job')
    t.like(fields, { A: 1, ClusterId: 3, ProcId: 7 })
  })
}

test('values: text, numbers, truth, nothing, and expressions as they are written', (t) => {
  const { fields, error, type } = parse(
    [
      'MyType = "Job"',
      String.raw`Quoted = "say \"hi\""`,
      String.raw`Path = "C:\dir\"`,
      String.raw`Backslash = "a\nb"`,
      'Empty = ""',
      'Equals = "a = b"',
      'Int = -12',
      'Big = 123456789012345678901',
      'Real = 9.100000000000000E+02',
      'Yes = TRUE',
      'No = false',
      'Nothing = UNDEFINED',
      'Text = "TRUE"',
      'Sum = DiskUsage + 1',
      'Both = "a" == "b"',
      'Twice = 1',
      'Twice = 2',
      'tight=1',
      '__proto__ = 3',
      '',
    ].join('\n'),
  )
  t.deepEqual([error, type], ['', 'Job'])
  t.like(fields, { Quoted: 'say "hi"', Path: 'C:\\dir\\', Backslash: 'a\\nb', Empty: '', Equals: 'a = b' })
  t.like(fields, {
    Int: -12,
    Big: '123456789012345678901',
    Real: 910,
    Yes: true,
    No: false,
    Nothing: null,
    Text: 'TRUE',
  })
  t.like(fields, { Sum: 'DiskUsage + 1', Both: '"a" == "b"', Twice: 2, tight: 1 })
  t.true(JSON.stringify(fields).includes('"__proto__":3'))
})

test('a text may hold line ends, lines that look like attributes, and quotes', (t) => {
  const { fields, error } = parse('ClusterId = 1\nNote = "one\nTwo = 2\nsay \\"x\\" so\nlast"\nAfter = 1\n')
  t.is(error, '')
  t.deepEqual(fields, { ClusterId: 1, Note: 'one\nTwo = 2\nsay "x" so\nlast', After: 1 })
})

test('an ad with CRLF is read like any other', (t) => {
  const text = ad(1).replaceAll('\n', '\r\n')
  t.deepEqual(texts(text), [text])
  t.like(parse(text).fields, { MyType: 'Job', ClusterId: 1, Owner: 'anna' })
})

test('a text without its closing quote costs its own attribute', (t) => {
  const { fields, error, flags } = parse(`ClusterId = 1\nCmd = "/bin/x\nArgs = "y"\nB = 2\n${footer(1)}`)
  t.deepEqual([error, flags], ['unclosed-string', ['malformed']])
  t.like(fields, { ClusterId: 1, Cmd: '"/bin/x', Args: 'y', B: 2 })
})

test('what the ad does not say is taken from the footer', (t) => {
  t.deepEqual(parse(`Owner = "bob"\n${footer(4, 2)}`).fields, {
    Owner: 'bob',
    Offset: 0,
    ClusterId: 4,
    ProcId: 2,
    CompletionDate: 1724181763,
  })
})

const times: [string, string][] = [
  ['CompletionDate = 10\nEnteredCurrentStatus = 20\n', '1970-01-01T00:00:10Z'],
  ['CompletionDate = 0\nEnteredCurrentStatus = 20\n', '1970-01-01T00:00:20Z'],
  ['CompletionDate = 0\nCurrentTime = 30\n', '1970-01-01T00:00:30Z'],
  ['CompletionDate = 0\n', ''],
]
for (const [lines, expected] of times)
  test(`the time of ${JSON.stringify(lines)} is ${expected || 'none'}`, (t) =>
    t.is(parse(`ClusterId = 1\n${lines}`).time, expected))

test('a torn ad is a record of its own, wherever it was torn after it named its job', (t) => {
  const torn = ad(1)
  for (let length = torn.indexOf('ProcId'); length < torn.length - 1; length++) {
    const start = torn.slice(0, length)
    t.deepEqual(texts(start + ad(2) + ad(3)), [start, ad(2), ad(3)], start)
    t.deepEqual(errors(start + ad(2) + ad(3)).slice(1), ['', ''])
  }
  // The longer job number does not begin with the shorter one's.
  t.deepEqual(texts(`MyType = "Job"\nClusterId = 12\n${ad(1)}`), ['MyType = "Job"\nClusterId = 12\n', ad(1)])
})

test('two ads that cannot be parted are one malformed record, and the next is not touched', (t) => {
  const torn = 'ClusterId = 7\nProcId = 0\n'
  t.deepEqual(texts(`A = 1\n${torn}${ad(2)}${ad(3)}`), [`A = 1\n${torn}${ad(2)}`, ad(3)])
  const [first] = framed(`A = 1\nClusterId = 7\nOwner = "x"\n${footer(2)}`)
  t.is(htcondor.parse(first?.raw as Buffer, {}).error, 'two-ads')
})

test('an attribute that comes again in an ad of one job does not part it', (t) => {
  const text = `ClusterId = 5\nAutoClusterId = 2\nClusterId = 5\nNote = "ClusterId = 9"\n${footer(5)}`
  t.deepEqual(texts(text), [text])
  t.is(parse(text).error, '')
})

test('what is no ad is a record by the line', (t) => {
  const text = `\nplain\nx = y = z\n${footer(1)}${ad(2)}`
  t.deepEqual(texts(`\nplain\n${footer(1)}${ad(2)}`), ['\n', 'plain\n', footer(1), ad(2)])
  t.deepEqual(errors(`\nplain\n${footer(1)}${ad(2)}`), ['empty', 'not-an-attribute', 'no-ad', ''])
  t.is(framed(text).length, 4)
})

test('settings of something else are no ad', (t) => {
  t.is(parse('host = "a"\nport = 5\n').error, 'no-footer')
  t.is(parse('MyType = "Job"\nOwn').error, 'not-an-attribute')
})

test('an ad without end is cut, and framing goes on at the next line', (t) => {
  const text = `${'A = 1\n'.repeat(20)}${ad(2)}`
  const records = frame(htcondor, Buffer.from(text), { offset: 0, recordBytesMax: 100, final: true })
  t.deepEqual(records[0]?.flags, ['cut'])
  t.is(records[0]?.end, 100)
  t.is(
    records.reduce((sum, { raw }) => sum + raw.length, 0),
    text.length,
  )
})

for (const { line, result } of expectedOf('apel-htcondor.json')) {
  test(`as APEL reads it: ${line.length} ${String(result?.['JobName'])}`, (t) => {
    if (result === null) return t.pass()
    const parsed = parse(`${line}\n`)
    const { fields, error } = parsed
    const job = htcondor.job?.(parsed, {}) as Job
    const factor = Number(fields['MachineAttrApelScaling0'] ?? 1)
    t.is(error, '')
    t.is(fields['GlobalJobId'], result['JobName'])
    t.is(job.user, result['LocalUserID'] as string)
    t.is(Math.trunc(Number(job.wall_s) * factor), result['WallDuration'] as number)
    t.is(Math.trunc((Number(job.cpu_user_s) + Number(job.cpu_system_s)) * factor), result['CpuDuration'] as number)
    t.is(job.start_time, Number(result['StartTime']) * 1000)
    t.is(job.end_time, Number(result['StopTime']) * 1000)
    t.is(job.memory_max_bytes, Number(result['MemoryReal']) * 1024)
    t.is(fields['ImageSize_RAW'], result['MemoryVirtual'])
    t.is(job.slots, result['Processors'] as number)
  })
}

test('a line of condor_history has 10 or 11 fields, all but the first two numbers', (t) => {
  t.is(parse('s#1.0#5|anna|1|2|3|4|5|6|7|8\n').fields['RequestCpus'], 8)
  t.deepEqual(texts(`s#1.0#5|anna|1|2|3|4|5|6|7|8|\n${ad(1)}`), ['s#1.0#5|anna|1|2|3|4|5|6|7|8|\n', ad(1)])
  t.is(parse('s#1.0#5|anna|1|2|x|4|5|6|7|8\n').error, 'not-a-number')
  t.is(parse('s#1.0#5|anna|1|2|4|5|6|7|8\n').error, 'not-an-attribute')
})

for (const kind of ['htcondor-history', 'htcondor-perjob']) {
  for (const { name, bytes } of samplesOf(kind)) {
    test(`every byte of ${name} is in an ad that is whole`, (t) => {
      const records = frame(htcondor, bytes, { offset: 0, recordBytesMax: 1e6, final: true })
      t.is(records.length, kind === 'htcondor-perjob' ? 1 : bytes.toString().split('\n*** ').length - 1)
      t.is(
        records.reduce((sum, { raw }) => sum + raw.length, 0),
        bytes.length,
      )
      for (const { raw } of records) {
        const parsed = htcondor.parse(raw, {})
        t.deepEqual([parsed.error, parsed.type], ['', 'Job'])
        t.truthy(htcondor.job?.(parsed, {})?.job_id)
      }
    })
  }
}
