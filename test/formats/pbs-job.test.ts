import test from 'ava'
import type { ParseContext } from '../../src/formats/format.ts'
import { noJob } from '../../src/formats/job.ts'
import { pbs } from '../../src/formats/pbs.ts'
import { readExecHost } from '../../src/formats/pbs-resources.ts'
import { expectedByApel } from '../support/batch-samples.ts'

const zone: ParseContext = { timezone: 'Europe/Zurich' }
interface Options {
  type?: string
  id?: string
  context?: ParseContext
}
const job = (tail: string, { type = 'E', id = '1.server', context = zone }: Options = {}) => {
  const parsed = pbs.parse(Buffer.from(`06/05/2006 10:34:32;${type};${id};${tail}\n`), context)
  return pbs.job?.(parsed, context) ?? null
}

test('an ended job of PBS Pro', (t) => {
  const tail =
    'user=vanderwb group=csgteam account="SCSG0001" project=p1 jobname=qcmd queue=htc ctime=1149496234 qtime=1149496235 ' +
    'etime=1149496235 start=1149496237 exec_host=c67/13+c70/17*2 exec_vnode=(c67:ncpus=1)+(c70:ncpus=2) ' +
    'Resource_List.mem=20gb Resource_List.ncpus=3 Resource_List.ngpus=2 Resource_List.nodect=2 ' +
    'Resource_List.walltime=01:00:00 session=31501 end=1149496472 Exit_status=0 resources_used.cput=00:00:14 ' +
    'resources_used.mem=4580kb resources_used.ncpus=3 resources_used.walltime=00:03:55 run_count=1'
  t.deepEqual(job(tail, { id: '2281981[7].casper-pbs' }), {
    ...noJob,
    cluster: 'casper-pbs',
    job_id: '2281981',
    array_index: '7',
    elements: 1,
    user: 'vanderwb',
    account: 'SCSG0001',
    project: 'p1',
    job_group: 'csgteam',
    queue: 'htc',
    job_name: 'qcmd',
    submit_time: 1_149_496_234_000,
    start_time: 1_149_496_237_000,
    end_time: 1_149_496_472_000,
    logged_time: 1_149_496_472_000,
    wait_s: 3,
    wall_s: 235,
    cpu_user_s: 14,
    slots: 3,
    nodes: 2,
    gpus: 2,
    exec_hosts: ['c67', 'c70'],
    memory_max_bytes: 4580 * 1024,
    memory_requested_bytes: 20 * 1024 ** 3,
    state: 'completed',
    state_raw: 'Exit_status=0',
    exit_code: 0,
  })
})

test('only E, and R with what was used, tell of a finished job', (t) => {
  for (const type of ['Q', 'S', 'D', 'A', 'L', 'a', 'e']) t.is(job('user=x end=5', { type }), null)
  t.is(job('user=x', { type: 'R' }), null)
  t.is(job('user=x Exit_status=0 resources_used.walltime=00:00:05', { type: 'R' })?.state, 'requeued')
})

test('the parent of an array has no row, unless it ran', (t) => {
  t.is(job('user=x Exit_status=0', { id: '12[].server' }), null)
  t.like(job('user=x exec_host=n1/0 Exit_status=0', { id: '12[].server' }), { job_id: '12', elements: 1 })
})

const ids: [string, (string | number | null)[]][] = [
  ['123', ['123', null, null, null, 1]],
  ['123.a.b', ['123', null, null, 'a.b', 1]],
  ['123[7].a', ['123', '7', null, 'a', 1]],
  ['123-7.a', ['123', '7', null, 'a', 1]],
  ['123[1-5].a', ['123', null, '1-5', 'a', 5]],
  ['123[x].a', ['123', null, 'x', 'a', null]],
  ['.x]', ['.x]', null, null, null, 1]],
]
for (const [id, expected] of ids) {
  test(`the id ${id}`, (t) => {
    const { job_id, array_index, array_range, cluster, elements } = job('user=x', { id }) ?? noJob
    t.deepEqual([job_id, array_index, array_range, cluster, elements], expected)
  })
}

const limit = 'Resource_List.walltime=01:00:00 resources_used.walltime'
const outcomes: [string, unknown[]][] = [
  ['Exit_status=0', ['completed', 0, null]],
  ['Exit_status=1', ['failed', 1, null]],
  ['Exit_status=127', ['failed', 127, null]],
  ['Exit_status=137', ['failed', 137, 9]],
  ['Exit_status=255', ['failed', 255, null]],
  ['Exit_status=265', ['failed', null, 9]],
  ['Exit_status=271', ['cancelled', null, 15]],
  [`Exit_status=271 ${limit}=00:59:59`, ['cancelled', null, 15]],
  [`Exit_status=271 ${limit}=01:00:06`, ['timeout', null, 15]],
  [`Exit_status=1 ${limit}=01:00:06`, ['failed', 1, null]],
  ['Exit_status=-11', ['timeout', null, null]],
  ['Exit_status=-29', ['failed', null, null]],
  ['Exit_status=-11 run_count=1', ['failed', null, null]],
  ['Exit_status=-29 run_count=1', ['timeout', null, null]],
  ['Exit_status=-3', ['failed', null, null]],
  ['Exit_status=x', ['unknown', null, null]],
  ['user=x', ['unknown', null, null]],
]
for (const [tail, expected] of outcomes) {
  test(`the outcome of ${tail}`, (t) => {
    const { state, exit_code, signal } = job(tail) ?? noJob
    t.deepEqual([state, exit_code, signal], expected)
  })
}

const hosts: [string, string[], number][] = [
  ['b391/0-3', ['b391'], 4],
  ['n1/0*8+n2/0', ['n1', 'n2'], 9],
  ['n1/0-3,5', ['n1'], 5],
  ['n1/0+n1/1+n2/0', ['n1', 'n2'], 3],
  ['n1', ['n1'], 1],
  ['n/0*0', ['n'], 0],
  ['n/5-1', ['n'], 1],
  ['', [], 0],
]
for (const [text, names, slots] of hosts)
  test(`exec_host ${text}`, (t) => t.deepEqual(readExecHost(text), { hosts: names, slots }))

const resources: [string, Record<string, unknown>][] = [
  ['exec_host=b/2 total_execution_slots=4 unique_node_count=1', { slots: 4, nodes: 1 }],
  ['exec_host=n/2+n/3 Resource_List.ncpus=1', { slots: 2, nodes: 1 }],
  ['exec_host=n/0*0 Resource_List.ncpus=48', { slots: 48, nodes: 1 }],
  ['Resource_List.nodes=4:ppn=8:gpus=2 Resource_List.nodect=4', { slots: 32, nodes: 4, gpus: 8, exec_hosts: null }],
  ['Resource_List.nodes=2:ppn=8+host7:ppn=2:gpus=1', { slots: 18, gpus: 1 }],
  ['exec_host=n/0-1 Resource_List.pmem=2000mb', { memory_requested_bytes: 2 * 2000 * 1024 ** 2 }],
  ['exec_host=n/0 Resource_List.ngpus=0', { gpus: 0 }],
  ['exec_host=n/0 exec_gpus=n-gpu/0+n-gpu/1', { gpus: 2 }],
  ['exec_host=n/0*999999999999', { slots: null }],
  ['exec_host=n/0*9999999 Resource_List.pmem=9999999gb', { memory_requested_bytes: null }],
  ['user=x', { slots: null, nodes: null, gpus: null, exec_hosts: null, memory_requested_bytes: null }],
]
for (const [tail, expected] of resources) test(`resources of ${tail}`, (t) => t.like(job(tail), expected))

test('times that never came are null, and so is when it was written where no zone is known', (t) => {
  const row = job('ctime=1149496234 start=0 Exit_status=-1', { context: {} })
  t.like(row, { start_time: null, end_time: null, wait_s: null, wall_s: null, logged_time: null, cpu_user_s: null })
})

test('the host of the owner is where it was submitted', (t) => {
  t.is(job('owner=dbeer@bob')?.submit_host, 'bob')
  t.is(job('owner=dbeer')?.submit_host, null)
})

const expected = expectedByApel('apel-pbs.json')
const withSamples = expected.length > 0 ? test : test.skip

withSamples('jobs are what another accounting tool makes of the same lines', (t) => {
  let compared = 0
  for (const { line, result, options } of expected) {
    const context = { timezone: 'UTC' }
    const row = pbs.job?.(pbs.parse(Buffer.from(line), context), context) ?? null
    if (result === null) t.is(row, null)
    if (result === null || result === undefined || row === null) continue
    compared++
    t.is([row.job_id, row.cluster].join('.'), result.JobName)
    t.like(row, {
      user: result.LocalUserID,
      job_group: result.LocalUserGroup,
      wall_s: result.WallDuration,
      cpu_user_s: result.CpuDuration,
      start_time: result.StartTime * 1000,
      end_time: result.StopTime * 1000,
      memory_max_bytes: (result.MemoryReal ?? 0) * 1024,
      ...(options.mpi ? { slots: result.Processors, nodes: result.NodeCount } : {}),
    })
  }
  t.true(compared > 5)
})
