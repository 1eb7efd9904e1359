/** `lines`: one record per line, its text the only field. */

import { commonRotation } from '../core/family.ts'
import type { Format, ParseContext, Parsed } from './format.ts'
import { safeText } from './text.ts'

export const lines: Format = {
  name: 'lines',
  parser: 1,
  header: 'none',
  rotation: commonRotation,
  text: true,
  endOf: endOfLine,
  parse(raw): Parsed {
    const { text, lossy } = safeText(withoutNewline(raw))
    return { type: 'line', time: '', fields: { line: text }, flags: lossy ? ['lossy'] : [], error: '' }
  },
}

/** For every format with one record per line. */
export function endOfLine(bytes: Buffer, start: number, final: boolean): number | null {
  const newline = bytes.indexOf(10, start)
  if (newline >= 0) return newline + 1
  return final ? bytes.length : null
}

/** Without the newline, and the carriage return before it. */
export function withoutNewline(raw: Buffer): Buffer {
  if (raw[raw.length - 1] !== 10) return raw
  return raw.subarray(0, raw[raw.length - 2] === 13 ? raw.length - 2 : raw.length - 1)
}

/** The `parse` of a format whose records are lines of text. */
export function parseText(parseLine: (text: string, context: ParseContext) => Parsed): Format['parse'] {
  return (raw, context) => {
    const { text, lossy } = safeText(withoutNewline(raw))
    const parsed = parseLine(text, context)
    if (lossy) parsed.flags.unshift('lossy')
    return parsed
  }
}
