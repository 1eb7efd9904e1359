/**
 * `htcondor`: what a schedd writes of jobs that left the queue.
 *
 *     history        ads, each a run of lines `Attr = value` ended by a footer line, its commit mark:
 *                    *** [AdType ]Offset = N ClusterId = C ProcId = P Owner = "o" CompletionDate = T [CurrentTime = T2]
 *     per-job files  one ad, no footer: it ends with the file (a root of such files says `files: whole`)
 *     condor_history the lines that APEL's `-format` options make: 10 or 11 fields separated by `|`
 *
 * A record that begins with an attribute reaches to the footer, whatever stands between: a string may hold line ends, even `***`, so only a
 * line that is a footer in every part counts. Any other first line is a record by itself, so what follows bytes that belong to nothing is
 * framed anew at the next line.
 *
 * A writer that died leaves an ad without a footer, and the next ad follows, even on the same line. The footer names its job: where the
 * ad's first lines name another, and the attribute that began the record comes again after that, a new record begins there. Where it does
 * not come again the two stay one malformed record; where the torn ad did not get as far as naming its job, its attributes remain in the
 * next one. An ad whose footer never comes is cut at the longest record.
 */

import { condorRotation } from '../core/family.ts'
import type { Format, Parsed } from './format.ts'
import { footerKeys, isFooter, parseAd } from './htcondor-ad.ts'
import { jobOfHtcondor } from './htcondor-job.ts'
import { withoutNewline } from './lines.ts'
import { safeText } from './text.ts'
import { epochToRfc3339 } from './time.ts'
import { numberOf } from './values.ts'

const newline = 10
const footerStart = Buffer.from('\n*** ')
/** An attribute name is sought in so many bytes of a line. */
const nameBytesMax = 256
const footerBytesMax = 4096

/** What APEL's htcondor script asks of condor_history, in its order; the last is a factor that not every site asks for. */
const listed = [
  'GlobalJobId',
  'Owner',
  'RemoteWallClockTime',
  'RemoteUserCpu',
  'RemoteSysCpu',
  'JobStartDate',
  'EnteredCurrentStatus',
  'ResidentSetSize_RAW',
  'ImageSize_RAW',
  'RequestCpus',
  'MachineAttrApelScaling0',
]
const listedText = 2

export const htcondor: Format = {
  name: 'htcondor',
  parser: 2,
  header: 'none',
  rotation: condorRotation,
  text: true,
  endOf(bytes, start, final) {
    const first = bytes.indexOf(newline, start)
    if (first < 0) return final ? bytes.length : null
    const name = attributeAt(bytes, start, first)
    if (name === '') return first + 1
    const footer = footerAfter(bytes, first)
    if (footer === null) return final ? bytes.length : null
    return tornAt(bytes, { start, name, footer: footer.start }) ?? footer.end
  },
  parse(raw): Parsed {
    const { text, lossy } = safeText(raw)
    const { fields, type, error } = attributeAt(raw, 0, raw.length) === '' ? otherLine(raw) : parseAd(text)
    const flags: Parsed['flags'] = lossy ? ['lossy'] : []
    if (error !== '') flags.push('malformed')
    return { type, time: timeOf(fields), fields, flags, error }
  },
  job: jobOfHtcondor,
}

/** The name of the attribute that a line gives, or ''. */
function attributeAt(bytes: Buffer, start: number, end: number): string {
  const line = bytes.toString('latin1', start, Math.min(end, start + nameBytesMax))
  return /^([A-Za-z_][\w.]*) ?= ?[^=\s]/.exec(line)?.[1] ?? ''
}

/** The first footer line that begins after `from`; null where none has ended. */
function footerAfter(bytes: Buffer, from: number): { start: number; end: number } | null {
  for (let at = bytes.indexOf(footerStart, from); at >= 0; at = bytes.indexOf(footerStart, at + 1)) {
    const end = bytes.indexOf(newline, at + 1)
    if (end < 0) return null
    if (end - at <= footerBytesMax && isFooter(bytes.toString('latin1', at + 1, end)))
      return { start: at + 1, end: end + 1 }
  }
  return null
}

/** Where the ad that the footer belongs to begins, if another, torn one stands before it in the record. */
function tornAt(bytes: Buffer, record: { start: number; name: string; footer: number }): number | null {
  const { start, name, footer } = record
  const other = otherJobAt(bytes, { start, footer })
  if (other === null) return null
  const needle = bytes.subarray(start, start + name.length + 3)
  const at = bytes.indexOf(needle, other)
  return at > start && at < footer ? at : null
}

/** After the first line that names another job than the footer does, or null. */
function otherJobAt(bytes: Buffer, { start, footer }: { start: number; footer: number }): number | null {
  const line = bytes.toString('latin1', footer, Math.max(footer, bytes.indexOf(newline, footer)))
  for (const key of ['ClusterId', 'ProcId']) {
    const expected = footerKeys(line)[key]
    const needle = `${key} = `
    const first = bytes.toString('latin1', start, start + needle.length) === needle
    const at = first ? start : bytes.indexOf(`\n${needle}`, start) + 1
    if (expected === undefined || (at === 0 && !first) || at >= footer) continue
    const from = at + needle.length
    const end = bytes.indexOf(newline, from)
    if (/^\d+/.exec(bytes.toString('latin1', from, end))?.[0] !== expected) return from
  }
  return null
}

interface Told {
  fields: Record<string, unknown>
  type: string
  error: string
}

/** A record that is a line by itself. */
function otherLine(raw: Buffer): Told {
  const { text } = safeText(withoutNewline(raw))
  const parts = text.split('|')
  if (parts.length === listed.length - 1 || parts.length === listed.length) return listedJob(parts)
  if (isFooter(text)) {
    const fields: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(footerKeys(text))) fields[key] = numberOf(value) ?? value
    return { fields, type: '', error: 'no-ad' }
  }
  return { fields: {}, type: '', error: text.trim() === '' ? 'empty' : 'not-an-attribute' }
}

function listedJob(parts: string[]): Told {
  const fields: Record<string, unknown> = {}
  for (const [index, text] of parts.entries()) {
    if (text === '' && index >= listedText) continue
    const value = index < listedText ? text : numberOf(text)
    if (value === null) return { fields: {}, type: '', error: 'not-a-number' }
    fields[listed[index] as string] = value
  }
  return { fields, type: 'Job', error: '' }
}

/** When it left the queue: completed, or else entered its last state. */
function timeOf(fields: Record<string, unknown>): string {
  for (const name of ['CompletionDate', 'EnteredCurrentStatus', 'CurrentTime']) {
    const value = fields[name]
    if (typeof value === 'number' && value > 0) return epochToRfc3339(value)
  }
  return ''
}
