/**
 * `lsf`: LSF's `lsb.acct`, and what derivatives of openlava write. JOB_FINISH is read to its last field; of any other type the head and
 * the plain list of tokens. Lines that begin with `#` are of type `comment`, empty ones of type `blank`: records like any other,
 * so that records cover the file, and neither is malformed.
 *
 * A malformed record keeps what is sure: its type, and the head where that is whole. Its error is the first that was met: `no-head`,
 * `ends-early`, `not-a-string`, `not-a-number`, `bad-count`, `glued-token` (no blank after a token), `unclosed-quote`; or `torn`, where
 * another record goes on in its line.
 */

import { commonRotation } from '../core/family.ts'
import type { Format, Parsed, RecordFlag } from './format.ts'
import { directFields } from './lsf-direct.ts'
import { jobFinishFields } from './lsf-fields.ts'
import type { Fields, Head } from './lsf-fields.ts'
import { endOfRecord, headBytesMax } from './lsf-frame.ts'
import { withoutNewline } from './lines.ts'
import { jobOfFields } from './lsf-job.ts'
import { Tokens } from './lsf-tokens.ts'
import { safeText } from './text.ts'
import { epochToRfc3339 } from './time.ts'

export const lsf: Format = {
  name: 'lsf',
  parser: 1,
  header: 'none',
  rotation: commonRotation,
  text: true,
  endOf: endOfRecord,
  aheadBytes: headBytesMax,
  parse(raw): Parsed {
    const line = withoutNewline(raw)
    if (line[0] === quote) return recordOf(line)
    const { text, lossy } = safeText(line)
    const flags: RecordFlag[] = lossy ? ['lossy'] : []
    if (line[0] === hash) return { type: 'comment', time: '', fields: { text: text.slice(1) }, flags, error: '' }
    if (text.trim() === '') return { type: 'blank', time: '', fields: {}, flags, error: '' }
    return malformed({ type: '', fields: {}, time: '' }, 'no-head')
  },
  job({ type, fields, error }) {
    return type === 'JOB_FINISH' && error === '' ? jobOfFields(fields) : null
  },
  direct(raw) {
    const direct = directFields(withoutNewline(raw))
    if (direct === null) return null
    const { json, fields } = direct
    const timeS = fields['eventTime'] as number
    // Other times are none, or are in ms.
    if (timeS < 0 || timeS > epochSecondsMax) return null
    return { type: 'JOB_FINISH', timeS, fields: json, job: jobOfFields(fields) }
  },
}

/** The year 5138. */
const epochSecondsMax = 1e11

const quote = 0x22
const hash = 0x23

function recordOf(line: Buffer): Parsed {
  const tokens = new Tokens(line)
  const eventType = tokens.string()
  if (eventType !== 'JOB_FINISH' && !/^[A-Z_0-9]{1,64}$/.test(eventType))
    return malformed({ type: '', fields: {}, time: '' }, tokens.error || 'no-head')
  const head: Head = { eventType, version: tokens.string(), eventTime: tokens.integer() }
  if (tokens.error !== '' || !/^\d+(?:\.\d+)?$/.test(head.version))
    return malformed({ type: eventType, fields: {}, time: '' }, 'no-head')
  const time = timeOf(head.eventTime)
  const fields: Fields = eventType === 'JOB_FINISH' ? jobFinishFields(head, tokens) : { ...head, tokens: tokens.rest() }
  if (tokens.error !== '') return malformed({ type: eventType, fields: { ...head }, time }, tokens.error)
  return { type: eventType, time, fields, flags: tokens.isLossy ? ['lossy'] : [], error: '' }
}

/** None of its text is in what is sure, so it is not lossy. */
function malformed(sure: Pick<Parsed, 'type' | 'fields' | 'time'>, error: string): Parsed {
  return { ...sure, flags: ['malformed'], error }
}

function timeOf(eventTime: Head['eventTime']): string {
  return typeof eventTime === 'number' ? epochToRfc3339(eventTime) : ''
}
