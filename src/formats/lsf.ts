/**
 * `lsf`: LSF's `lsb.acct`, and what derivatives of openlava write. JOB_FINISH is read to its last field; of any other type the head and
 * the plain list of tokens. Lines that begin with `#` are of type `comment`, empty ones of type `blank`: records like any other,
 * so that records cover the file, and neither is malformed.
 *
 * A malformed record keeps what is sure: its type, and the head where that is whole. Its error is the first that was met: `no-head`,
 * `ends-early`, `not-a-string`, `not-a-number`, `bad-count`, `glued-token` (no blank after a token), `unclosed-quote`; or `torn`, where
 * another record goes on in its line.
 */

import { isAscii } from 'node:buffer'
import { commonRotation } from '../core/family.ts'
import type { Format, Parsed, RecordFlag } from './format.ts'
import { jobFinishFields } from './lsf-fields.ts'
import type { Fields, Head } from './lsf-fields.ts'
import { endOfRecord, headBytesMax } from './lsf-frame.ts'
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
    const { text, lossy } = lineOf(raw)
    const flags: RecordFlag[] = lossy ? ['lossy'] : []
    if (text.charCodeAt(0) === quote) return recordOf(text, flags)
    if (text.startsWith('#'))
      return { type: 'comment', time: '', fields: { text: text.slice(1, -1) }, flags, error: '' }
    if (text.trim() === '') return { type: 'blank', time: '', fields: {}, flags, error: '' }
    return malformed({ type: '', fields: {}, time: '' }, flags, 'no-head')
  },
  job({ type, fields, error }) {
    return type === 'JOB_FINISH' && error === '' ? jobOfFields(fields) : null
  },
}

const quote = 0x22

/** The record as text that ends with one newline, whatever it ended with. */
function lineOf(raw: Buffer): { text: string; lossy: boolean } {
  const { length } = raw
  const hasNewline = raw[length - 1] === 10
  const hasReturn = hasNewline && raw[length - 2] === 13
  if (isAscii(raw)) {
    const text =
      hasNewline && !hasReturn
        ? raw.toString('latin1', 0, length)
        : `${raw.toString('latin1', 0, hasReturn ? length - 2 : length)}\n`
    if (!text.includes('\0')) return { text, lossy: false }
  }
  const { text, lossy } = safeText(raw.subarray(0, length - (hasReturn ? 2 : hasNewline ? 1 : 0)))
  return { text: `${text}\n`, lossy }
}

function recordOf(text: string, flags: RecordFlag[]): Parsed {
  const tokens = new Tokens(text)
  const eventType = tokens.string()
  if (eventType !== 'JOB_FINISH' && !/^[A-Z_0-9]{1,64}$/.test(eventType))
    return malformed({ type: '', fields: {}, time: '' }, flags, tokens.error || 'no-head')
  const head: Head = { eventType, version: tokens.string(), eventTime: tokens.integer() }
  if (tokens.error !== '' || !/^\d+(?:\.\d+)?$/.test(head.version))
    return malformed({ type: eventType, fields: {}, time: '' }, flags, 'no-head')
  const time = timeOf(head.eventTime)
  const fields: Fields = eventType === 'JOB_FINISH' ? jobFinishFields(head, tokens) : { ...head, tokens: tokens.rest() }
  if (tokens.error !== '') return malformed({ type: eventType, fields: { ...head }, time }, flags, tokens.error)
  return { type: eventType, time, fields, flags, error: '' }
}

function malformed(sure: Pick<Parsed, 'type' | 'fields' | 'time'>, flags: RecordFlag[], error: string): Parsed {
  return { ...sure, flags: [...flags, 'malformed'], error }
}

function timeOf(eventTime: Head['eventTime']): string {
  return typeof eventTime === 'number' ? epochToRfc3339(eventTime) : ''
}
