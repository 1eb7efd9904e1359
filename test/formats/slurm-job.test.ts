import test from 'ava'
import type { JobState } from '../../src/formats/job.ts'
import { noJob } from '../../src/formats/job.ts'
import { slurm } from '../../src/formats/slurm.ts'
import { expectedByApel } from '../support/batch-samples.ts'

const base = {
  JobID: '123',
  Submit: '2026-01-05T10:00:00',
  Start: '2026-01-05T10:01:00',
  End: '2026-01-05T11:01:00',
  State: 'COMPLETED',
}
const job = (cells: Record<string, string>, timezone: string | null = 'Europe/Zurich') => {
  const all: Record<string, string> = { ...base, ...cells }
  const context = { columns: Object.keys(all), ...(timezone === null ? {} : { timezone }) }
  const parsed = slurm.parse(Buffer.from(`${Object.values(all).join('|')}\n`), context)
  return slurm.job?.(parsed, context) ?? null
}
const at = (clock: string) => Date.parse(`2026-01-05T${clock}Z`)

test('a finished job', (t) => {
  const row = job({
    JobID: '123_4',
    User: 'ann',
    UID: '1005',
    Group: 'staff',
    Account: 'acc',
    Cluster: 'c1',
    Partition: 'main',
    WCKey: 'wk',
    JobName: 'run',
    SubmitLine: 'sbatch x.sh',
    ElapsedRaw: '3600',
    UserCPU: '01:05.500',
    SystemCPU: '00:00:10',
    AllocCPUS: '8',
    AllocNodes: '2',
    AllocTRES: 'billing=8,cpu=8,gres/gpu=2,gres/gpu:a100=2,node=2',
    ReqMem: '4000Mc',
    MaxRSS: '438.50M',
    NodeList: 'n[01-02]',
    ExitCode: '3:0',
    State: 'FAILED',
    Reason: 'NonZeroExitCode',
  })
  t.deepEqual(row, {
    ...noJob,
    cluster: 'c1',
    job_id: '123',
    array_index: '4',
    elements: 1,
    user: 'ann',
    uid: 1005,
    job_group: 'staff',
    account: 'acc',
    project: 'wk',
    queue: 'main',
    job_name: 'run',
    command: 'sbatch x.sh',
    submit_time: at('09:00:00'),
    start_time: at('09:01:00'),
    end_time: at('10:01:00'),
    wait_s: 60,
    wall_s: 3600,
    cpu_user_s: 65.5,
    cpu_system_s: 10,
    slots: 8,
    nodes: 2,
    gpus: 2,
    exec_hosts: ['n01', 'n02'],
    memory_max_bytes: 459_800_576,
    memory_requested_bytes: 8 * 4000 * 1024 ** 2,
    state: 'failed',
    state_raw: 'FAILED',
    exit_reason: 'NonZeroExitCode',
    exit_code: 3,
  })
})

test('steps give no row: their job has its own line', (t) => {
  for (const JobID of ['123.batch', '123.extern', '123.0', '123_4.batch']) t.is(job({ JobID }), null)
})

const states: [string, JobState | null][] = [
  ['COMPLETED', 'completed'],
  ['FAILED', 'failed'],
  ['OUT_OF_MEMORY', 'failed'],
  ['CANCELLED by 1234', 'cancelled'],
  ['CANCELLED+', 'cancelled'],
  ['TIMEOUT', 'timeout'],
  ['DEADLINE', 'timeout'],
  ['NODE_FAIL', 'node_fail'],
  ['BOOT_FAIL', 'node_fail'],
  ['PREEMPTED', 'requeued'],
  ['REQUEUED', 'requeued'],
  ['FOO', 'unknown'],
  ['PENDING', null],
  ['RUNNING', null],
  ['SUSPENDED', null],
  ['COMPLETING', null],
  ['RESIZING', null],
]
for (const [State, state] of states) {
  test(`${State} is ${state ?? 'not finished'}`, (t) => {
    const row = job({ State })
    t.is(row?.state ?? null, state)
    if (row) t.is(row.state_raw, State)
  })
}

test('a state that is not known counts once the job has an end', (t) => {
  t.is(job({ State: 'FOO', End: 'Unknown' }), null)
})

const ids: [string, unknown[]][] = [
  ['123_[1-3,5%2]', ['123', null, '1-3,5%2', 4]],
  ['123_7', ['123', '7', null, 1]],
  ['123+1', ['123+1', null, null, 1]],
]
for (const [JobID, expected] of ids) {
  test(`the id ${JobID}`, (t) => {
    const row = job({ JobID }) ?? noJob
    t.deepEqual([row.job_id, row.array_index, row.array_range, row.elements], expected)
  })
}

const memory: [string, number | null][] = [
  ['4000Mc', 8 * 4000],
  ['4000Mn', 2 * 4000],
  ['4000M', 4000],
  ['0n', null],
  ['100Mcd', null],
  ['', 5000],
]
for (const [ReqMem, mebibytes] of memory) {
  test(`requested ${ReqMem}`, (t) => {
    const row = job({ ReqMem, NCPUS: '8', NNodes: '2', ReqTRES: ReqMem === '' ? 'cpu=8,mem=5000M' : '' })
    t.is(row?.memory_requested_bytes, mebibytes === null ? null : mebibytes * 1024 ** 2)
  })
}

const gpus: [Record<string, string>, number | null][] = [
  [{ AllocTRES: 'cpu=4,gres/gpu=2' }, 2],
  [{ AllocTRES: 'cpu=4,gres/gpu:a100=2,gres/gpu:h100=1' }, 3],
  [{ AllocTRES: 'cpu=4' }, 0],
  [{ AllocTRES: '' }, null],
  [{ AllocGRES: 'gpu:tesla:3' }, 3],
  [{ AllocGRES: 'craynetwork:1' }, null],
]
for (const [cells, count] of gpus) test(`gpus of ${JSON.stringify(cells)}`, (t) => t.is(job(cells)?.gpus, count))

const exits: [string, unknown[]][] = [
  ['0:0', [0, null]],
  ['2:0', [2, null]],
  ['0:9', [null, 9]],
  ['1:15', [1, 15]],
  ['x', [null, null]],
]
for (const [ExitCode, expected] of exits)
  test(`exit ${ExitCode}`, (t) => t.deepEqual([job({ ExitCode })?.exit_code, job({ ExitCode })?.signal], expected))

test('a job that was cancelled before it had nodes never started', (t) => {
  const never = { State: 'CANCELLED by 0', Start: base.End }
  t.like(job({ ...never, NodeList: 'None assigned' }), { start_time: null, wait_s: null, exec_hosts: null })
  t.is(job({ ...never, NodeList: 'n1' })?.start_time, at('10:01:00'))
  t.is(job({ Start: 'None' })?.start_time, null)
})

test('user and system time together, where sacct was asked for no more', (t) => {
  t.like(job({ TotalCPU: '02:10.584' }), { cpu_user_s: 130.584, cpu_system_s: null })
})

test('without a zone there are no times, but the rest of the job', (t) => {
  t.like(job({ Elapsed: '01:00:00' }, null), { start_time: null, wait_s: null, wall_s: 3600, state: 'completed' })
})

test('a forged list of hosts is left as it is', (t) => {
  t.deepEqual(job({ NodeList: 'n[1-999999999]' })?.exec_hosts, ['n[1-999999999]'])
})

const filetxt = (tail: string) =>
  'JobId=12 UserId=ann(1005) GroupId=staff(50) Name=my run JobState=TIMEOUT Partition=main TimeLimit=60 ' +
  'StartTime=2026-01-05T10:01:00 EndTime=2026-01-05T11:01:00 NodeList=n[1-2] NodeCnt=2 ProcCnt=8 WorkDir=/w ' +
  `ReservationName= Tres=cpu=8,mem=4G,gres/gpu=2 Account=acc QOS=q WcKey=wk Cluster=c1 ` +
  `SubmitTime=2026-01-05T10:00:00 EligibleTime=2026-01-05T10:00:00 ${tail}DerivedExitCode=0:0 ExitCode=0:15 \n`
const fromFiletxt = (tail: string) => {
  const context = { timezone: 'Europe/Zurich' }
  return slurm.job?.(slurm.parse(Buffer.from(filetxt(tail)), context), context) ?? null
}

test('jobcomp/filetxt gives the same rows', (t) => {
  t.deepEqual(fromFiletxt(''), {
    ...noJob,
    cluster: 'c1',
    job_id: '12',
    elements: 1,
    user: 'ann',
    uid: 1005,
    job_group: 'staff',
    account: 'acc',
    project: 'wk',
    queue: 'main',
    job_name: 'my run',
    submit_time: at('09:00:00'),
    start_time: at('09:01:00'),
    end_time: at('10:01:00'),
    wait_s: 60,
    wall_s: 3600,
    slots: 8,
    nodes: 2,
    gpus: 2,
    exec_hosts: ['n1', 'n2'],
    memory_requested_bytes: 4 * 1024 ** 3,
    state: 'timeout',
    state_raw: 'TIMEOUT',
    signal: 15,
  })
  t.like(fromFiletxt('ArrayJobId=10 ArrayTaskId=2 '), { job_id: '10', array_index: '2', elements: 1 })
  t.like(fromFiletxt('HetJobId=10 HetJobOffset=1 '), { job_id: '10+1', array_index: null, elements: 1 })
})

const expected = expectedByApel('apel-slurm.json')
const withSamples = expected.length > 0 ? test : test.skip

withSamples('jobs are what another accounting tool makes of the same lines', (t) => {
  let compared = 0
  const context = { timezone: 'UTC' }
  for (const { line, result } of expected) {
    const asJob = line.replace('.batch|', '|')
    const row = slurm.job?.(slurm.parse(Buffer.from(asJob), context), context) ?? null
    if (result === null || result === undefined || row === null) continue
    compared++
    t.is(asJob.split('|')[0], row.job_id ?? '')
    t.like(row, {
      user: result.LocalUserID,
      job_group: result.LocalUserGroup,
      wall_s: result.WallDuration,
      start_time: result.StartTime * 1000,
      end_time: result.StopTime * 1000,
      slots: result.Processors,
      nodes: result.NodeCount,
    })
    t.is(Math.round(row.cpu_user_s ?? -1), result.CpuDuration)
    if (result.MemoryReal) t.is(Math.floor((row.memory_max_bytes ?? 0) / 1024), result.MemoryReal)
  }
  t.true(compared > 10)
})
