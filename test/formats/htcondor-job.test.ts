import test from 'ava'
import { htcondor } from '../../src/formats/htcondor.ts'
import type { Job } from '../../src/formats/job.ts'

const whole = '*** Offset = 0 ClusterId = 7 ProcId = 3 Owner = "anna" CompletionDate = 2000 CurrentTime = 2001\n'
const jobOf = (text: string): Job | null | undefined => htcondor.job?.(htcondor.parse(Buffer.from(text), {}), {})
const footed = (...lines: string[]): Job | null | undefined => jobOf(`${lines.join('\n')}\n${whole}`)

test('a finished job', (t) => {
  const job = footed(
    'GlobalJobId = "schedd1@sub.example.org#7.3#1000"',
    'AcctGroup = "group_a.anna"',
    'ProjectName = "Higgs"',
    'JobBatchName = "fit"',
    'Cmd = "/bin/fit"',
    'Arguments = "-n 5"',
    'QDate = 1000',
    'JobStartDate = 1100',
    'JobCurrentStartDate = 1500',
    'RemoteWallClockTime = 450.0',
    'RemoteUserCpu = 300.5',
    'RemoteSysCpu = 2',
    'RequestCpus = 4',
    'CpusProvisioned = 8',
    'RequestGPUs = 1',
    'ResidentSetSize = 2000',
    'ResidentSetSize_RAW = 1999',
    'RequestMemory = 2048',
    'LastRemoteHost = "slot1@2@node5.example.org"',
    'JobStatus = 4',
    'ExitBySignal = false',
    'ExitCode = 0',
  )
  t.like(job, {
    cluster: 'schedd1@sub.example.org',
    submit_host: 'sub.example.org',
    job_id: '7',
    array_index: '3',
    elements: 1,
    user: 'anna',
    account: 'group_a.anna',
    project: 'Higgs',
    job_name: 'fit',
    command: '/bin/fit -n 5',
    submit_time: 1_000_000,
    start_time: 1_100_000,
    end_time: 2_000_000,
    logged_time: 2_001_000,
    wait_s: 100,
    wall_s: 450,
    cpu_user_s: 300.5,
    cpu_system_s: 2,
    slots: 8,
    gpus: 1,
    exec_hosts: ['node5.example.org'],
    memory_max_bytes: 1999 * 1024,
    memory_requested_bytes: 2048 * 1024 * 1024,
    state: 'completed',
    state_raw: '4',
    exit_code: 0,
    signal: null,
  })
})

const states: [string[], Partial<Job>][] = [
  [['JobStatus = 4', 'ExitCode = 3'], { state: 'failed', exit_code: 3, signal: null }],
  [['JobStatus = 4', 'ExitBySignal = true', 'ExitSignal = 9'], { state: 'failed', exit_code: null, signal: 9 }],
  [['JobStatus = 3', 'RemoveReason = "by anna"'], { state: 'cancelled', exit_reason: 'by anna' }],
  [['JobStatus = 5'], { state: 'unknown', state_raw: '5' }],
  [['A = 1'], { state: 'unknown', state_raw: null, job_id: '7', array_index: '3', cluster: null }],
  [
    ['RequestMemory = ImageSize / 1024', 'MemoryUsage = 3'],
    { memory_requested_bytes: null, memory_max_bytes: 3 * 2 ** 20 },
  ],
  [['JobStartDate = 0', 'QDate = 5'], { start_time: null, wait_s: null, submit_time: 5000 }],
  [['CompletionDate = 0', 'EnteredCurrentStatus = 9'], { end_time: 9000 }],
]
for (const [lines, expected] of states)
  test(`a job where ${lines.join(', ')}`, (t) => t.like(footed(...lines), expected))

test('an ad without a footer tells of a job if it has its state', (t) => {
  t.like(jobOf('ClusterId = 1\nProcId = 0\nJobStatus = 4\n'), { job_id: '1', state: 'completed' })
  t.is(jobOf('ClusterId = 1\nProcId = 0\n'), null)
})

test('what is malformed, or another kind of ad, tells of no job', (t) => {
  t.is(jobOf('plain\n'), null)
  t.is(jobOf('ClusterId = 1\nJobStatus = 4\nplain\n'), null)
  t.is(jobOf('JobStatus = 4\n*** EPOCH ClusterId=3 ProcId=7 RunInstanceId=0 Owner="n" CurrentTime=13\n'), null)
  t.is(jobOf('MyType = "Machine"\nClusterId = 1\nJobStatus = 4\n'), null)
})

test('an id of another form is kept as it is', (t) => {
  t.like(jobOf('ce.ac.uk#7|anna|1|2|3|4|5|6|7|8\n'), {
    cluster: null,
    job_id: 'ce.ac.uk#7',
    array_index: null,
    elements: 1,
  })
  t.like(jobOf('ce#2.5|anna|1|2|3|4|5|6|7|8\n'), { cluster: 'ce', job_id: '2', array_index: '5' })
})
