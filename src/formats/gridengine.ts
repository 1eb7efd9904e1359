/**
 * `gridengine`: the accounting file of SGE, Son of Grid Engine, Univa and Altair Grid Engine (accounting(5)): one record per line, fields
 * separated by `:`. Lines that begin with `#` head a new file and are records of type `comment`.
 *
 * 43 fields are the least; later versions append. The first 39 cannot hold a `:`. Field 40, the category, can (`-l h_rt=24:00:00`): it ends
 * before the first number, task id (`NONE` or `1.host`), number. What follows ar_submission_time is kept as a list, `extra`.
 *
 * Univa 8.2 and later write times in ms, others in seconds. A line torn in the middle and continued by the next record cannot be told apart
 * again, since nothing marks where a record begins: it is one malformed record.
 */

import { commonRotation } from '../core/family.ts'
import type { Format, Parsed } from './format.ts'
import { jobOfGridEngine } from './gridengine-job.ts'
import { endOfLine, withoutNewline } from './lines.ts'
import { safeText } from './text.ts'
import { epochToRfc3339 } from './time.ts'
import { numberOf } from './values.ts'

const texts = (names: string): [string, 'text'][] => names.split(' ').map((name) => [name, 'text'])
const numbers = (names: string): [string, 'number'][] => names.split(' ').map((name) => [name, 'number'])

const leading: [string, 'text' | 'number'][] = [
  ...texts('qname hostname group owner job_name'),
  ...numbers('job_number'),
  ...texts('account'),
  ...numbers('priority submission_time start_time end_time failed exit_status ru_wallclock'),
  ...numbers('ru_utime ru_stime ru_maxrss ru_ixrss ru_ismrss ru_idrss ru_isrss ru_minflt ru_majflt ru_nswap'),
  ...numbers('ru_inblock ru_oublock ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw'),
  ...texts('project department granted_pe'),
  ...numbers('slots task_number cpu mem io'),
]
const fieldsMin = leading.length + 4
/** `95.5` is a number and no task. */
const isTask = (text: string): boolean => text === 'NONE' || (/^\d+\.\S+$/.test(text) && numberOf(text) === null)
/** A category that holds so many `:` holds a whole record: its own line was torn. */
const categoryPartsMax = leading.length

export const gridengine: Format = {
  name: 'gridengine',
  parser: 2,
  header: { prefix: '#' },
  rotation: commonRotation,
  text: true,
  endOf: endOfLine,
  parse(raw): Parsed {
    const { text, lossy } = safeText(withoutNewline(raw))
    const flags: Parsed['flags'] = lossy ? ['lossy'] : []
    if (text.startsWith('#')) return { type: 'comment', time: '', fields: { comment: text }, flags, error: '' }
    const fields = fieldsOf(text)
    if (typeof fields === 'string')
      return { type: '', time: '', fields: {}, flags: [...flags, 'malformed'], error: fields }
    return { type: 'accounting', time: timeOf(fields), fields, flags, error: '' }
  },
  job: jobOfGridEngine,
}

/** The fields, or the code of what is wrong. */
function fieldsOf(text: string): Record<string, unknown> | string {
  if (text.trim() === '') return 'empty'
  const parts = text.split(':')
  if (parts.length < fieldsMin) return 'too-few-fields'
  const fields: Record<string, unknown> = {}
  for (let index = 0; index < leading.length; index++) {
    const [name, kind] = leading[index] as [string, string]
    const value = kind === 'text' ? parts[index] : numberOf(parts[index] as string)
    if (value === null) return 'not-a-number'
    fields[name] = value
  }
  return putTrailing(fields, parts) ? fields : 'no-category-end'
}

/** The category and what follows it; false where its end is not found. */
function putTrailing(fields: Record<string, unknown>, parts: string[]): boolean {
  const last = Math.min(parts.length - 3, leading.length + categoryPartsMax)
  for (let at = leading.length + 1; at <= last; at++) {
    if (!isTask(parts[at + 1] as string)) continue
    const iow = numberOf(parts[at] as string)
    const maxvmem = numberOf(parts[at + 2] as string)
    if (iow === null || maxvmem === null) continue
    fields['category'] = parts.slice(leading.length, at).join(':')
    fields['iow'] = iow
    fields['pe_taskid'] = parts[at + 1]
    fields['maxvmem'] = maxvmem
    putReservation(fields, parts.slice(at + 3))
    return true
  }
  return false
}

function putReservation(fields: Record<string, unknown>, rest: string[]): void {
  const [arid, submitted] = [numberOf(rest[0] ?? ''), numberOf(rest[1] ?? '')]
  const known = arid !== null && submitted !== null
  if (known) {
    fields['arid'] = arid
    fields['ar_submission_time'] = submitted
  }
  const extra = known ? rest.slice(2) : rest
  if (extra.length > 0) fields['extra'] = extra
}

/** When it ended; a job that never started has only the time it was submitted. */
function timeOf(fields: Record<string, unknown>): string {
  for (const name of ['end_time', 'submission_time']) {
    const value = fields[name]
    if (typeof value === 'number' && value > 0) return epochToRfc3339(value)
  }
  return ''
}
