/** How well a format fits a file: what it makes of the file's first records. Neither comments, headers nor empty lines count. */

import type { Format, Framed, ParseContext } from './format.ts'
import { jobOf, parseFramed } from './format.ts'

const recordsMax = 100
const uncounted = ['comment', 'header', 'blank']

export interface Tally {
  /** Records that count. */
  tried: number
  /** Those of them without error. */
  understood: number
  /** Those that tell of a job. */
  jobs: number
  /** The first record with an error. */
  firstError: { offset: number; code: string } | null
}

/** Of the first hundred records. */
export function tallyOf(format: Format, records: Framed[], context: ParseContext): Tally {
  const tally: Tally = { tried: 0, understood: 0, jobs: 0, firstError: null }
  for (const framed of records.slice(0, recordsMax)) {
    const parsed = parseFramed(format, framed, context)
    const { error, type } = parsed
    if (uncounted.includes(type) || error === 'empty') continue
    tally.tried++
    if (error !== '') tally.firstError ??= { offset: framed.start, code: error }
    else tally.understood++
    if (jobOf(format, parsed, context)) tally.jobs++
  }
  return tally
}
