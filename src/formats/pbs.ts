/**
 * `pbs`: the accounting files of Torque, PBS Pro and OpenPBS, one record a line:
 *
 *     MM/DD/YYYY HH:MM:SS;T;id;key=value key=value ...
 *
 * The fields are `recordTime`, `recordType` and `id` from the head, then every attribute under its own name, as text. The type is T,
 * whatever it is: `Q` queued, `S` started, `E` ended, `D` deleted, and many more.
 *
 * The head's time is local to the server. With the root's zone it is the record's time; without one (`decode`) only what a record says in
 * seconds since 1970 is: `end` of an ended or requeued job, `start` of a started one. The text is kept either way.
 *
 * The server keeps a file per local day, `YYYYMMDD`, and never renames it. So only `.1` and `.old` are taken for rotation suffixes: a
 * date in a name tells another day, and that file is its own family and grows under its own name.
 */

import type { Format, ParseContext, Parsed } from './format.ts'
import { endOfLine, parseText } from './lines.ts'
import type { Attributes } from './pbs-attributes.ts'
import { readAttributes } from './pbs-attributes.ts'
import { pbsJob } from './pbs-job.ts'
import { civilMs, epochToRfc3339 } from './time.ts'
import type { ZonedText } from './zone.ts'
import { zonedText } from './zone.ts'

export const pbs: Format = {
  name: 'pbs',
  parser: 2,
  header: 'none',
  rotation: [String.raw`\.\d{1,3}$`, String.raw`\.(?:old|bak)$`],
  text: true,
  endOf: endOfLine,
  parse: parseText(parseLine),
  job: pbsJob,
}

function parseLine(text: string, { timezone }: ParseContext): Parsed {
  const from = startOfHead(text)
  if (from < 0) return malformed(text.trim() === '' ? 'empty' : 'no-head')
  const typeEnd = text.indexOf(';', from + 20)
  const idEnd = typeEnd < 0 ? -1 : text.indexOf(';', typeEnd + 1)
  if (idEnd < 0 || typeEnd === from + 20 || typeEnd > from + 28) return malformed('no-head')
  const recordTime = text.slice(from, from + 19)
  const recordType = text.slice(from + 20, typeEnd)
  const fields: Attributes = { recordTime, recordType, id: text.slice(typeEnd + 1, idEnd) }
  const error = readAttributes(text, idEnd + 1, fields)
  const civil = civilOf(recordTime)
  if (civil === null) return { ...malformed('bad-time'), type: recordType, fields }
  const flags: Parsed['flags'] = error === '' ? [] : ['malformed']
  return { type: recordType, ...timeOf({ recordTime, civil, timezone, fields }), fields, flags, error }
}

/** Where the head begins: at once, or behind what `grep` puts before a line: `20150327:`. */
function startOfHead(text: string): number {
  if (isHead(text, 0)) return 0
  const prefix = /^[^\s;]{1,255}?:(?=\d\d\/)/.exec(text)
  return prefix && isHead(text, prefix[0].length) ? prefix[0].length : -1
}

/** Digits or not, `NN/NN/NNNN NN:NN:NN;` stands at `at`. */
function isHead(text: string, at: number): boolean {
  return (
    text.charCodeAt(at + 2) === 0x2f &&
    text.charCodeAt(at + 5) === 0x2f &&
    text.charCodeAt(at + 10) === 0x20 &&
    text.charCodeAt(at + 13) === 0x3a &&
    text.charCodeAt(at + 16) === 0x3a &&
    text.charCodeAt(at + 19) === 0x3b
  )
}

const digits = /^\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/

function civilOf(text: string): number | null {
  if (!digits.test(text)) return null
  const part = (from: number, to: number): number => Number(text.slice(from, to))
  return civilMs([part(6, 10), part(0, 2), part(3, 5), part(11, 13), part(14, 16), part(17, 19)])
}

interface Head {
  recordTime: string
  civil: number
  timezone: string | undefined
  fields: Attributes
}

const epochKeys: Record<string, string> = { E: 'end', R: 'end', S: 'start' }

function timeOf({ recordTime, civil, timezone, fields }: Head): ZonedText {
  if (timezone !== undefined) return zonedText(recordTime, civil, timezone)
  const epoch = fields[epochKeys[fields['recordType'] as string] ?? '']
  return { time: typeof epoch === 'string' && /^\d{1,10}$/.test(epoch) ? epochToRfc3339(Number(epoch)) : '' }
}

function malformed(error: string): Parsed {
  return { type: '', time: '', fields: {}, flags: ['malformed'], error }
}
