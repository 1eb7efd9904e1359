/**
 * `slurm`: what `sacct --parsable2` prints, and the file of jobcomp/filetxt. A record is a line; each line shows which of the two it is.
 *
 *   type                         line                                                      fields
 *   job, step, batch, extern,    one of sacct's; the type from the form of its `JobID`     by column name, as text
 *   interactive
 *   job                          filetxt: `JobId=...`                                      by key, as text
 *   header                       the names of sacct's columns, also amid a file that       `columns`
 *                                dumps are appended to
 *   comment                      begins with `#`                                           `comment`
 *
 * Columns come from the source's first line (see `columns` in format.ts). A record's time is its end, else its start, else when it was
 * eligible or submitted.
 *
 * A job's name may hold a newline, which sacct prints as it is. Whether the next line goes on with this one would show only once that
 * has come, and the last record of a file would wait for ever; so lines are not joined: both halves are malformed, and both are kept.
 * Malformed: `too-few-columns`, `too-many-columns`, `not-a-job` (an error message, half a record), `no-columns` (no names at the
 * source's beginning, nor a layout that is known: the fields are then `col1`, `col2`, ...), `columns-changed` (names amid the file that
 * are others than at its beginning: the lines after them cannot be trusted), and those of slurm-filetxt.ts.
 *
 * The header rule is a prefix and not a number of lines: a filetxt file has no header, and its first record must not be taken for one.
 */

import { commonRotation } from '../core/family.ts'
import type { Format, ParseContext, Parsed } from './format.ts'
import { endOfLine, parseText } from './lines.ts'
import type { Layout } from './slurm-columns.ts'
import { columnsOf, cut, layoutOf, readHeader, recognise } from './slurm-columns.ts'
import { readFiletxt } from './slurm-filetxt.ts'
import { readSlurmId, slurmType } from './slurm-id.ts'
import { slurmJob } from './slurm-job.ts'
import { slurmTime } from './slurm-time.ts'

export const slurm: Format = {
  name: 'slurm',
  parser: 2,
  header: { prefix: 'JobID' },
  rotation: commonRotation,
  text: true,
  endOf: endOfLine,
  parse: parseText(parseLine),
  columns: columnsOf,
  job: slurmJob,
}

function parseLine(text: string, context: ParseContext): Parsed {
  if (text.startsWith('JobId=')) return parseFiletxt(text, context)
  if (text.startsWith('#')) return { type: 'comment', time: '', fields: { comment: text }, flags: [], error: '' }
  const columns = readHeader(text)
  if (columns !== null) return parseHeader(columns, context)
  if (context.columns === undefined) return parseUnnamed(text, context)
  const layout = layoutOf(context.columns)
  const cells = cut(text, layout)
  if (typeof cells === 'string') return malformed(text.trim() === '' ? 'empty' : cells)
  return parseRow(cells, layout, context)
}

function parseFiletxt(text: string, { timezone }: ParseContext): Parsed {
  const { fields, error } = readFiletxt(text)
  const times = [fields['EndTime'], fields['StartTime'], fields['EligibleTime'], fields['SubmitTime']]
  return { type: 'job', ...slurmTime(times, timezone), fields, flags: error === '' ? [] : ['malformed'], error }
}

function parseHeader(columns: string[], context: ParseContext): Parsed {
  const { names } = layoutOf(columns)
  const isChanged = context.columns !== undefined && context.columns.join('\n') !== columns.join('\n')
  const parsed: Parsed = { type: 'header', time: '', fields: { columns: names }, flags: [], error: '' }
  return isChanged ? { ...parsed, flags: ['malformed'], error: 'columns-changed' } : parsed
}

const unnamedMax = 1000

function parseUnnamed(text: string, context: ParseContext): Parsed {
  const known = recognise(text)
  if (known) return parseRow(known.cells, known.layout, context)
  if (text.trim() === '') return malformed('empty')
  const cells = text.split('|', unnamedMax)
  if (cells.length < 2) return malformed('not-a-job')
  const fields = Object.fromEntries(cells.map((cell, at) => [`col${at + 1}`, cell]))
  return { ...malformed('no-columns'), fields }
}

function parseRow(cells: string[], layout: Layout, { timezone }: ParseContext): Parsed {
  const { names } = layout
  const fields: Record<string, string> = {}
  for (let at = 0; at < names.length; at++) if (names[at] !== '') fields[names[at] as string] = cells[at] as string
  const id = readSlurmId(cells[layout.id] as string)
  const time = slurmTime([fields['End'], fields['Start'], fields['Eligible'], fields['Submit']], timezone)
  return { type: id === null ? '' : slurmType(id), ...time, fields, flags: [], error: '' }
}

function malformed(error: string): Parsed {
  return { type: '', time: '', fields: {}, flags: ['malformed'], error }
}
