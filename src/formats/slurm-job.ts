/**
 * A Slurm record → the finished job that it tells of. Steps (`.batch`, `.0`, ...) give none: their job has its own line. Nor does a job
 * that still waits or runs, or that is being resized, as the state says; one in a state that is not known counts once it has an end.
 *
 *   job_id, array_index, array_range   `123_4`, `123_[1-3,5]`; the part of a heterogeneous job is `123+1`
 *   cpu_user_s                         `UserCPU`; where only `TotalCPU` is there, that: user and system time together
 *   memory_requested_bytes             `ReqMem`; with its old suffixes, `c` times CPUs and `n` times nodes; 0 is "no limit", so null
 *   gpus                               `gres/gpu` of `AllocTRES`, or the sum of its kinds
 *   project                            `WCKey`
 *   start_time                         null for a job that was cancelled before it had nodes, though Slurm writes its end there
 */

import type { ParseContext, Parsed } from './format.ts'
import { countRange, expandHosts } from './hostlist.ts'
import type { Job, JobState } from './job.ts'
import { noJob } from './job.ts'
import { bytesOf, countOf, secondsBetween, secondsOf } from './quantity.ts'
import { readSlurmId } from './slurm-id.ts'
import { slurmMs } from './slurm-time.ts'

const states: Record<string, JobState> = {
  BOOT_FAIL: 'node_fail',
  CANCELLED: 'cancelled',
  COMPLETED: 'completed',
  DEADLINE: 'timeout',
  FAILED: 'failed',
  LAUNCH_FAILED: 'failed',
  NODE_FAIL: 'node_fail',
  OUT_OF_MEMORY: 'failed',
  PREEMPTED: 'requeued',
  RECONFIG_FAIL: 'failed',
  REQUEUED: 'requeued',
  REVOKED: 'cancelled',
  TIMEOUT: 'timeout',
}
const unfinished = new Set(
  (
    'COMPLETING CONFIGURING PENDING POWER_UP_NODE REQUEUE_FED REQUEUE_HOLD RESIZING RESV_DEL_HOLD RUNNING SIGNALING ' +
    'SPECIAL_EXIT STAGE_OUT STOPPED SUSPENDED'
  ).split(' '),
)

/** A field by sacct's name, null where it is missing or empty. */
type Field = (name: string) => string | null

/** sacct's names → those of jobcomp/filetxt. */
const inFiletxt: Record<string, string[]> = {
  AllocCPUS: ['ProcCnt', 'Procs'],
  AllocNodes: ['NodeCnt'],
  AllocTRES: ['Tres'],
  AllocGRES: ['Gres'],
  End: ['EndTime'],
  JobName: ['Name'],
  Start: ['StartTime'],
  State: ['JobState'],
  Submit: ['SubmitTime'],
  WCKey: ['WcKey'],
}

export function slurmJob(parsed: Parsed, { timezone }: ParseContext): Job | null {
  if (parsed.error !== '' || parsed.type !== 'job') return null
  const isFiletxt = typeof parsed.fields['JobId'] === 'string'
  const field: Field = (name) => {
    for (const key of isFiletxt ? (inFiletxt[name] ?? [name]) : [name]) {
      const value = Object.hasOwn(parsed.fields, key) ? parsed.fields[key] : ''
      if (typeof value === 'string' && value !== '' && value !== '(null)') return value
    }
    return null
  }
  const state_raw = field('State')
  const word = /^[A-Z_]+/.exec(state_raw ?? '')?.[0] ?? ''
  const ended = slurmMs(field('End'), timezone)
  const state = states[word] ?? 'unknown'
  if (unfinished.has(word) || (state === 'unknown' && !/^\d/.test(field('End') ?? ''))) return null
  return {
    ...noJob,
    ...(isFiletxt ? filetxtNames(field) : sacctNames(field)),
    ...times(field, timezone, ended),
    ...exit(field),
    ...resources(field),
    cluster: field('Cluster'),
    account: field('Account'),
    project: field('WCKey'),
    queue: field('Partition'),
    job_name: field('JobName'),
    command: field('SubmitLine'),
    state,
    state_raw,
    exit_reason: named(field('Reason')),
  }
}

type Names = Pick<Job, 'job_id' | 'array_index' | 'array_range' | 'elements' | 'user' | 'job_group' | 'uid'>

function sacctNames(field: Field): Names {
  const id = readSlurmId(field('JobID') ?? field('JobIDRaw') ?? '')
  const range = id?.range ?? null
  return {
    job_id: id?.job ?? null,
    array_index: id?.element ?? null,
    array_range: range,
    elements: range === null ? 1 : countRange(range),
    user: field('User'),
    job_group: field('Group'),
    uid: countOf(field('UID')),
  }
}

function filetxtNames(field: Field): Names {
  const user = /^(.*)\((\d+)\)$/.exec(field('UserId') ?? '')
  const group = /^(.*)\(\d+\)$/.exec(field('GroupId') ?? '')
  const hetero = field('HetJobId') ?? field('PackJobId')
  const offset = field('HetJobOffset') ?? field('PackJobOffset')
  const element = field('ArrayTaskId')
  return {
    job_id: hetero !== null && offset !== null ? `${hetero}+${offset}` : (field('ArrayJobId') ?? field('JobId')),
    array_index: element,
    array_range: null,
    elements: 1,
    user: user?.[1] ?? field('UserId'),
    job_group: group?.[1] ?? field('GroupId'),
    uid: countOf(user?.[2] ?? null),
  }
}

type Times = Pick<Job, 'submit_time' | 'start_time' | 'end_time' | 'wait_s' | 'wall_s' | 'cpu_user_s' | 'cpu_system_s'>

function times(field: Field, timezone: string | undefined, ended: number | null): Times {
  const submitted = slurmMs(field('Submit'), timezone)
  const start = slurmMs(field('Start'), timezone)
  const started = start !== null && start === ended && hostsText(field) === null ? null : start
  return {
    submit_time: submitted,
    start_time: started,
    end_time: ended,
    wait_s: secondsBetween(submitted, started),
    wall_s: secondsOf(field('ElapsedRaw')) ?? secondsOf(field('Elapsed')) ?? secondsBetween(started, ended),
    cpu_user_s: secondsOf(field('UserCPU')) ?? secondsOf(field('TotalCPU')),
    cpu_system_s: secondsOf(field('SystemCPU')),
  }
}

type Resources = Pick<Job, 'slots' | 'nodes' | 'gpus' | 'exec_hosts' | 'memory_max_bytes' | 'memory_requested_bytes'>

function resources(field: Field): Resources {
  const slots = countOf(field('AllocCPUS')) ?? countOf(field('NCPUS'))
  const nodes = countOf(field('AllocNodes')) ?? countOf(field('NNodes'))
  const hosts = hostsText(field)
  return {
    slots: fits(slots),
    nodes: fits(nodes),
    gpus: fits(gpusOf(field('AllocTRES'), field('AllocGRES'))),
    exec_hosts: hosts === null ? null : expandHosts(hosts),
    memory_max_bytes: bytesOf(field('MaxRSS')),
    memory_requested_bytes: requested(field('ReqMem'), { slots, nodes }) ?? memoryOf(field('ReqTRES') ?? field('Tres')),
  }
}

/** Null where the job never had nodes. */
function hostsText(field: Field): string | null {
  const text = named(field('NodeList'))
  return text === 'Unknown' ? null : text
}

function named(text: string | null): string | null {
  return text === null || /^none(?: assigned)?$/i.test(text) ? null : text
}

function gpusOf(tres: string | null, gres: string | null): number | null {
  if (tres === null) {
    const old = /(?:^|,)(?:gres:)?gpu(?::[^:,()]+)?:(\d{1,9})/.exec(gres ?? '')
    return countOf(old?.[1] ?? null)
  }
  let kinds = 0
  for (const one of tres.split(',')) {
    const match = /^gres\/gpu(:[^=]*)?=(\d{1,9})$/.exec(one)
    if (match && match[1] === undefined) return Number(match[2])
    if (match) kinds += Number(match[2])
  }
  return kinds
}

/** `4000M`, `100Mc`, `48000Mn`, `0n`. */
function requested(
  text: string | null,
  { slots, nodes }: { slots: number | null; nodes: number | null },
): number | null {
  const match = /^(.*?)([cn]?)$/.exec(text ?? '')
  const bytes = bytesOf(match?.[1] ?? null)
  if (bytes === null || bytes === 0) return null
  const times = match?.[2] === 'c' ? slots : match?.[2] === 'n' ? nodes : 1
  const all = times === null ? null : bytes * times
  return all !== null && all > 0 && Number.isSafeInteger(all) ? all : null
}

function memoryOf(tres: string | null): number | null {
  return bytesOf(/(?:^|,)mem=([^,]+)/.exec(tres ?? '')?.[1] ?? null)
}

/** `code:signal`. A code of 0 beside a signal says nothing: the job did not exit. */
function exit(field: Field): Pick<Job, 'exit_code' | 'signal'> {
  const match = /^(\d{1,9}):(\d{1,9})$/.exec(field('ExitCode') ?? '')
  if (!match) return { exit_code: null, signal: null }
  const [code, signal] = [Number(match[1]), Number(match[2])]
  return { exit_code: code === 0 && signal > 0 ? null : code, signal: signal > 0 ? signal : null }
}

/** What a table's INTEGER holds. */
function fits(count: number | null): number | null {
  return count !== null && count <= 2 ** 31 - 1 ? count : null
}
