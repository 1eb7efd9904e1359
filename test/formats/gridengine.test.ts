import test from 'ava'
import { frame } from '../../src/formats/format.ts'
import { gridengine } from '../../src/formats/gridengine.ts'
import type { Job } from '../../src/formats/job.ts'
import { expectedOf, samplesOf } from '../support/samples.ts'

const parse = (text: string | Buffer) => gridengine.parse(Buffer.from(text), {})
const jobOf = (text: string): Job | null | undefined => gridengine.job?.(parse(text), {})

/** A record of Grid Engine 6.2, with what is given in place of its fields, by number from 1. */
function record(fields: Record<number, string | number> = {}): string {
  const all = 'all.q:node1:staff:anna:run.sh:77:sge:0:1000:1100:1200:0:0:100:90:5:1:0:0:0:0:2:3:0:4:5:0:0:0:6:7'
  const parts = `${all}:chem:dep:mpi:8:3:95.5:1.5:0.5:-l h_rt=3600:0.25:NONE:4096:0:0`.split(':')
  for (const [number, value] of Object.entries(fields)) parts[Number(number) - 1] = String(value)
  return `${parts.join(':')}\n`
}

test('fields have their names, numbers are numbers', (t) => {
  const { type, time, fields, error, flags } = parse(record())
  t.deepEqual([type, time, error, flags], ['accounting', '1970-01-01T00:20:00Z', '', []])
  t.like(fields, {
    qname: 'all.q',
    hostname: 'node1',
    group: 'staff',
    owner: 'anna',
    job_name: 'run.sh',
    job_number: 77,
  })
  t.like(fields, { account: 'sge', priority: 0, submission_time: 1000, start_time: 1100, end_time: 1200, failed: 0 })
  t.like(fields, {
    exit_status: 0,
    ru_wallclock: 100,
    ru_utime: 90,
    ru_stime: 5,
    ru_maxrss: 1,
    ru_minflt: 2,
    ru_majflt: 3,
  })
  t.like(fields, { ru_inblock: 4, ru_oublock: 5, ru_nvcsw: 6, ru_nivcsw: 7, project: 'chem', department: 'dep' })
  t.like(fields, {
    granted_pe: 'mpi',
    slots: 8,
    task_number: 3,
    cpu: 95.5,
    mem: 1.5,
    io: 0.5,
    category: '-l h_rt=3600',
  })
  t.like(fields, { iow: 0.25, pe_taskid: 'NONE', maxvmem: 4096, arid: 0, ar_submission_time: 0 })
  t.is(Object.keys(fields).length, 45)
})

const categories: [string, string][] = [
  ['-l h_rt=24:00:00', 'NONE'],
  ['-l h_rt=24:00:00,s_rt=1:2:3 -q a', '1.node001'],
  ['', 'NONE'],
  ['NONE', 'NONE'],
  ['1:2:3', '12.n'],
  [':', 'NONE'],
]
for (const [category, task] of categories) {
  test(`category ${JSON.stringify(category)} before task ${task}`, (t) => {
    const { fields, error } = parse(record({ 40: category, 42: task }))
    t.is(error, '')
    t.like(fields, { category, iow: 0.25, pe_taskid: task, maxvmem: 4096, arid: 0 })
  })
}

test('43 fields are enough; what follows the 45th is kept as a list', (t) => {
  const old = parse(record().split(':').slice(0, 43).join(':'))
  t.is(old.error, '')
  t.is(Object.keys(old.fields).length, 43)
  const univa = parse(`${record().trimEnd()}:NONE:NONE:12:qsub a:b\n`)
  t.deepEqual(univa.fields['extra'], ['NONE', 'NONE', '12', 'qsub a', 'b'])
  const odd = parse(`${record({ 44: 'x' }).trimEnd()}\n`)
  t.deepEqual([odd.fields['arid'], odd.fields['extra']], [undefined, ['x', '0']])
})

test('lines at the head of a file are comments, not malformed', (t) => {
  const { type, fields, error, flags } = parse('# Version: 6.0u9\n')
  t.deepEqual([type, fields, error, flags], ['comment', { comment: '# Version: 6.0u9' }, '', []])
  t.is(gridengine.job?.(parse('#\n'), {}), null)
})

const malformed: [string, string, string][] = [
  ['an empty line', '\n', 'empty'],
  ['text', 'hello\n', 'too-few-fields'],
  ['a record cut short', record().split(':').slice(0, 42).join(':'), 'too-few-fields'],
  ['a time that is none', record({ 11: 'soon' }), 'not-a-number'],
  ['no end of the category', record({ 42: 'x' }), 'no-category-end'],
  ['a record torn among its numbers, and the next on its line', record().slice(0, 60) + record(), 'not-a-number'],
  ['a record torn in its category, and the next on its line', record().slice(0, -20) + record(), 'no-category-end'],
]
for (const [title, text, error] of malformed) {
  test(`malformed: ${title}`, (t) => {
    t.deepEqual(parse(text), { type: '', time: '', fields: {}, flags: ['malformed'], error })
    t.is(jobOf(text), null)
  })
}

test('bytes that are no UTF-8 are kept as they can be', (t) => {
  const raw = Buffer.from(record({ 5: 'caf\xe9' }), 'latin1')
  t.like(parse(raw), { flags: ['lossy'], error: '' })
})

test('a finished job', (t) => {
  t.like(jobOf(record()), {
    job_id: '77',
    array_index: '3',
    step: null,
    elements: 1,
    user: 'anna',
    account: 'sge',
    project: 'chem',
    queue: 'all.q',
    job_name: 'run.sh',
    submit_time: 1_000_000,
    start_time: 1_100_000,
    end_time: 1_200_000,
    wait_s: 100,
    wall_s: 100,
    cpu_user_s: 90.5,
    cpu_system_s: 5,
    slots: 8,
    exec_hosts: ['node1'],
    memory_max_bytes: 4096,
    state: 'completed',
    exit_code: 0,
    signal: null,
    exit_reason: null,
  })
})

const states: [Record<number, string | number>, Partial<Job>][] = [
  [{ 13: 1 }, { state: 'failed', exit_code: 1, signal: null }],
  [
    { 12: 100, 13: 137 },
    { state: 'failed', exit_code: 137, signal: 9, exit_reason: 'failed 100' },
  ],
  [{ 12: 25 }, { state: 'requeued' }],
  [
    { 12: 37, 13: 137 },
    { state: 'timeout', signal: 9 },
  ],
  [
    { 12: 26, 10: 0, 11: 0 },
    { state: 'failed', start_time: null, end_time: null, wait_s: null, wall_s: null, exec_hosts: null },
  ],
  [{ 36: 0 }, { array_index: null, elements: 1 }],
  [
    { 42: '1.node2', 9: 0 },
    { step: '1.node2', elements: null, submit_time: null, wait_s: null },
  ],
  [
    { 32: 'NONE', 43: 0 },
    { project: null, memory_max_bytes: null },
  ],
  [{ 37: 0 }, { cpu_user_s: 90, cpu_system_s: 5 }],
  [
    { 9: 1_412_932_860_657, 10: 1_412_932_865_141 },
    { submit_time: 1_412_932_860_657, wait_s: 4.484 },
  ],
]
for (const [fields, expected] of states)
  test(`a job where ${JSON.stringify(fields)}`, (t) => t.like(jobOf(record(fields)), expected))

test('a record of a job that never started has the time of its submission', (t) => {
  t.is(parse(record({ 10: 0, 11: 0 })).time, '1970-01-01T00:16:40Z')
  t.is(parse(record({ 9: 0, 10: 0, 11: 0 })).time, '')
  t.is(parse(record({ 11: 1_412_933_085_629 })).time, '2014-10-10T09:24:45.629Z')
})

test('Univa says where a job was submitted, and who deleted it', (t) => {
  const univa = (deleted: string): string => `${record().trimEnd()}:NONE:${deleted}:124:115:login1:NONE:qsub a\n`
  t.like(jobOf(univa('NONE')), { submit_host: 'login1', state: 'completed' })
  t.like(jobOf(univa('root@adm')), { submit_host: 'login1', state: 'cancelled', exit_reason: 'root@adm' })
})

for (const { line, result } of expectedOf('apel-sge.json')) {
  test(`as APEL reads it: ${JSON.stringify(result)} ${line.length}`, (t) => {
    if (result === null) return t.pass()
    const { fields } = parse(`${line}\n`)
    const job = jobOf(`${line}\n`) as Job
    const scale = Number(result['WallDuration']) > 2 * Number(job.wall_s) - 1 ? 2 : 1
    t.is(job.job_id, result['JobName'] as string)
    t.is(job.user, result['LocalUserID'] as string)
    t.is(fields['group'], result['LocalUserGroup'])
    t.is(Math.round(Number(job.wall_s)) * scale, result['WallDuration'] as number)
    const cpu = Number(job.cpu_user_s) + Number(job.cpu_system_s)
    t.true(Math.abs(cpu * scale - Number(result['CpuDuration'])) <= 1)
    t.is(Math.round(Number(job.start_time) / 1000), result['StartTime'] as number)
    t.is(Math.round(Number(job.end_time) / 1000), result['StopTime'] as number)
    t.is(Math.trunc(Number(fields['mem']) * 1024 * 1024), result['MemoryReal'] as number)
    t.is(job.memory_max_bytes, result['MemoryVirtual'] as number)
    if (result['Processors'] !== 0) t.is(job.slots, result['Processors'] as number)
  })
}

for (const { name, bytes } of samplesOf('gridengine')) {
  test(`every line of ${name} is a comment or a job`, (t) => {
    for (const { raw } of frame(gridengine, bytes, { offset: 0, recordBytesMax: 1e6, final: true })) {
      const parsed = gridengine.parse(raw, {})
      t.is(parsed.error, '')
      t.is(gridengine.job?.(parsed, {}) === null, raw.toString().startsWith('#'))
    }
  })
}
