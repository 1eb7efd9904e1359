/**
 * Whether the root's format fits a file, told as an anomaly where it does not: most of the file's first records are malformed. It is
 * archived and published all the same.
 *
 * Judged once per source, by whoever archives its beginning, with or without Redis: from the bytes of the first segment while they are at
 * hand. Where that segment holds too few records, what is archived of the source's beginning is read again when twice as many lines have
 * come, a few times at most. A source that is longer than the sample when this process meets it was judged before.
 */

import { LruMap } from '../core/lru.ts'
import { isGleanerError } from '../errors.ts'
import type { Format } from '../formats/format.ts'
import { frame, sourceContext } from '../formats/format.ts'
import { lines } from '../formats/lines.ts'
import type { Tally } from '../formats/tally.ts'
import { tallyOf } from '../formats/tally.ts'
import type { RootSettings } from './context.ts'
import type { Journal } from './journal.ts'
import type { Ledger, Mark } from './ledger.ts'

/** Fewer records say nothing. */
const recordsMin = 20
export const sampleBytes = 256 * 1024
const sourcesMax = 10_000

export interface Fit {
  /**
   * Told of segments that were made of one source, in order; `beginning`: the source's first bytes, as far as the first of them holds
   * them, if it begins the source. Throws `store-*`.
   */
  judge(made: { path: string; marks: Mark[]; beginning: Buffer | null }): Promise<void>
}

/** Whether a source is judged as soon as its first segment, of so many lines, is made. */
export function isJudgedAtOnce({ format }: RootSettings, lineCount: number): boolean {
  return format !== lines && lineCount >= recordsMin
}

export function openFit(root: RootSettings, { ledger, journal }: { ledger: Ledger; journal: Journal }): Fit {
  const { format } = root
  /** Lines that were archived here, and with how many the source is judged. */
  const sources = new LruMap<string, { lines: number; judgedAt: number }>(sourcesMax)

  const sampleOf = async (marks: Mark[], beginning: Buffer | null): Promise<Buffer> => {
    if (beginning !== null && (marks.length === 1 || beginning.length >= sampleBytes)) return beginning
    const { source, end } = marks.at(-1) as Mark
    const pieces: Buffer[] = []
    try {
      for await (const { bytes } of ledger.read(source, { start: 0, end: Math.min(end, sampleBytes) }))
        pieces.push(bytes)
    } catch (error) {
      // The beginning is not there any more, or damaged, which is for verify to tell.
      if (!isGleanerError(error) || error.retry) throw error
    }
    return Buffer.concat(pieces)
  }

  return {
    async judge({ path, marks, beginning }) {
      const first = marks[0]
      if (format === lines || first === undefined || first.start >= sampleBytes) return
      const { source } = first
      const state = sources.get(source) ?? { lines: first.start === 0 ? 0 : recordsMin, judgedAt: recordsMin }
      sources.set(source, state)
      for (const mark of marks) state.lines += mark.lines
      if (state.lines < state.judgedAt) return
      const bytes = await sampleOf(marks, beginning)
      const tally = tallyOfSample(root, bytes)
      state.judgedAt =
        tally.tried < recordsMin && bytes.length < sampleBytes ? state.lines * 2 : Number.POSITIVE_INFINITY
      if (tally.tried < recordsMin || tally.understood * 2 >= tally.tried) return
      await journal.record({ kind: 'mismatch', source, path, start: 0, end: 0, detail: detailOf(format, tally) })
    },
  }
}

function tallyOfSample({ format, parse, limits }: RootSettings, bytes: Buffer): Tally {
  const records = frame(format, bytes, { offset: 0, recordBytesMax: limits.lineBytesMax, final: false })
  return tallyOf(format, records, sourceContext(format, parse, bytes))
}

function detailOf(format: Format, { tried, understood, firstError }: Tally): string {
  const first = firstError === null ? '' : `, the first at offset ${firstError.offset}: ${firstError.code}`
  return `${tried - understood} of the first ${tried} records are no ${format.name}${first}; they are archived as they are`
}
