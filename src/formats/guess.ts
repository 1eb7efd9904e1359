/**
 * Which format a file has, by trying: each parses the first whole records, and the one that understands most of them is taken.
 *
 *  - A format must understand more than half. Of those that do alike, the one that finds more jobs, then the first by name.
 *  - `csv` and `lines` fit almost anything: `csv` only where nothing else fits and there are two rows or more, of two columns or more, all
 *    of them whole; `lines` last, for everything, bytes that are no text and empty input among it.
 */

import type { Format, Framed } from './format.ts'
import { frame, sourceContext } from './format.ts'
import type { Tally } from './tally.ts'
import { tallyOf } from './tally.ts'

const lastResorts = ['csv', 'lines']

export interface Guess {
  format: Format
  tally: Tally
}

/** `formats` must hold one named `lines`. */
export function guessFormat(beginning: Buffer, formats: readonly Format[]): Guess {
  const bytes = wholeLines(beginning)
  const guesses = formats.map((format): Guess => {
    const context = sourceContext(format, {}, bytes)
    return { format, tally: tallyOf(format, firstRecords(format, bytes), context) }
  })
  const special = guesses
    .filter(({ format, tally }) => !lastResorts.includes(format.name) && tally.understood * 2 > tally.tried)
    .sort((a, b) => share(b) - share(a) || b.tally.jobs - a.tally.jobs || (a.format.name < b.format.name ? -1 : 1))
  const found =
    special[0] ??
    guesses.find((one) => one.format.name === 'csv' && isTable(one, bytes)) ??
    guesses.find(({ format }) => format.name === 'lines')
  if (found === undefined) throw new TypeError('expected lines among the formats')
  return found
}

/** What follows the last newline may be cut; without any newline it is all there is. */
function wholeLines(bytes: Buffer): Buffer {
  const end = bytes.lastIndexOf(10) + 1
  return end > 0 ? bytes.subarray(0, end) : bytes
}

/** The whole ones; else what is there of the first. */
function firstRecords(format: Format, bytes: Buffer): Framed[] {
  const options = { offset: 0, recordBytesMax: bytes.length + 1 }
  const whole = frame(format, bytes, { ...options, final: false })
  return whole.length > 0 ? whole : frame(format, bytes, { ...options, final: true })
}

function share({ tally }: Guess): number {
  return tally.understood / tally.tried
}

function isTable({ format, tally }: Guess, bytes: Buffer): boolean {
  const columns = format.columns?.(bytes) ?? []
  return columns.length >= 2 && tally.tried >= 2 && tally.understood === tally.tried
}
