/** Archived records → rows of the tables, in batches of bounded size. */

import { formatRfc3339 } from '../core/rfc3339.ts'
import type { Direct, Format, Framed, ParseContext } from '../formats/format.ts'
import { directOf, jobOf, parseFramed } from '../formats/format.ts'
import type { Job } from '../formats/job.ts'
import type { Mark } from '../roles/ledger.ts'

/** What all records that end in one segment have in common. */
export interface Place {
  source: string
  family: string
  path: string
  format: string
  segment: string
  sha256: string
  archivedMs: number
  parser: number
}

export interface RecordRow {
  place: Place
  offset: number
  length: number
  type: string | null
  timeMs: number | null
  /** UTC date of the time; null without one. */
  date: string | null
  timeText: string | null
  timeZone: string | null
  isAmbiguous: boolean
  isIncomplete: boolean
  isLossy: boolean
  raw: Buffer
  /** JSON, as text or UTF-8. */
  fields: string | Uint8Array
  error: string | null
  job: Job | null
}

export function placeOf(mark: Mark, format: Format): Place {
  const { source, family, path, key, sha256, storedAtMs } = mark
  return {
    source,
    family,
    path,
    format: format.name,
    segment: key,
    sha256,
    archivedMs: storedAtMs,
    parser: format.parser,
  }
}

/** A record that was cut at the longest length counts as incomplete. */
export function rowOf(
  framed: Framed,
  place: Place,
  { format, parse }: { format: Format; parse: ParseContext },
): RecordRow {
  const { start, end, raw } = framed
  const direct = directOf(format, framed)
  if (direct !== null) return directRow(framed, place, direct)
  const parsed = parseFramed(format, framed, parse)
  const timeMs = parsed.time === '' ? null : timeOf(parsed.time)
  const { local, flags } = parsed
  return {
    place,
    offset: start,
    length: end - start,
    type: parsed.type === '' ? null : parsed.type,
    timeMs,
    date: timeMs === null ? null : parsed.time.slice(0, 10),
    timeText: local?.text ?? null,
    timeZone: local?.zone ?? null,
    isAmbiguous: local?.ambiguous ?? false,
    isIncomplete: flags.includes('incomplete') || flags.includes('cut'),
    isLossy: flags.includes('lossy'),
    raw,
    fields: JSON.stringify(parsed.fields),
    error: parsed.error === '' ? null : parsed.error,
    job: parsed.error === '' ? jobOf(format, parsed, parse) : null,
  }
}

function directRow({ start, end, raw }: Framed, place: Place, { type, timeS, fields, job }: Direct): RecordRow {
  return {
    place,
    offset: start,
    length: end - start,
    type,
    timeMs: timeS * 1000,
    date: dateOf(timeS),
    timeText: null,
    timeZone: null,
    isAmbiguous: false,
    isIncomplete: false,
    isLossy: false,
    raw,
    fields,
    error: null,
    job,
  }
}

const dayS = 86_400
/** Records follow each other in time. */
let last = { day: Number.NaN, date: '' }

function dateOf(timeS: number): string {
  const day = Math.floor(timeS / dayS)
  if (day !== last.day) last = { day, date: formatRfc3339(day * dayS * 1000).slice(0, 10) }
  return last.date
}

function timeOf(text: string): number | null {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : ms
}
