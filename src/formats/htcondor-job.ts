/**
 * The job of an ad. A job is one process of a cluster of processes: `job_id` is the ClusterId and `array_index` the ProcId; `cluster` is the
 * schedd, which counts the ClusterIds. An id of another form, as condor_history's callers make them, is `job_id` as it is.
 *
 * `start_time` is when it first started, `wall_s` what all its runs took together.
 */

import type { Parsed } from './format.ts'
import type { Job, JobState } from './job.ts'
import { noJob } from './job.ts'

type Fields = Record<string, unknown>

const removed = 3
const completed = 4
const kib = 1024
const mib = 1024 * 1024

export function jobOfHtcondor({ type, fields, error }: Parsed): Job | null {
  if (error !== '' || type !== 'Job') return null
  const ids = idsOf(fields)
  const isWhole = fields['CurrentTime'] !== undefined || fields['Offset'] !== undefined
  const isListed = fields['ClusterId'] === undefined && fields['GlobalJobId'] !== undefined
  // A file that ends before the ad does has no footer, and mostly not its state.
  if (ids.job_id === null || (!isWhole && !isListed && number(fields, 'JobStatus') === null)) return null
  const [submit, start] = [seconds(fields, 'QDate'), seconds(fields, 'JobStartDate', 'JobCurrentStartDate')]
  const status = number(fields, 'JobStatus')
  const signal = fields['ExitBySignal'] === true ? number(fields, 'ExitSignal') : null
  const host = text(fields, 'LastRemoteHost')
  return {
    ...noJob,
    ...ids,
    elements: 1,
    user: text(fields, 'Owner'),
    account: text(fields, 'AcctGroup', 'AccountingGroup'),
    project: text(fields, 'ProjectName'),
    job_name: text(fields, 'JobBatchName'),
    command: commandOf(fields),
    submit_time: submit,
    start_time: start,
    end_time: seconds(fields, 'CompletionDate', 'EnteredCurrentStatus'),
    logged_time: seconds(fields, 'CurrentTime'),
    wait_s: submit !== null && start !== null ? Math.max(0, (start - submit) / 1000) : null,
    wall_s: number(fields, 'RemoteWallClockTime'),
    cpu_user_s: number(fields, 'RemoteUserCpu'),
    cpu_system_s: number(fields, 'RemoteSysCpu'),
    slots: number(fields, 'CpusProvisioned', 'RequestCpus'),
    gpus: number(fields, 'GPUsProvisioned', 'GpusProvisioned', 'RequestGPUs', 'RequestGpus'),
    exec_hosts: host === null ? null : [host.slice(host.lastIndexOf('@') + 1)],
    memory_max_bytes: memoryOf(fields),
    memory_requested_bytes: bytes(number(fields, 'RequestMemory'), mib),
    state: stateOf(fields, status),
    state_raw: status === null ? null : String(status),
    exit_reason: text(fields, 'RemoveReason', 'HoldReason'),
    exit_code: fields['ExitBySignal'] === true ? null : number(fields, 'ExitCode'),
    signal,
  }
}

/** `schedd#cluster.proc#submitted`; the ad's own ids where it has them. */
function idsOf(fields: Fields): Pick<Job, 'cluster' | 'submit_host' | 'job_id' | 'array_index'> {
  const id = text(fields, 'GlobalJobId')
  const parts = /^(.+?)#(\d+)\.(\d+)(?:#\d+)?$/.exec(id ?? '')
  const schedd = parts?.[1] ?? null
  const cluster = number(fields, 'ClusterId')
  const proc = number(fields, 'ProcId')
  return {
    cluster: schedd,
    submit_host: schedd === null ? null : schedd.slice(schedd.lastIndexOf('@') + 1),
    job_id: cluster === null ? (parts?.[2] ?? id) : String(cluster),
    array_index: proc === null ? (parts?.[3] ?? null) : String(proc),
  }
}

function stateOf(fields: Fields, status: number | null): JobState {
  if (status === removed) return 'cancelled'
  if (status !== completed) return 'unknown'
  const isFailed = fields['ExitBySignal'] === true || (number(fields, 'ExitCode') ?? 0) !== 0
  return isFailed ? 'failed' : 'completed'
}

function commandOf(fields: Fields): string | null {
  const command = text(fields, 'Cmd')
  const given = text(fields, 'Arguments', 'Args')
  return command !== null && given !== null ? `${command} ${given}` : command
}

/** The resident set as measured; else as rounded up; else MemoryUsage, where it is a number. */
function memoryOf(fields: Fields): number | null {
  const resident = bytes(number(fields, 'ResidentSetSize_RAW', 'ResidentSetSize'), kib)
  return resident ?? bytes(number(fields, 'MemoryUsage'), mib)
}

function bytes(value: number | null, unit: number): number | null {
  return value === null ? null : Math.round(value * unit)
}

function number(fields: Fields, ...names: string[]): number | null {
  const name = names.find((one) => typeof fields[one] === 'number')
  return name === undefined ? null : (fields[name] as number)
}

function text(fields: Fields, ...names: string[]): string | null {
  const name = names.find((one) => typeof fields[one] === 'string' && fields[one] !== '')
  return name === undefined ? null : (fields[name] as string)
}

/** Seconds since 1970 → ms; 0 stands for a time that never came. */
function seconds(fields: Fields, ...names: string[]): number | null {
  const name = names.find((one) => typeof fields[one] === 'number' && fields[one] > 0)
  return name === undefined ? null : (fields[name] as number) * 1000
}
