/**
 * `jsonl`: one JSON object per line. Integers that a double cannot hold are kept as strings. The type is `type` or `event`, the time
 * `time`, `timestamp`, `@timestamp` or `ts`: RFC 3339 with an offset, or seconds (milliseconds above 1e11) since 1970.
 */

import { commonRotation } from '../core/family.ts'
import type { Format, Parsed } from './format.ts'
import { endOfLine, withoutNewline } from './lines.ts'
import { safeText, safeValue } from './text.ts'
import { epochToRfc3339, toRfc3339 } from './time.ts'

const typeKeys = ['type', 'event']
const timeKeys = ['time', 'timestamp', '@timestamp', 'ts']
const depthMax = 200

export const jsonl: Format = {
  name: 'jsonl',
  parser: 1,
  header: 'none',
  rotation: commonRotation,
  text: true,
  endOf: endOfLine,
  parse(raw): Parsed {
    const line = withoutNewline(raw)
    const { text, lossy } = safeText(line)
    const parsed = parseObject(text)
    if (typeof parsed === 'string') return malformed(parsed)
    const safe = safeValue(parsed)
    const fields = safe.value as Record<string, unknown>
    return {
      type: typeOf(fields),
      time: timeOf(fields),
      fields,
      flags: lossy || safe.lossy ? ['lossy'] : [],
      error: '',
    }
  },
}

/** The object, or the code of what is wrong. */
function parseObject(text: string): Record<string, unknown> | string {
  if (text.trim() === '') return 'empty'
  if (nestingOf(text) > depthMax) return 'too-deep'
  try {
    const value: unknown = JSON.parse(text, keepInteger)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
    return 'not-an-object'
  } catch {
    return 'not-json'
  }
}

/** An integer beyond 2^53 as the text it was written as. */
function keepInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  if (source !== undefined && /^-?\d+$/.test(source)) return source
  return Number.isFinite(value) ? value : (source ?? null)
}

/** How deep brackets nest, those in strings left out. */
function nestingOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isString = false
  for (let at = 0; at < text.length && deepest <= depthMax; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) isString = !isString
    else if (isString) at += code === 0x5c ? 1 : 0
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x5d || code === 0x7d) depth--
  }
  return deepest
}

function typeOf(fields: Record<string, unknown>): string {
  const value = typeKeys.map((key) => fields[key]).find((one) => typeof one === 'string')
  return typeof value === 'string' ? value.slice(0, 64) : ''
}

function timeOf(fields: Record<string, unknown>): string {
  for (const key of timeKeys) {
    const value = fields[key]
    const time = typeof value === 'string' ? toRfc3339(value) : typeof value === 'number' ? epochToRfc3339(value) : ''
    if (time !== '') return time
  }
  return ''
}

function malformed(error: string): Parsed {
  return { type: '', time: '', fields: {}, flags: ['malformed'], error }
}
