/**
 * Slurm's times: `YYYY-MM-DDTHH:MM:SS` without an offset, so in the root's zone; with one (`SLURM_TIME_FORMAT`), or seconds since 1970
 * (`%s`). `Unknown`, `None` and the like are none.
 */

import { formatRfc3339 } from '../core/rfc3339.ts'
import { epochMs } from './quantity.ts'
import { civilMs, rfc3339Ms } from './time.ts'
import type { ZonedText } from './zone.ts'
import { instantOf, zonedText } from './zone.ts'

const civilForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/
const epochForm = /^\d{9,10}$/

/** The first of `texts` that is a time. */
export function slurmTime(texts: readonly (string | undefined)[], timezone: string | undefined): ZonedText {
  for (const text of texts) {
    if (text === undefined || !isDigit(text)) continue
    const civil = civilOf(text)
    if (civil !== null) return zonedText(text, civil, timezone)
    const ms = exactMs(text)
    if (ms !== null) return { time: formatRfc3339(ms) }
  }
  return { time: '' }
}

/** One time in ms since 1970; null for none, and for a local one without a zone. */
export function slurmMs(text: string | null, timezone: string | undefined): number | null {
  if (text === null || !isDigit(text)) return null
  const civil = civilOf(text)
  if (civil !== null) return timezone === undefined ? null : (instantOf(civil, timezone)?.ms ?? null)
  return exactMs(text)
}

function isDigit(text: string): boolean {
  return text.charCodeAt(0) >= 0x30 && text.charCodeAt(0) <= 0x39
}

function exactMs(text: string): number | null {
  return epochForm.test(text) ? epochMs(text) : rfc3339Ms(text)
}

function civilOf(text: string): number | null {
  if (text.length !== 19 || !civilForm.test(text)) return null
  const part = (from: number, to: number): number => Number(text.slice(from, to))
  return civilMs([part(0, 4), part(5, 7), part(8, 10), part(11, 13), part(14, 16), part(17, 19)])
}
