/** The row of `jobs` for a JOB_FINISH. LSF writes -1 or 0 for what is not known or never was; a row has null for it. */

import type { Job, JobState } from './job.ts'
import { noJob } from './job.ts'
import type { Fields } from './lsf-fields.ts'
import { terminationOf } from './lsf-reasons.ts'

/** `fields` as a JOB_FINISH without error gave them. */
export function jobOfFields(fields: Fields): Job {
  const [submit, start, end] = ['submitTime', 'startTime', 'eventTime'].map((name) => positive(fields[name]))
  const array = arrayOf(fields)
  const hosts = hostsOf(fields['execHosts'])
  const hasStarted = start !== null
  return {
    ...noJob,
    job_id: String(fields['jobId']),
    ...array,
    user: textOf(fields['userName']),
    project: textOf(fields['projectName']),
    job_group: textOf(fields['jobGroupName']),
    queue: textOf(fields['queue']),
    job_name: textOf(fields['jobName']),
    command: textOf(fields['command']),
    submit_host: textOf(fields['fromHost']),
    uid: notNegative(fields['userId']),
    submit_time: msOf(submit),
    start_time: msOf(start),
    end_time: msOf(end),
    logged_time: msOf(end),
    wait_s: between(submit, start),
    wall_s: between(start, end),
    cpu_user_s: notNegative(fields['ru_utime']),
    cpu_system_s: notNegative(fields['ru_stime']),
    slots: slotsOf(fields, hosts.slots),
    nodes: hosts.names.length > 0 ? hosts.names.length : null,
    exec_hosts: hosts.names.length > 0 ? hosts.names : null,
    memory_max_bytes: memoryOf(fields),
    memory_requested_bytes: requestedOf(fields),
    ...endingOf(fields, hasStarted),
  }
}

type Some<Name extends keyof Job> = Pick<Job, Name>

function arrayOf(fields: Fields): Some<'array_index' | 'array_range' | 'elements'> {
  const idx = fields['idx']
  if (idx !== -1)
    return { array_index: typeof idx === 'number' && idx > 0 ? String(idx) : null, array_range: null, elements: 1 }
  const ranges = (fields['indexRange'] ?? []) as { start: number; end: number; step: number }[]
  const counts = ranges.map(({ start, end, step }) => Math.floor((end - start) / Math.max(step, 1)) + 1)
  const elements = counts.reduce((sum, count) => sum + count, 0)
  const isWhole = counts.length > 0 && counts.every((count) => count > 0)
  const texts = ranges.map(({ start, end, step }) => `${start}-${end}${step > 1 ? `:${step}` : ''}`)
  return { array_index: null, array_range: texts.join(',') || null, elements: isWhole ? countOf(elements) : null }
}

/** `host`, once for each slot, or `16*host`. */
function hostsOf(entries: unknown): { names: string[]; slots: number } {
  const names = new Set<string>()
  let slots = 0
  let last: string | null = null
  for (const entry of (entries ?? []) as string[]) {
    if (entry === last) slots++
    if (entry === last) continue
    last = null
    const match: RegExpExecArray | null = entry.includes('*') ? /^(\d{1,9})\*(.+)$/s.exec(entry) : null
    const name: string = match?.[2] ?? entry
    if (name === '') continue
    // Next it may be there once more.
    if (name === entry) last = entry
    names.add(name)
    slots += Number(match?.[1] ?? 1)
  }
  return { names: [...names], slots }
}

/** What was allocated, else the hosts it ran on: a job that was never dispatched had none. */
function slotsOf(fields: Fields, executed: number): number | null {
  const { allocSlots, execHosts } = fields as { allocSlots?: unknown; execHosts?: unknown }
  const slots = allocSlots === execHosts ? executed : hostsOf(allocSlots).slots || executed
  if (slots > 0) return countOf(slots)
  return positive(fields['startTime']) === null ? null : countOf(positive(fields['numProcessors']))
}

/** Both are in KB, and 0 where nothing was measured; the sum over the job's processes goes before the largest of them. */
function memoryOf(fields: Fields): number | null {
  const kib = positive(fields['maxRMem']) ?? positive(fields['ru_maxrss'])
  return kib === null ? null : wholeOf(kib * 1024)
}

const rusageMemory = /\brusage\[[^\]]*?\bmem=(\d{1,12}(?:\.\d{1,6})?)([KMGT])B?\b/gi
const unitBytes: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }

/**
 * What was asked for, only where the text says it alone: with a unit (without one it depends on LSF_UNIT_FOR_LIMITS), once, and for a job of
 * one slot (else it may count per slot, per host or per job).
 */
function requestedOf(fields: Fields): number | null {
  const text = fields['resReq']
  if (typeof text !== 'string' || fields['numProcessors'] !== 1 || !text.includes('mem=')) return null
  const [first, ...more] = text.matchAll(rusageMemory)
  if (first === undefined || more.length > 0 || text.split(/\bmem=/).length !== 2) return null
  return wholeOf(Number(first[1]) * (unitBytes[String(first[2]).toUpperCase()] ?? Number.NaN))
}

const statusExit = 0x20
const statusDone = 0x40

function endingOf(
  fields: Fields,
  hasStarted: boolean,
): Some<'state' | 'state_raw' | 'exit_reason' | 'exit_code' | 'signal'> {
  const status = Number(fields['jStatus'])
  const reason = terminationOf(fields['exitInfo'])
  // Other bits tell of the post-execution command.
  const state: JobState =
    status & statusExit ? (reason?.state ?? 'failed') : status & statusDone ? 'completed' : 'unknown'
  return {
    state,
    state_raw: String(fields['jStatus']),
    exit_reason: reason?.name ?? null,
    ...(hasStarted ? waitStatus(fields['exitStatus']) : { exit_code: null, signal: null }),
  }
}

/** wait(2): the signal in the low 7 bits, else the exit code in the next 8. */
function waitStatus(status: unknown): Some<'exit_code' | 'signal'> {
  if (typeof status !== 'number' || status < 0 || status > 0xffff) return { exit_code: null, signal: null }
  const signal = status & 0x7f
  return signal === 0 ? { exit_code: status >> 8, signal: null } : { exit_code: null, signal }
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && value > 0 ? value : null
}

function notNegative(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 ? value : null
}

/** A number of things, as an INTEGER holds it: one that is larger is no count. */
function countOf(value: number | null): number | null {
  return value !== null && value <= 0x7fffffff ? value : null
}

function wholeOf(value: number): number | null {
  const whole = Math.round(value)
  return Number.isSafeInteger(whole) ? whole : null
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

/** Up to the year 9999. */
function msOf(seconds: number | null | undefined): number | null {
  return seconds == null || seconds >= 253_402_300_800 ? null : seconds * 1000
}

/** Seconds from one time to another; null where one never came, or they stand the wrong way round. */
function between(from: number | null | undefined, to: number | null | undefined): number | null {
  return from == null || to == null || to < from ? null : to - from
}
