/**
 * The stream entry of a record, as CONTRACTS.md fixes it. `epoch` and `seq` are added where it is published. The same fields make
 * the NDJSON of `tail`, `replay` and `decode`.
 */

import { isUtf8 } from 'node:buffer'
import { parseFramed } from './format.ts'
import type { Format, Framed, ParseContext } from './format.ts'

export interface EntryPlace {
  source: string
  path: string
  family: string
}

export interface EntryOptions {
  /** Above it `raw` is left out. */
  rawBytesMax: number
  parse: ParseContext
}

export type Entry = Record<string, string | Buffer>

export function recordEntry(format: Format, framed: Framed, place: EntryPlace & EntryOptions): Entry {
  const parsed = parseFramed(format, framed, place.parse)
  const entry: Entry = {
    v: '1',
    kind: 'record',
    source: place.source,
    start: String(framed.start),
    end: String(framed.end),
    revision: '0',
    path: place.path,
    family: place.family,
    format: format.name,
    type: parsed.type,
    time: parsed.time,
    flags: parsed.flags.join(','),
    error: parsed.error,
    fields: JSON.stringify(parsed.fields),
  }
  if (framed.raw.length <= place.rawBytesMax) entry['raw'] = framed.raw
  return entry
}

/** Entry → one line of NDJSON, without newline: numbers as numbers, `fields` as an object, `raw` as text or `raw_base64`. */
export function entryLine(entry: Record<string, string | Buffer>): string {
  let line = ''
  for (const [name, value] of Object.entries(entry)) {
    const json = name === 'raw' ? rawJson(Buffer.isBuffer(value) ? value : Buffer.from(value)) : valueJson(name, value)
    line += `${line === '' ? '{' : ','}${json}`
  }
  return line === '' ? '{}' : `${line}}`
}

const numeric = new Set(['v', 'seq', 'start', 'end', 'revision'])

function valueJson(name: string, value: string | Buffer): string {
  const text = value.toString()
  // `fields` is JSON already.
  const json = name === 'fields' ? text : JSON.stringify(numeric.has(name) ? Number(text) : text)
  return `${JSON.stringify(name)}:${json}`
}

function rawJson(raw: Buffer): string {
  if (isUtf8(raw)) return `"raw":${JSON.stringify(raw.toString('utf8'))}`
  return `"raw_base64":"${raw.toString('base64')}"`
}
