/** Real records, where they are there: what a peer reads from them, what must be refused, and what was made for testing. */

import test from 'ava'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Parsed } from '../../src/formats/format.ts'
import { frame, parseFramed } from '../../src/formats/format.ts'
import { lsf } from '../../src/formats/lsf.ts'

const samples = fileURLToPath(new URL('../../../shared/samples/', import.meta.url))
const ifThere = existsSync(samples) ? test : test.skip

function parsed(bytes: Buffer): Parsed[] {
  const framed = frame(lsf, bytes, { offset: 0, recordBytesMax: 16 * 2 ** 20, final: true })
  return framed.map((one) => parseFramed(lsf, one, {}))
}

const parsedFile = (name: string): Parsed[] => parsed(readFileSync(`${samples}/${name}`))

interface Peer {
  line: string
  result?: Record<string, string | number | null> | null
}

ifThere('what APEL reads from a line is what stands in its fields and its row', (t) => {
  const cases = JSON.parse(readFileSync(`${samples}/expected/apel-lsf.json`, 'utf8')) as Peer[]
  let compared = 0
  for (const { line, result } of cases) {
    const [one, ...more] = parsed(Buffer.from(line))
    t.is(more.length, 0)
    if (one === undefined || !result || one.error !== '') {
      // Only what a wrapped line of its test has glued together is refused.
      t.true(!result || line.includes('0""'))
      continue
    }
    const { fields } = one
    const job = lsf.job?.(one, {})
    t.is(String(fields['jobId']), result['JobName'] as string)
    t.like(job, { user: result['LocalUserID'], queue: result['Queue'], wall_s: result['WallDuration'] })
    t.is(job?.start_time, Number(result['StartTime']) * 1000)
    t.is(job?.end_time, Number(result['StopTime']) * 1000)
    t.is(Math.round((job?.cpu_user_s ?? 0) + (job?.cpu_system_s ?? 0)), result['CpuDuration'] as number)
    t.is(fields['maxRMem'], result['MemoryReal'])
    t.is(fields['maxRSwap'], result['MemoryVirtual'])
    if (result['NodeCount'] !== 0) t.like(job, { nodes: result['NodeCount'], slots: result['Processors'] })
    compared++
  }
  t.true(compared >= 4)
})

for (const name of existsSync(samples) ? readdirSync(`${samples}/lsf`) : []) {
  ifThere(`every record of ${name} is a job, but for tokens that are glued`, (t) => {
    for (const one of parsedFile(`lsf/${name}`)) {
      if (one.error === '') t.truthy(lsf.job?.(one, {}))
      else t.is(one.error, 'glued-token')
      t.is(one.fields['extra'], undefined)
    }
  })
}

ifThere('every malformed line is a record with an error, alone and in its file', (t) => {
  const expected = JSON.parse(readFileSync(`${samples}/expected/lsf-malformed.json`, 'utf8')) as unknown[]
  const name = 'lsf-malformed/aws-malformed.txt'
  t.is(parsedFile(name).filter(({ error }) => error !== '').length, expected.length)
  for (const line of readFileSync(`${samples}/${name}`, 'latin1').split(/(?<=\n)/)) {
    const records = parsed(Buffer.from(line, 'latin1'))
    t.deepEqual(
      records.map(({ error }) => error !== ''),
      [true],
    )
  }
})

const edges: [name: string, expected: [type: string, error: string, jobId?: number][]][] = [
  ['big-record.txt', [['JOB_FINISH', '', 101]]],
  [
    'crlf-and-cr-in-name.txt',
    [
      ['JOB_FINISH', '', 101],
      ['JOB_FINISH', '', 102],
    ],
  ],
  ['double-blanks.txt', [['JOB_FINISH', '', 101]]],
  ['latin1-command.txt', [['JOB_FINISH', '', 101]]],
  [
    'lf-in-command.txt',
    [
      ['JOB_FINISH', '', 101],
      ['JOB_FINISH', '', 102],
    ],
  ],
  [
    'nul-hole.txt',
    [
      ['JOB_FINISH', '', 101],
      ['', 'no-head'],
      ['JOB_FINISH', '', 102],
    ],
  ],
  [
    'torn-at-eof.txt',
    [
      ['JOB_FINISH', '', 101],
      ['JOB_FINISH', 'ends-early'],
    ],
  ],
  [
    'torn-then-next.txt',
    [
      ['JOB_FINISH', 'unclosed-quote'],
      ['JOB_FINISH', '', 102],
      ['JOB_FINISH', '', 101],
    ],
  ],
  [
    'unknown-types.txt',
    [
      ['EVENT_ADRSV_FINISH', ''],
      ['JOB_RESIZE', ''],
      ['SOMETHING_NEW', ''],
      ['JOB_FINISH', '', 101],
    ],
  ],
  ['v10.11-extra-floats.txt', [['JOB_FINISH', '', 101]]],
  ['v2.2-volclava.txt', [['JOB_FINISH', '', 12]]],
]
for (const [name, expected] of edges) {
  ifThere(name, (t) => {
    t.deepEqual(
      parsedFile(`edge/${name}`).map(({ type, error, fields }) => [type, error, fields['jobId']]),
      expected.map(([type, error, jobId]) => [type, error, jobId]),
    )
  })
}

ifThere('a carriage return in a name is part of it, one before the newline is not', (t) => {
  t.is(parsedFile('edge/crlf-and-cr-in-name.txt')[0]?.fields['jobName'], 'na\rme')
})

ifThere('the three decimals of 10.11 are kept', (t) => {
  t.deepEqual(parsedFile('edge/v10.11-extra-floats.txt')[0]?.fields['extra'], [0.466667, 0.466667, 0])
})
