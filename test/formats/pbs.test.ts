import test from 'ava'
import * as fc from 'fast-check'
import { compileFamilyRules, familyOf, isActive } from '../../src/core/family.ts'
import { pbs } from '../../src/formats/pbs.ts'
import { batchSamples, framedInPieces, framedWhole, isCovered } from '../support/batch-samples.ts'

const zone = { timezone: 'Europe/Zurich' }
const parse = (text: string | Buffer, context = zone) => pbs.parse(Buffer.from(text), context)
const head = '06/05/2006 10:30:34'

test('a record gives its head and every attribute under its own name, as text', (t) => {
  const line = `${head};E;18203.prod;user=dteam003 jobname=STDIN Resource_List.select=1:ncpus=2 end=1149496472 resources_used.cput=00:00:14 \n`
  t.deepEqual(parse(line), {
    type: 'E',
    time: '2006-06-05T08:30:34Z',
    local: { text: head, zone: 'Europe/Zurich', ambiguous: false },
    fields: {
      recordTime: head,
      recordType: 'E',
      id: '18203.prod',
      user: 'dteam003',
      jobname: 'STDIN',
      'Resource_List.select': '1:ncpus=2',
      end: '1149496472',
      'resources_used.cput': '00:00:14',
    },
    flags: [],
    error: '',
  })
})

const tails: [string, string, Record<string, unknown>][] = [
  ['a value in quotes may hold blanks', 'account="my = project" queue=a', { account: 'my = project', queue: 'a' }],
  ['the other quote may stand within', `a='say "yes"' b="it's"`, { a: 'say "yes"', b: "it's" }],
  ['a quote within a value ends none', 'a="x"y" b=1', { a: 'x"y', b: '1' }],
  ['an empty value', 'a= b="" c=1', { a: '', b: '', c: '1' }],
  ['jobname is never quoted', 'jobname="x queue=a', { jobname: '"x', queue: 'a' }],
  ['Torque quotes nothing', 'account=my own  project queue=a', { account: 'my own  project', queue: 'a' }],
  ['values hold semicolons', 'a=1;2;3 b=x;E;y', { a: '1;2;3', b: 'x;E;y' }],
  ['an altered attribute may be unset', 'Resource_List.walltime=UNSET', { 'Resource_List.walltime': 'UNSET' }],
  ['text without keys', 'floating license hour:3 day:3', { message: 'floating license hour:3 day:3' }],
  ['text before keys', 'Checkpointed and held: requestor=a@b', { message: 'Checkpointed and held:', requestor: 'a@b' }],
  ['a key that comes twice', 'a=1 b=2 a=3 more a=4', { a: ['1', '3 more', '4'], b: '2' }],
  ['names of the language are keys like any other', 'constructor=1 toString=2', { constructor: '1', toString: '2' }],
  ['what is no key goes on with the value', 'a=1 __proto__=2 1x=3', { a: '1 __proto__=2 1x=3' }],
  ['nothing', '', {}],
]
for (const [name, tail, expected] of tails) {
  test(`attributes: ${name}`, (t) => {
    const { fields, error } = parse(`${head};X;1.a;${tail}\n`)
    t.deepEqual(fields, { recordTime: head, recordType: 'X', id: '1.a', ...expected })
    t.is(error, '')
  })
}

test('any type is kept, and the id may be anything', (t) => {
  for (const type of ['Q', 's', 'e', 'L', 'u', '?', 'YY']) t.is(parse(`${head};${type};license;x\n`).type, type)
  t.is(parse(`${head};Y;R12[3].server;a=1\n`).fields['id'], 'R12[3].server')
  t.is(parse(`${head};L;;a=1\n`).error, '')
})

test('what grep puts before a line is left out', (t) => {
  const { type, fields } = parse(`20150327:${head};E;1.a;user=x\n`)
  t.deepEqual([type, fields['recordTime'], fields['user']], ['E', head, 'x'])
})

const broken: [string, string][] = [
  ['\n', 'empty'],
  ['   \n', 'empty'],
  ['plain text\n', 'no-head'],
  [`${head}\n`, 'no-head'],
  [`${head};E\n`, 'no-head'],
  [`${head};E;1.a\n`, 'no-head'],
  [`${head};;1.a;x=1\n`, 'no-head'],
  ['2006-06-05 10:30:34;E;1.a;x=1\n', 'no-head'],
  ['13/05/2006 10:30:34;E;1.a;x=1\n', 'bad-time'],
  ['06/31/2006 10:30:34;E;1.a;x=1\n', 'bad-time'],
  ['xx/31/2006 10:30:34;E;1.a;x=1\n', 'bad-time'],
  [`${head};E;1.a;account="my project queue=a\n`, 'quote-open'],
  [`${head};E;1.a;user=a que${head};Q;2.a;queue=b\n`, 'record-within'],
]
for (const [text, error] of broken) {
  test(`${JSON.stringify(text.slice(0, 60))} is malformed: ${error}`, (t) => {
    const parsed = parse(text)
    t.deepEqual([parsed.error, parsed.flags], [error, ['malformed']])
    t.is(pbs.job?.(parsed, zone), null)
  })
}

test('a malformed record keeps what could be read', (t) => {
  const { fields } = parse(`${head};E;1.a;user=x account="my project\n`)
  t.deepEqual([fields['id'], fields['user'], fields['account']], ['1.a', 'x', '"my project'])
})

test('the hour that comes twice is told apart from others, and the earlier is taken', (t) => {
  const parsed = parse('10/26/2025 02:30:00;Q;1.a;queue=x\n')
  t.is(parsed.time, '2025-10-26T00:30:00Z')
  t.deepEqual(parsed.local, { text: '10/26/2025 02:30:00', zone: 'Europe/Zurich', ambiguous: true })
})

test('without a zone only what is in seconds since 1970 gives a time', (t) => {
  const without = (type: string, tail: string) => pbs.parse(Buffer.from(`${head};${type};1.a;${tail}\n`), {})
  t.is(without('E', 'start=1149496237 end=1149496472').time, '2006-06-05T08:34:32Z')
  t.is(without('S', 'start=1149496237').time, '2006-06-05T08:30:37Z')
  t.is(without('Q', 'queue=a').time, '')
  t.is(without('E', 'end=never').time, '')
  t.is(without('E', 'end=1 end=2').time, '')
  t.false('local' in without('E', 'end=1149496472'))
})

test('bytes that are no UTF-8, and NUL, become U+FFFD, and the record is lossy', (t) => {
  const parsed = parse(Buffer.from(`${head};E;1.a;jobname=caf\xe9\0x user=b\n`, 'latin1'))
  t.is(parsed.fields['jobname'], 'caf\uFFFD\uFFFDx')
  t.deepEqual(parsed.flags, ['lossy'])
})

test('a day file is its own family, compressed or not, whatever is before its date', (t) => {
  const rules = compileFamilyRules({ rotation: pbs.rotation, oldDirectories: [] })
  const families = {
    '20060601': '20060601',
    '20060601.gz': '20060601',
    'accounting/20060601.xz': 'accounting/20060601',
    '20060601.1': '20060601',
    '20060601.old.gz': '20060601',
    'torque-20060601': 'torque-20060601',
    '2006-06-01': '2006-06-01',
    '2006.06.2006': '2006.06.2006',
  }
  for (const [path, family] of Object.entries(families)) t.is(familyOf(path, rules), family)
  t.true(isActive('20060601', rules) && isActive('torque-20060601', rules))
})

test('a line with many words takes time in proportion to its length', (t) => {
  for (const word of ['x ', 'a=" ', 'a="x ', 'a=\'"x ', '0=1 ', 'a=1 ', '; ']) {
    const parsed = parse(`${head};E;1.a;${word.repeat(400_000)}\n`)
    t.is(parsed.type, 'E')
  }
})

const samples = batchSamples('pbs')
const withSamples = samples.length > 0 ? test : test.skip

withSamples('every line of the real files is a record, none is malformed, each with the time of its head', (t) => {
  for (const { name, bytes } of samples) {
    const records = framedWhole(pbs, bytes)
    t.true(isCovered(records, bytes), name)
    for (const { raw } of records) {
      const parsed = pbs.parse(raw, { timezone: 'UTC' })
      const [, month, day, year, clock] = /(\d\d)\/(\d\d)\/(\d{4}) (\S{8});/.exec(raw.toString()) ?? []
      t.is(parsed.error, '', `${name}: ${raw.toString('utf8', 0, 60)}`)
      t.is(parsed.time, `${year}-${month}-${day}T${clock}Z`)
      t.is(parsed.fields['recordType'], parsed.type)
      const written = raw.toString().trimEnd().split(' ').length
      t.true(Object.keys(parsed.fields).length <= written + 3)
    }
  }
})

const parts = [
  `${head};`,
  'E;',
  'Q;',
  '1.a;',
  'a=1 ',
  'b="x y" ',
  'jobname="',
  "'",
  '"',
  '=',
  ' ',
  ';',
  '\n',
  '\r\n',
  '\0',
]
const inputs = fc
  .array(
    fc.oneof(
      fc.constantFrom(...parts).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 4 }),
    ),
    {
      maxLength: 60,
    },
  )
  .map((all) => Buffer.concat(all))

test('any bytes, cut anywhere, give the same records; they cover the input, and each can be parsed', async (t) => {
  await fc.assert(
    fc.asyncProperty(inputs, fc.array(fc.nat(500), { maxLength: 8 }), async (bytes, cuts) => {
      const whole = framedWhole(pbs, bytes)
      t.true(isCovered(whole, bytes))
      t.deepEqual(await framedInPieces(pbs, bytes, cuts), whole)
      for (const { raw } of whole) {
        for (const context of [zone, {}]) {
          const parsed = pbs.parse(raw, context)
          t.is(parsed.flags.includes('malformed'), parsed.error !== '')
          t.false(JSON.stringify(parsed.fields).includes('\\u0000'))
          pbs.job?.(parsed, context)
        }
      }
    }),
    { numRuns: 300 },
  )
})
