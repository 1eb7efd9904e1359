import test from 'ava'
import type { Job } from '../../src/formats/job.ts'
import { lsf } from '../../src/formats/lsf.ts'
import { lsfRecord, parseLsf } from '../support/lsf-records.ts'

function jobOf(change: Record<string, string> = {}, end = 'kvp'): Job {
  const job = lsf.job?.(parseLsf(`${lsfRecord(change, end)}\n`), {})
  if (!job) throw new Error('no job')
  return job
}

test('a job that ran is a row', (t) => {
  t.deepEqual(jobOf({ resReq: '"rusage[mem=4GB] span[hosts=1]"' }), {
    cluster: null,
    job_id: '101',
    array_index: null,
    array_range: null,
    step: null,
    user: 'anna',
    account: null,
    project: 'default',
    job_group: '/grp',
    queue: 'normal',
    job_name: 'case',
    command: 'sleep 3',
    submit_host: 'login1',
    uid: 1501,
    submit_time: 1_700_000_000_000,
    start_time: 1_700_000_100_000,
    end_time: 1_700_001_000_000,
    logged_time: 1_700_001_000_000,
    wait_s: 100,
    wall_s: 900,
    cpu_user_s: 12.5,
    cpu_system_s: 0.25,
    slots: 1,
    nodes: 1,
    gpus: null,
    elements: 1,
    exec_hosts: ['node1'],
    memory_max_bytes: 2_097_152,
    memory_requested_bytes: 4 * 2 ** 30,
    state: 'completed',
    state_raw: '64',
    exit_reason: null,
    exit_code: 0,
    signal: null,
  })
})

test('a job that never started has no start, no usage, no host and no exit code', (t) => {
  const never = {
    startTime: '0',
    execHosts: '0',
    jStatus: '32',
    exitInfo: '14',
    ru_utime: '-1.000000',
    ru_stime: '-1',
    ru_maxrss: '-1',
    maxRMem: '0',
    allocSlots: '0',
    jobName: '""',
  }
  t.like(jobOf(never), {
    start_time: null,
    end_time: 1_700_001_000_000,
    wait_s: null,
    wall_s: null,
    cpu_user_s: null,
    cpu_system_s: null,
    slots: null,
    nodes: null,
    exec_hosts: null,
    memory_max_bytes: null,
    state: 'cancelled',
    exit_reason: 'TERM_OWNER',
    exit_code: null,
    job_name: null,
  })
})

test('an element has its index; a range that was killed while pending counts its elements', (t) => {
  t.like(jobOf({ idx: '3' }), { array_index: '3', array_range: null, elements: 1 })
  t.like(jobOf({ idx: '-1', indexRange: '1 678 1000 1' }), {
    array_index: null,
    array_range: '678-1000',
    elements: 323,
  })
  t.like(jobOf({ idx: '-1', indexRange: '2 1 9 2 20 20 1' }), { array_range: '1-9:2,20-20', elements: 6 })
  t.like(jobOf({ idx: '-1', indexRange: '0' }), { array_index: null, array_range: null, elements: null })
  t.like(jobOf({ idx: '-1', indexRange: '1 9 1 1' }), { elements: null })
})

test('slots are those allocated, else those of the hosts, else those asked for', (t) => {
  const hosts = { execHosts: '3 "16*h1" "16*h2" "8*h1"' }
  t.like(jobOf({ ...hosts, allocSlots: '2 "16*h1" "h3"' }), { slots: 17, nodes: 2, exec_hosts: ['h1', 'h2'] })
  t.like(jobOf(hosts, 'commandSpool'), { slots: 40, nodes: 2 })
  t.like(jobOf({ execHosts: '3 "h1" "h1" "h2@other"' }, 'commandSpool'), { slots: 3, exec_hosts: ['h1', 'h2@other'] })
  t.like(jobOf({ execHosts: '0', numProcessors: '4' }, 'commandSpool'), { slots: 4, nodes: null })
})

test('memory is of the job where it was measured, else of its largest process', (t) => {
  t.is(jobOf({ maxRMem: '0' }).memory_max_bytes, 3756 * 1024)
  t.is(jobOf({ maxRMem: '0', ru_maxrss: '0' }).memory_max_bytes, null)
})

const requests: [resReq: string, slots: string, bytes: number | null][] = [
  ['rusage[mem=4915]', '1', null],
  ['rusage[mem=512M]', '1', 512 * 2 ** 20],
  ['select[x] rusage[tmp=1:mem=1.5T:duration=1m]', '1', 1.5 * 2 ** 40],
  ['rusage[mem=4GB]', '2', null],
  ['rusage[mem=4GB] rusage[mem=2GB]', '1', null],
  ['rusage[mem=4GB] select[mem=1]', '1', null],
  ['select[mem=4GB]', '1', null],
]
for (const [resReq, slots, bytes] of requests)
  test(`${resReq} for ${slots} slots is ${bytes ?? 'unknown'}`, (t) =>
    t.is(jobOf({ resReq: `"${resReq}"`, numProcessors: slots }).memory_requested_bytes, bytes))

const endings: [jStatus: number, exitInfo: number, state: string, reason: string | null][] = [
  [64, 0, 'completed', null],
  [192, 0, 'completed', null],
  [32, 0, 'failed', null],
  [32, 5, 'timeout', 'TERM_RUNLIMIT'],
  [32, 12, 'timeout', 'TERM_CPULIMIT'],
  [32, 8, 'cancelled', 'TERM_FORCE_OWNER'],
  [32, 15, 'cancelled', 'TERM_ADMIN'],
  [32, 10, 'requeued', 'TERM_REQUEUE_OWNER'],
  [32, 16, 'failed', 'TERM_MEMLIMIT'],
  [32, 22, 'node_fail', 'TERM_SLURM'],
  [32, 99, 'failed', '99'],
  [4, 0, 'unknown', null],
]
for (const [jStatus, exitInfo, state, reason] of endings)
  test(`status ${jStatus} with reason ${exitInfo} is ${state}`, (t) =>
    t.like(jobOf({ jStatus: String(jStatus), exitInfo: String(exitInfo) }), {
      state,
      state_raw: String(jStatus),
      exit_reason: reason,
    }))

const statuses: [status: string, code: number | null, signal: number | null][] = [
  ['0', 0, null],
  ['32512', 127, null],
  ['9', null, 9],
  ['139', null, 11],
  ['-1', null, null],
  ['99999999', null, null],
]
for (const [status, code, signal] of statuses)
  test(`wait status ${status} is code ${code}, signal ${signal}`, (t) =>
    t.like(jobOf({ exitStatus: status }), { exit_code: code, signal }))

test('what no column holds is not known', (t) => {
  const huge = '9000000000000000'
  const job = jobOf({
    eventTime: huge,
    maxRMem: huge,
    execHosts: '3 "999999999*a" "999999999*b" "999999999*c"',
    allocSlots: '0',
  })
  t.like(job, { end_time: null, memory_max_bytes: null, slots: null, nodes: 3 })
  t.is(jobOf({ idx: '-1', indexRange: `1 1 ${huge} 1` }).elements, null)
  t.is(jobOf({ maxRMem: '0', ru_maxrss: '1.0001' }).memory_max_bytes, 1024)
})

test('a clock that went back gives no duration', (t) => {
  t.like(jobOf({ startTime: '1699999999' }), { wait_s: null, wall_s: 1001 })
})

test('nothing but a whole JOB_FINISH is a job', (t) => {
  for (const text of ['"JOB_RESIZE" "10.1" 1 2', lsfRecord({ jobId: 'x' }), '# x', ''])
    t.is(lsf.job?.(parseLsf(`${text}\n`), {}), null)
})
