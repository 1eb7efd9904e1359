/** The format that the bench of the tables parses: `lsf` where it is registered, else a plain reader of the same lines. */

import { safeText } from '../../src/formats/text.ts'
import { epochToRfc3339 } from '../../src/formats/time.ts'
import type { Format, Parsed } from '../../src/formats/format.ts'
import { noJob } from '../../src/formats/job.ts'
import { lines } from '../../src/formats/lines.ts'
import { formatNames, formatOf } from '../../src/formats/registry.ts'

/** Tokens between blanks, quoted ones whole; no more than the bench needs. */
const plain: Format = {
  ...lines,
  name: 'bench',
  parse(raw): Parsed {
    const tokens = tokensOf(safeText(raw).text)
    const fields: Record<string, unknown> = { type: tokens[0], version: tokens[1] }
    for (let at = 2; at < Math.min(tokens.length, 72); at++) fields[`field${at}`] = tokens[at]
    return { type: 'JOB_FINISH', time: epochToRfc3339(Number(tokens[2])), fields, flags: [], error: '' }
  },
  job({ fields }) {
    const number = (at: number): number => Number(fields[`field${at}`])
    const text = (at: number): string => fields[`field${at}`] as string
    return {
      ...noJob,
      job_id: text(3),
      user: text(11),
      queue: text(12),
      command: text(28),
      submit_host: text(16),
      uid: number(4),
      submit_time: number(7) * 1000,
      start_time: number(10) * 1000,
      end_time: number(2) * 1000,
      logged_time: number(2) * 1000,
      wait_s: number(10) - number(7),
      wall_s: number(2) - number(10),
      slots: number(6),
      exec_hosts: [text(24)],
      state: 'completed',
      state_raw: '64',
    }
  },
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  for (let at = 0; at < text.length; ) {
    if (text.charCodeAt(at) === 34) {
      let end = text.indexOf('"', at + 1)
      while (end >= 0 && text.charCodeAt(end + 1) === 34) end = text.indexOf('"', end + 2)
      tokens.push(text.slice(at + 1, end))
      at = end + 2
    } else {
      const blank = text.indexOf(' ', at)
      const end = blank < 0 ? text.length : blank
      tokens.push(text.slice(at, end))
      at = end + 1
    }
  }
  return tokens
}

export const benchFormat: string = formatNames.includes('lsf') ? 'lsf' : 'bench'

export function formatNamed(name: string): Format {
  return name === 'bench' ? plain : formatOf(name)
}
