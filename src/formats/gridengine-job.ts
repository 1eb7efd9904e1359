/**
 * The job of a Grid Engine record.
 *
 * A tightly integrated parallel job may write a record per slave task beside its own: `step` is then the task's pe_taskid, and the job
 * itself is the row without a step. A job that was rescheduled or failed to start writes a record each time.
 *
 * An exit status above 128 is a shell's way to say 128 + signal: exit code and signal.
 *
 * `cpu` counts the whole process group and ru_utime, ru_stime only what was waited for; so the system time is ru_stime, and the user time
 * the rest of the larger sum.
 */

import type { Parsed } from './format.ts'
import type { Job, JobState } from './job.ts'
import { noJob } from './job.ts'

/** sge_status(5), field `failed`. */
const migrating = 24
const rescheduling = 25
const limitEnforced = 37

export function jobOfGridEngine({ type, fields, error }: Parsed): Job | null {
  if (type !== 'accounting' || error !== '') return null
  const univa = univaOf(fields)
  const [submit, start, end] = ['submission_time', 'start_time', 'end_time'].map((name) => ms(fields[name]))
  const task = number(fields['task_number']) ?? 0
  const exit = number(fields['exit_status']) ?? 0
  const failed = number(fields['failed']) ?? 0
  const step = named(fields['pe_taskid'])
  const signal = exit > 128 ? exit - 128 : null
  return {
    ...noJob,
    job_id: String(fields['job_number']),
    array_index: task > 0 ? String(task) : null,
    // A slave task is part of a job that has a row of its own.
    elements: step === null ? 1 : null,
    step,
    user: named(fields['owner']),
    account: named(fields['account']),
    project: named(fields['project']),
    queue: named(fields['qname']),
    job_name: named(fields['job_name']),
    submit_host: univa.submitHost,
    submit_time: submit ?? null,
    start_time: start ?? null,
    end_time: end ?? null,
    wait_s: submit && start ? Math.max(0, (start - submit) / 1000) : null,
    wall_s: start ? number(fields['ru_wallclock']) : null,
    ...cpuOf(fields),
    slots: number(fields['slots']),
    exec_hosts: start && named(fields['hostname']) !== null ? [String(fields['hostname'])] : null,
    memory_max_bytes: positive(fields['maxvmem']),
    state: stateOf({ failed, exit, deleted: univa.deleted }),
    state_raw: `failed=${failed} exit_status=${exit}`,
    exit_reason: univa.deleted ?? (failed === 0 ? null : `failed ${failed}`),
    exit_code: exit,
    signal,
  }
}

function stateOf({ failed, exit, deleted }: { failed: number; exit: number; deleted: string | null }): JobState {
  if (deleted !== null) return 'cancelled'
  if (failed === migrating || failed === rescheduling) return 'requeued'
  if (failed === limitEnforced) return 'timeout'
  return failed === 0 && exit === 0 ? 'completed' : 'failed'
}

function cpuOf(fields: Record<string, unknown>): Pick<Job, 'cpu_user_s' | 'cpu_system_s'> {
  const [user, system, all] = ['ru_utime', 'ru_stime', 'cpu'].map((name) => number(fields[name]) ?? 0) as [
    number,
    number,
    number,
  ]
  const rest = Math.round((all - system) * 1e6) / 1e6
  return { cpu_user_s: Math.max(user, rest), cpu_system_s: system }
}

/** Univa's next fields: job_class, qdel_info, maxrss, maxpss, submit_host, cwd, submit_cmd (accounting(5) of 8.2 and later). */
function univaOf(fields: Record<string, unknown>): { submitHost: string | null; deleted: string | null } {
  const extra = fields['extra']
  const isUniva = Array.isArray(extra) && extra.length >= 7 && [extra[2], extra[3]].every((one) => /^\d+$/.test(one))
  return isUniva ? { submitHost: named(extra[4]), deleted: named(extra[1]) } : { submitHost: null, deleted: null }
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && value > 0 ? Math.round(value) : null
}

/** 0 stands for a time that never came; 13 digits are ms. */
function ms(value: unknown): number | null {
  const epoch = positive(value)
  return epoch === null ? null : epoch > 1e11 ? epoch : (value as number) * 1000
}

function named(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value !== 'NONE' ? value : null
}
