/**
 * Columns of `sacct --parsable2`: names from its line of names, and a line cut into them. sacct escapes nothing, so text that a user chose
 * (`JobName`, `WorkDir`, `SubmitLine`, ...) may hold the delimiter. A line with too many parts is then cut where the rest of it makes
 * sense: if the last column is such a text, it takes what is over; else the one such column does with which id, times and state
 * are in their places. Where none or several would do, the line is malformed.
 *
 * Column names as they are passed on: those of the line; another delimiter than `|` stands in front of them, as an entry of its own; the
 * delimiter at each line's end that `sacct --parsable` writes makes a last name of ''.
 *
 * A dump without names (`--noheader`) is understood where it has the columns, and lines that fit them, of tools that many sites run.
 */

import { readSlurmId } from './slurm-id.ts'

export interface Layout {
  names: string[]
  delimiter: string
  /** Where the id stands, and what else shows whether a line was cut rightly. */
  id: number
  state: number
  times: number[]
  /** Texts that users chose. */
  texts: number[]
}

const idNames = ['JobID', 'JobIDRaw']
const timeNames = ['Submit', 'Eligible', 'Start', 'End']
const textNames = (
  'JobName Comment AdminComment SystemComment WorkDir SubmitLine Constraints Container Extra FailedNode Reason StdErr ' +
  'StdIn StdOut WCKey'
).split(' ')
const layouts = new WeakMap<string[], Layout>()

/** The names in a source's first line that is neither empty nor a `#` comment; null if it is no line of names. */
export function columnsOf(beginning: Buffer): string[] | null {
  for (let at = 0; ; ) {
    const newline = beginning.indexOf(10, at)
    if (newline < 0) return null
    const line = beginning.subarray(at, newline).toString('utf8').replace(/\r$/, '')
    if (line !== '' && !line.startsWith('#')) return readHeader(line)
    at = newline + 1
  }
}

/** A line of names, one of them `JobID` or `JobIDRaw` → the columns; null for any other line. */
export function readHeader(line: string): string[] | null {
  if (!line.includes('JobID') || line.length > 16_384) return null
  const delimiter = /^[A-Za-z]\w{0,63}([^\w]{1,8})/.exec(line)?.[1] ?? '|'
  const names = line.split(delimiter)
  const isNamed = names.every((name, at) => /^[A-Za-z]\w{0,63}$/.test(name) || (name === '' && at === names.length - 1))
  if (!isNamed || !names.some((name) => idNames.includes(name))) return null
  return delimiter === '|' ? names : [delimiter, ...names]
}

export function layoutOf(columns: string[]): Layout {
  const known = layouts.get(columns)
  if (known) return known
  const hasDelimiter = /^[^\w]/.test(columns[0] ?? '')
  const names = hasDelimiter ? columns.slice(1) : columns
  const places = (wanted: string[]): number[] => names.flatMap((name, at) => (wanted.includes(name) ? [at] : []))
  const layout = {
    names,
    delimiter: hasDelimiter ? (columns[0] as string) : '|',
    id: places(idNames)[0] ?? -1,
    state: names.indexOf('State'),
    times: places(timeNames),
    texts: places(textNames),
  }
  layouts.set(columns, layout)
  return layout
}

/** More delimiters than this in a user's text, and the line is malformed. */
const overMax = 4096

/** A line → its cells, as many as there are columns; or the code of what is wrong. */
export function cut(line: string, layout: Layout): string[] | string {
  const { names, delimiter, id } = layout
  const cells = line.split(delimiter, names.length + overMax + 1)
  const over = cells.length - names.length
  if (over < 0) return 'too-few-columns'
  if (over === 0) return readSlurmId(cells[id] ?? '') === null ? 'not-a-job' : cells
  if (over > overMax) return 'too-many-columns'
  const ways = layout.texts
    .map((at) => ({ at, cells: joined(cells, { at, over, delimiter }) }))
    .filter((way) => isFit(way.cells, layout))
  const last = ways.find(({ at }) => at === names.length - 1)
  return (last ?? (ways.length === 1 ? ways[0] : undefined))?.cells ?? 'too-many-columns'
}

function joined(cells: string[], { at, over, delimiter }: { at: number; over: number; delimiter: string }): string[] {
  const text = cells.slice(at, at + over + 1).join(delimiter)
  return [...cells.slice(0, at), text, ...cells.slice(at + over + 1)]
}

const timeForm = /^(?:\d{4}-\d\d-\d\dT\S{1,40}|\d{1,11}|[A-Z][a-z]{1,20}|)$/
const stateForm = /^[A-Z][A-Z_]{2,30}(?:\+| by \d+)?$/

/** Whether id, times and state look like such. */
function isFit(cells: string[], { id, state, times }: Layout): boolean {
  return (
    readSlurmId(cells[id] ?? '') !== null &&
    (state < 0 || stateForm.test(cells[state] ?? '')) &&
    times.every((at) => timeForm.test(cells[at] ?? ''))
  )
}

const apel =
  'JobID JobName User Group Start End Elapsed TotalCPU Partition NCPUS NNodes NodeList MaxRSS MaxVMSize State'
const xdmod =
  'JobID JobIDRaw Cluster Partition QOS Account Group GID User UID Submit Eligible Start End Elapsed ExitCode State ' +
  'NNodes NCPUS ReqCPUS ReqMem ReqTRES AllocTRES Timelimit NodeList JobName'
const costSimulator =
  'State JobID ReqCPUS ReqMem ReqNodes Constraints Submit Eligible Start Elapsed Suspended End ExitCode DerivedExitCode ' +
  'AllocNodes NCPUS MaxDiskRead MaxDiskWrite MaxPages MaxRSS MaxVMSize CPUTime UserCPU SystemCPU TotalCPU'
const known = [apel, xdmod, costSimulator].map((names) => layoutOf(names.split(' ')))

/** A line of a dump without names → layout and cells, where it fits a known one. */
export function recognise(line: string): { layout: Layout; cells: string[] } | null {
  for (const layout of known) {
    const cells = cut(line, layout)
    if (typeof cells !== 'string' && isFit(cells, layout)) return { layout, cells }
  }
  return null
}
