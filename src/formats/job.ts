/**
 * One finished job, the same for every batch system: a row of the `jobs` table (CONTRACTS.md). What is not known is null, never -1 and
 * never an empty text; a time that never came (a job that never started) is null.
 */

export interface Job {
  cluster: string | null
  job_id: string | null
  array_index: string | null
  /** The elements that one record stands for, as the batch system writes them: `678-1000`. */
  array_range: string | null
  step: string | null
  user: string | null
  account: string | null
  project: string | null
  job_group: string | null
  queue: string | null
  job_name: string | null
  command: string | null
  submit_host: string | null
  uid: number | null
  /** Times in ms since 1970. */
  submit_time: number | null
  start_time: number | null
  end_time: number | null
  logged_time: number | null
  /** Seconds. */
  wait_s: number | null
  wall_s: number | null
  cpu_user_s: number | null
  cpu_system_s: number | null
  slots: number | null
  nodes: number | null
  gpus: number | null
  /**
   * How many jobs this record stands for, so that their sum counts jobs: 1 for a job or one element of an array, the number of elements for
   * a range of them (null where the record does not say how many), null for a step.
   */
  elements: number | null
  exec_hosts: string[] | null
  memory_max_bytes: number | null
  memory_requested_bytes: number | null
  state: JobState
  /** As the batch system writes it. */
  state_raw: string | null
  exit_reason: string | null
  exit_code: number | null
  signal: number | null
}

export type JobState = 'completed' | 'failed' | 'cancelled' | 'timeout' | 'node_fail' | 'requeued' | 'unknown'

/** A job of which nothing is known yet. */
export const noJob: Job = Object.freeze({
  cluster: null,
  job_id: null,
  array_index: null,
  array_range: null,
  step: null,
  user: null,
  account: null,
  project: null,
  job_group: null,
  queue: null,
  job_name: null,
  command: null,
  submit_host: null,
  uid: null,
  submit_time: null,
  start_time: null,
  end_time: null,
  logged_time: null,
  wait_s: null,
  wall_s: null,
  cpu_user_s: null,
  cpu_system_s: null,
  slots: null,
  nodes: null,
  gpus: null,
  elements: null,
  exec_hosts: null,
  memory_max_bytes: null,
  memory_requested_bytes: null,
  state: 'unknown',
  state_raw: null,
  exit_reason: null,
  exit_code: null,
  signal: null,
})

const integers = ['slots', 'nodes', 'gpus', 'elements', 'exit_code', 'signal'] as const
const bigints = ['uid', 'memory_max_bytes', 'memory_requested_bytes'] as const
const times = ['submit_time', 'start_time', 'end_time', 'logged_time'] as const
/** The last ms of the year 9999. */
const timeMax = 253_402_300_799_999

const bounds = [
  ...integers.map((name) => [name, 2 ** 31 - 1] as const),
  ...bigints.map((name) => [name, Number.MAX_SAFE_INTEGER] as const),
  ...times.map((name) => [name, timeMax] as const),
]

/** The row as its columns can hold it: a number that is out of their range is not known. */
export function fitting(job: Job): Job {
  let fits = job
  for (const [name, most] of bounds) {
    const value = job[name]
    if (value === null || (Math.abs(value) <= most && Math.round(value) === value)) continue
    if (fits === job) fits = { ...job }
    fits[name] = within(value, most)
  }
  return fits
}

function within(value: number, most: number): number | null {
  return Math.abs(value) <= most ? Math.round(value) : null
}
