/**
 * A PBS accounting record → the job that it tells the end of: `E`, and `R` (taken back into the queue) where it says what was used.
 * A job that was run again has a record, and a row, per run. The parent of an array has none: each element has its own.
 *
 *   job_id, array_index, cluster   `123[7].server`, Torque's `123-7.server`
 *   cpu_user_s                     `resources_used.cput`: user and system time together, which PBS does not tell apart
 *   logged_time                    when the server wrote it, where the zone is known
 *   state                          from `Exit_status`, see below
 *
 * `Exit_status` (PBS Professional Reference Guide, "Job Exit Status Codes"; Torque Administrator Guide, "Job exit status"):
 *
 *   below 0      the server's own codes. -29 and -28 are the limits of wall and CPU time in PBS Pro, -11 and -12 in Torque
 *   0            completed
 *   1 to 127     the job's exit code: failed
 *   128 to 255   a shell's way to say 128 + signal: exit code and signal
 *   from 256     256 + signal: killed. After its limit of wall time: timeout. By SIGTERM otherwise, which is how `qdel` ends it: cancelled
 */

import type { ParseContext, Parsed } from './format.ts'
import { countRange } from './hostlist.ts'
import type { Job, JobState } from './job.ts'
import { noJob } from './job.ts'
import type { Attribute } from './pbs-resources.ts'
import { resourcesOf } from './pbs-resources.ts'
import { bytesOf, epochMs, secondsBetween, secondsOf } from './quantity.ts'
import { rfc3339Ms } from './time.ts'

export function pbsJob(parsed: Parsed, _context: ParseContext): Job | null {
  if (parsed.error !== '' || (parsed.type !== 'E' && parsed.type !== 'R')) return null
  const attribute: Attribute = (key) => {
    const value = Object.hasOwn(parsed.fields, key) ? parsed.fields[key] : null
    const first: unknown = Array.isArray(value) ? value[0] : value
    return typeof first === 'string' && first !== '' ? first : null
  }
  if (parsed.type === 'R' && attribute('resources_used.walltime') === null) return null
  const id = readId(attribute('id') ?? '')
  const resources = resourcesOf(attribute)
  if (id.isParent && resources.hosts === null) return null
  const submitted = epochMs(attribute('ctime'))
  const started = epochMs(attribute('start'))
  const ended = epochMs(attribute('end'))
  return {
    ...noJob,
    ...id.names,
    ...outcome(parsed.type, attribute),
    user: attribute('user'),
    account: attribute('account'),
    project: attribute('project'),
    job_group: attribute('group'),
    queue: attribute('queue'),
    job_name: attribute('jobname'),
    submit_host: attribute('submit_host') ?? hostOf(attribute('owner')),
    submit_time: submitted,
    start_time: started,
    end_time: ended,
    logged_time: parsed.local === undefined ? null : rfc3339Ms(parsed.time),
    wait_s: secondsBetween(submitted, started),
    wall_s: secondsOf(attribute('resources_used.walltime')) ?? secondsBetween(started, ended),
    cpu_user_s: secondsOf(attribute('resources_used.cput')),
    slots: resources.slots,
    nodes: resources.nodes,
    gpus: resources.gpus,
    exec_hosts: resources.hosts,
    memory_max_bytes: bytesOf(attribute('resources_used.mem')),
    memory_requested_bytes: resources.memoryRequested,
  }
}

type Names = Pick<Job, 'cluster' | 'job_id' | 'array_index' | 'array_range' | 'elements'>

function readId(id: string): { names: Names; isParent: boolean } {
  const match = /^([^.[\]-]+)(?:\[([^\]]*)\]|-(\d+))?(?:\.(.+))?$/.exec(id)
  if (!match) {
    const names = { cluster: null, job_id: id === '' ? null : id, array_index: null, array_range: null, elements: 1 }
    return { names, isParent: false }
  }
  const [, number = '', inBrackets, behindDash, server] = match
  const element = inBrackets ?? behindDash
  const isIndex = element !== undefined && /^\d+$/.test(element)
  const names = {
    cluster: server ?? null,
    job_id: number,
    array_index: isIndex ? element : null,
    array_range: element !== undefined && element !== '' && !isIndex ? element : null,
    elements: element === undefined || element === '' || isIndex ? 1 : countRange(element),
  }
  return { names, isParent: element === '' }
}

type Outcome = Pick<Job, 'state' | 'state_raw' | 'exit_code' | 'signal'>

function outcome(type: string, attribute: Attribute): Outcome {
  const text = attribute('Exit_status')
  const status = text !== null && /^-?\d{1,9}$/.test(text) ? Number(text) : null
  const state_raw = text === null ? null : `Exit_status=${text}`
  const signal = status === null ? null : signalOf(status)
  const exit_code = status === null || status < 0 || status > 255 ? null : status
  const state = type === 'R' ? 'requeued' : status === null ? 'unknown' : stateOf(status, attribute)
  return { state, state_raw, exit_code, signal }
}

const sigterm = 15

function stateOf(status: number, attribute: Attribute): JobState {
  if (status === 0) return 'completed'
  if (status < 0) return isTimeLimit(status, attribute) ? 'timeout' : 'failed'
  const used = secondsOf(attribute('resources_used.walltime'))
  const limit = secondsOf(attribute('Resource_List.walltime'))
  const signal = signalOf(status)
  if (signal !== null && used !== null && limit !== null && limit > 0 && used >= limit) return 'timeout'
  return status === 256 + sigterm ? 'cancelled' : 'failed'
}

function isTimeLimit(status: number, attribute: Attribute): boolean {
  const isPro = attribute('run_count') !== null || attribute('exec_vnode') !== null || attribute('project') !== null
  return isPro ? status === -29 || status === -28 : status === -11 || status === -12
}

/** 1 to 64, or null. */
function signalOf(status: number): number | null {
  const signal = status > 256 ? status - 256 : status > 128 && status < 256 ? status - 128 : 0
  return signal >= 1 && signal <= 64 ? signal : null
}

function hostOf(owner: string | null): string | null {
  const at = owner?.lastIndexOf('@') ?? -1
  return owner === null || at < 0 || at + 1 === owner.length ? null : owner.slice(at + 1)
}
