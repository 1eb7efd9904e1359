/**
 * `csv`: rows as RFC 4180 has them, the first one the names of the columns. Fields are separated by `,`, `;` or tab: whichever the first row
 * holds most of. A field in quotes may hold any of them, line ends, and `""` for a quote.
 *
 * Where a row ends does not depend on the separator: a quote opens a field at the start of a row or after any of the three. After a closing
 * quote a separator or a line end must follow, and a row of several lines is at most 1 MiB long. One that breaks either rule ends at its
 * first line end, so a lost quote costs the row that it stands in.
 */

import { commonRotation } from '../core/family.ts'
import { fieldsOfRow } from './csv-row.ts'
import type { Format, ParseContext, Parsed } from './format.ts'
import { withoutNewline } from './lines.ts'
import { safeText } from './text.ts'
import { epochToRfc3339, toRfc3339 } from './time.ts'
import { numberOf, putField } from './values.ts'

const quote = 0x22
const newline = 10
const carriageReturn = 13
const separators = [',', ';', '\t'] as const
const separatorBytes = new Set(separators.map((one) => one.charCodeAt(0)))
const joinedBytesMax = 1024 * 1024
const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf)
const timeName = /^(?:@?timestamp|time|ts|datetime|date)$/i

export const csv: Format = {
  name: 'csv',
  parser: 1,
  header: { lines: 1 },
  rotation: commonRotation,
  text: true,
  endOf(bytes, start, final) {
    const lineEnd = bytes.indexOf(newline, start) + 1
    if (lineEnd === 0) return final ? bytes.length : null
    const firstQuote = bytes.subarray(start, lineEnd).indexOf(quote)
    if (firstQuote < 0) return lineEnd
    const end = rowEnd(bytes.subarray(start, start + joinedBytesMax))
    if (typeof end === 'number') return start + end
    if (end === 'broken' || bytes.length - start >= joinedBytesMax) return lineEnd
    if (!final) return null
    return end === 'open' ? lineEnd : bytes.length
  },
  columns(beginning) {
    const row = firstRow(beginning)
    return row === '' ? null : namesOf(fieldsOfRow(row, separatorOf(row)).fields)
  },
  delimiter: (beginning) => separatorOf(firstRow(beginning)),
  parse(raw, context): Parsed {
    const { text, lossy } = safeText(withoutNewline(raw))
    const parsed = parseRow(text.replace(/^\uFEFF/, ''), context)
    const flags: Parsed['flags'] = lossy ? ['lossy'] : []
    if (parsed.error !== '') flags.push('malformed')
    return { ...parsed, time: timeOf(parsed.fields), flags }
  },
}

/** Where the row ends; `broken`: its quotes are not as they must be; where these bytes end first: `open` within quotes, `more` outside. */
function rowEnd(bytes: Buffer): number | 'open' | 'more' | 'broken' {
  let at = bytes.subarray(0, 3).equals(byteOrderMark) ? 3 : 0
  while (at < bytes.length) {
    if (bytes[at] === quote) {
      const closed = afterQuoted(bytes, at)
      if (closed < 0) return 'open'
      if (closed === bytes.length) return 'more'
      const next = bytes[closed]
      if (next === newline) return closed + 1
      if (next === carriageReturn && closed + 1 === bytes.length) return 'more'
      if (next === carriageReturn && bytes[closed + 1] === newline) return closed + 2
      if (!separatorBytes.has(next as number)) return 'broken'
      at = closed + 1
      continue
    }
    while (at < bytes.length && bytes[at] !== newline && !separatorBytes.has(bytes[at] as number)) at++
    if (bytes[at] === newline) return at + 1
    at++
  }
  return 'more'
}

/** Behind the quote that closes the one at `open`; -1 where none does. */
function afterQuoted(bytes: Buffer, open: number): number {
  for (let at = bytes.indexOf(quote, open + 1); at >= 0; at = bytes.indexOf(quote, at + 2)) {
    if (bytes[at + 1] !== quote) return at + 1
  }
  return -1
}

function firstRow(beginning: Buffer): string {
  const end = csv.endOf(beginning, 0, true) ?? 0
  return safeText(withoutNewline(beginning.subarray(0, end))).text.replace(/^\uFEFF/, '')
}

function separatorOf(row: string): string {
  const bare = row.replace(/"(?:[^"]|"")*"/g, '')
  const counts = separators.map((one) => bare.split(one).length)
  return separators[counts.indexOf(Math.max(...counts))] as string
}

/** Each name once: `column_2` for an empty one, `name_2` for the second of that name. */
function namesOf(fields: string[]): string[] {
  const names = new Set<string>()
  for (const [index, field] of fields.entries()) {
    const wanted = nameOf(field, index)
    let name = wanted
    for (let n = 2; names.has(name); n++) name = `${wanted}_${n}`
    names.add(name)
  }
  return [...names]
}

function nameOf(field: string | undefined, index: number): string {
  return field?.trim() || `column_${index + 1}`
}

function parseRow(text: string, { columns, delimiter }: ParseContext): Pick<Parsed, 'type' | 'fields' | 'error'> {
  if (text.trim() === '') return { type: '', fields: {}, error: 'empty' }
  if (columns === undefined) return { type: '', fields: {}, error: 'no-columns' }
  const row = fieldsOfRow(text, delimiter ?? ',')
  const fields: Record<string, unknown> = {}
  for (const [index, name] of columns.entries()) {
    if (index < row.fields.length) putField(fields, name, row.fields[index])
  }
  const count = row.fields.length - columns.length
  const error = !row.ok ? 'bad-quoting' : count < 0 ? 'too-few-fields' : count > 0 ? 'too-many-fields' : ''
  return { type: isHeader(row.fields, columns) ? 'header' : 'row', fields, error }
}

/** The row of names, wherever it stands: files that were joined hold it more than once. */
function isHeader(fields: string[], columns: string[]): boolean {
  if (fields.length !== columns.length || nameOf(fields[0], 0) !== columns[0]) return false
  const names = namesOf(fields)
  return columns.every((name, index) => name === names[index])
}

/** Of the first column that is named for a time and holds one. */
function timeOf(fields: Record<string, unknown>): string {
  for (const name in fields) {
    const value = fields[name]
    if (!timeName.test(name) || typeof value !== 'string') continue
    const number = numberOf(value)
    const time = typeof number === 'number' ? epochToRfc3339(number) : toRfc3339(value)
    if (time !== '') return time
  }
  return ''
}
