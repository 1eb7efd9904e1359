/**
 * The stream entry of a record, as CONTRACTS.md fixes it. `epoch` and `seq` are added where it is published. The same fields make
 * the NDJSON of `tail`, `replay` and `decode`.
 */

import { isUtf8 } from 'node:buffer'
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
  const parsed = format.parse(framed.raw, place.parse)
  const flags = [...new Set([...framed.flags, ...parsed.flags])].join(',')
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
    flags,
    error: parsed.error,
    fields: JSON.stringify(parsed.fields),
  }
  if (framed.raw.length <= place.rawBytesMax) entry['raw'] = framed.raw
  return entry
}

/** Entry → one line of NDJSON, without newline: numbers as numbers, `fields` as an object, `raw` as text or `raw_base64`. */
export function entryLine(entry: Record<string, string | Buffer>): string {
  const out: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(entry)) {
    if (name === 'raw') putRaw(out, Buffer.isBuffer(value) ? value : Buffer.from(value))
    else out[name] = valueOf(name, value.toString())
  }
  return JSON.stringify(out)
}

const numeric = new Set(['v', 'seq', 'start', 'end', 'revision'])

function valueOf(name: string, text: string): unknown {
  if (numeric.has(name)) return Number(text)
  return name === 'fields' ? (JSON.parse(text) as unknown) : text
}

function putRaw(out: Record<string, unknown>, raw: Buffer): void {
  if (isUtf8(raw)) out['raw'] = raw.toString('utf8')
  else out['raw_base64'] = raw.toString('base64')
}
