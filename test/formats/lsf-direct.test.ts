import { array, assert, constantFrom, double, integer, nat, oneof, property, string, tuple } from 'fast-check'
import test from 'ava'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Framed } from '../../src/formats/format.ts'
import { directOf, frame, jobOf, parseFramed } from '../../src/formats/format.ts'
import { lsf } from '../../src/formats/lsf.ts'
import { lsfLine } from '../support/lsf-lines.ts'
import { ends, lsfRecord } from '../support/lsf-records.ts'

const samples = fileURLToPath(new URL('../../../shared/samples/', import.meta.url))

const framed = (bytes: Buffer): Framed[] => frame(lsf, bytes, { offset: 0, recordBytesMax: 16 * 2 ** 20, final: true })

/** What is told directly, where it is, and what parsing tells. */
function both(text: string | Framed): { direct: unknown; parsed: unknown } | null {
  const one = typeof text === 'string' ? (framed(Buffer.from(text))[0] as Framed) : text
  const direct = directOf(lsf, one)
  if (direct === null) return null
  const parsed = parseFramed(lsf, one, {})
  const { type, timeS, fields, job } = direct
  return {
    direct: { type, time: timeS * 1000, json: Buffer.from(fields).toString(), flags: [], error: '', job },
    parsed: {
      type: parsed.type,
      time: Date.parse(parsed.time),
      json: JSON.stringify(parsed.fields),
      flags: parsed.flags,
      error: parsed.error,
      job: jobOf(lsf, parsed, {}),
    },
  }
}

test('what is told directly is to the byte what parsing tells, of most records', (t) => {
  let told = 0
  for (let job = 1; job <= 1000; job++) {
    const one = both(lsfLine(job))
    if (one === null) continue
    t.deepEqual(one.direct, one.parsed)
    told++
  }
  t.true(told > 990)
})

for (const end of ends) {
  test(`a record that ends after ${end} is told directly`, (t) => {
    const one = both(`${lsfRecord({}, end)}\n`)
    t.deepEqual(one?.direct, one?.parsed)
    t.truthy(one)
  })
}

const told: Record<string, Record<string, string>> = {
  'escaped quotes and backslashes': { command: '"say ""a\\b"" \\"', jobName: '""""' },
  'text beyond ASCII': { command: '"größe 日本 😀 \u2028"', cwd: '"/ü"' },
  'decimals with zeros': { ru_utime: '0.000000', ru_stime: '-12.500', ru_maxrss: '100.0', hostFactor: '0.000001' },
  'hosts of several slots': { execHosts: '4 "a" "a" "16*b" "a"', allocSlots: '2 "a" "b"' },
  'the same hosts twice': { execHosts: '3 "a" "a" "b"', allocSlots: '3 "a" "a" "b"' },
  'hosts without a name': { execHosts: '2 "" ""' },
  'blanks and tabs between tokens': { queue: '  "q"\t\t' },
}
for (const [what, change] of Object.entries(told)) {
  test(`${what} are told directly`, (t) => {
    const one = both(`${lsfRecord(change)}\n`)
    t.deepEqual(one?.direct, one?.parsed)
    t.truthy(one)
  })
}

const left: Record<string, Record<string, string>> = {
  'a control character in text': { command: '"a\tb"' },
  'a newline in text': { command: '"a\nb"' },
  'an integer beyond 15 digits': { submitTime: '1234567890123456' },
  'a leading zero': { uid: '0', userId: '007' },
  'a negative zero': { idx: '-0' },
  'a decimal that is written with an exponent': { ru_utime: '0.0000001' },
  'a decimal of many digits': { ru_utime: '0.1234567890123456' },
  'a decimal with a leading zero': { ru_utime: '00.5' },
  'a negative zero with a fraction': { ru_utime: '-0.0' },
  'a derivative': { version: '"30"' },
  'an array': { idx: '-1' },
  'a count that is not': { execHosts: '-1' },
  'another type': { eventType: '"JOB_START"' },
  'a field too many': { kvp: '0 1' },
  'a time in ms': { eventTime: '1700001000000' },
  'a glued token': { jobName: '"a"b' },
  'a string that is not': { jobName: 'a' },
}
for (const [what, change] of Object.entries(left)) {
  test(`${what} is left to parsing`, (t) => t.is(both(`${lsfRecord(change)}\n`), null))
}

test('bytes that are no text are left to parsing, and a record that was torn or cut', (t) => {
  const line = Buffer.from(`${lsfRecord({ command: '"~"' })}\n`)
  line[line.indexOf('~')] = 0xff
  t.is(directOf(lsf, framed(line)[0] as Framed), null)
  t.is(both(lsfRecord()), null)
})

test('any token anywhere is told alike, or left to parsing', (t) => {
  const tokens = lsfLine(7).match(/"(?:[^"]|"")*"|\S+/g) ?? []
  const token = oneof(
    constantFrom(
      '""',
      '0',
      '-1',
      '-',
      '1.',
      '.5',
      '0.0',
      '-0.50',
      '1e5',
      '12a',
      'node1',
      'a\\b',
      '"""',
      '"a""b"',
      '3 1 2',
      '00',
      '1.0.0',
    ),
    string({ maxLength: 12 }).map((text) => `"${text.replaceAll('"', '""')}"`),
    double({ noNaN: true }).map(String),
    integer().map(String),
  )
  const alike = property(array(tuple(nat(tokens.length), token), { maxLength: 3 }), (changes) => {
    const changed = [...tokens]
    for (const [at, text] of changes) changed[at] = text
    const one = both(`${changed.join(' ')}\n`)
    if (one !== null) t.deepEqual(one.direct, one.parsed)
  })
  assert(alike, { numRuns: 2000 })
})

test('more and more of them do not overwrite each other', (t) => {
  const lines = Array.from({ length: 2000 }, (_, job) => framed(Buffer.from(lsfLine(job + 1)))[0] as Framed)
  const told = lines.map((line) => directOf(lsf, line))
  for (const [index, line] of lines.entries())
    if (told[index]) t.is(Buffer.from(told[index].fields).toString(), JSON.stringify(parseFramed(lsf, line, {}).fields))
})

for (const name of existsSync(samples) ? readdirSync(`${samples}/lsf`) : []) {
  test(`records of ${name} are told alike`, (t) => {
    for (const one of framed(readFileSync(`${samples}/lsf/${name}`))) {
      const two = both(one)
      if (two !== null) t.deepEqual(two.direct, two.parsed)
    }
    t.pass()
  })
}
