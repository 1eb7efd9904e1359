/**
 * `gleaner report`: the jobs of one user that ended in a year, a month or a day, with what the answer rests on and lacks. Rows go to stdout,
 * the rest to stderr; with `--json` both are one document. With `--evidence` all of it goes into a folder that can be checked without
 * Gleaner, and stdout has the summary. Exit status 3 where the answer is not complete.
 */

import type { Command } from 'commander'
import { readPeriod } from '../core/period.ts'
import type { Period } from '../core/period.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { ReportContext } from '../query/report-coverage.ts'
import type { Folder } from '../query/report-folder.ts'
import type { ReportSegment, Summary } from '../query/report-summary.ts'
import type { ReportSession } from '../query/report.ts'
import type { App } from './app.ts'
import { timeOf } from './options.ts'
import { counted, countText, openProgress, table } from './output.ts'

const formats = ['csv', 'table', 'json'] as const
type Format = (typeof formats)[number]

interface Options {
  user: string
  ended: string
  timezone: string
  asOf?: number
  evidence?: string
  root?: string
  format?: Format
}

export function reportCommand(program: Command, app: App): void {
  program
    .command('report')
    .description('the jobs of one user that ended in a period, with what the answer rests on, and its proof')
    .requiredOption('--user <name>', 'as the batch system writes it')
    .requiredOption('--ended <period>', 'a year, a month or a day: 2026, 2026-03, 2026-03-05')
    .option('--timezone <zone>', 'where the period begins and ends, such as Europe/Zurich', 'UTC')
    .option('--as-of <time>', 'as it was known then: what was archived by then, RFC 3339', timeOf('--as-of'))
    .option('--evidence <directory>', 'write the answer there, with the raw records, their segments and digests')
    .option('--root <name>', 'this root only')
    .option('--format <format>', formats.join(', '), formatOf)
    .action((options: Options) => report(app, options))
}

function formatOf(text: string): Format {
  const format = formats.find((one) => one === text)
  if (format !== undefined) return format
  throw usage('--format', `expected one of ${formats.join(', ')}`)
}

function usage(subject: string, message: string): GleanerError {
  return new GleanerError('usage', { operation: 'report', subject, message })
}

function periodOf({ ended, timezone }: Options): Period {
  const period = readPeriod(ended, timezone)
  if (period === 'period')
    throw usage('--ended', `expected a year, a month or a day, such as 2026, 2026-03 or 2026-03-05, not ${ended}`)
  if (period === 'timezone') throw usage('--timezone', `${timezone} is no IANA time zone, such as Europe/Zurich`)
  return period
}

interface Answer {
  report: ReportSession
  summary: Summary
  segments: ReportSegment[]
}

async function report(app: App, options: Options): Promise<void> {
  const period = periodOf(options)
  if (options.user === '') throw usage('--user', 'expected a name')
  const contexts: ReportContext[] = []
  for (const root of await app.roots(options.root)) contexts.push(await app.context(root))
  const { openFolder } = await import('../query/report-folder.ts')
  const folder = options.evidence === undefined ? null : await openFolder(options.evidence)
  let parsed = 0
  const progress = openProgress(() => ({
    verb: 'parsed',
    done: parsed,
    unit: 'bytes',
    more: 'that no table holds yet',
  }))
  try {
    const answer = await ask(app, options, { period, contexts, parsed: (bytes) => void (parsed = bytes) })
    try {
      const summary = await give(app, options, { ...answer, folder })
      if (!summary.complete) app.exit(3)
    } finally {
      await answer.report.close()
    }
  } finally {
    progress.end()
  }
}

async function ask(
  app: App,
  { user, asOf }: Options,
  { period, contexts, parsed }: { period: Period; contexts: ReportContext[]; parsed: (bytes: number) => void },
): Promise<Answer> {
  const { openReport } = await import('../query/report.ts')
  const { summarise } = await import('../query/report-summary.ts')
  const { archivedBy } = await import('../query/report-coverage.ts')
  const store = await app.store()
  const answeredMs = await store.nowMs()
  const asOfMs = asOf ?? null
  const archived = new Map<string, Awaited<ReturnType<typeof archivedBy>>>()
  for (const context of contexts) archived.set(context.root.name, await archivedBy(context, asOfMs))
  const derived = await app.derived()
  const opened = await openReport({ roots: contexts, derived, asOfMs, progress: parsed, user, period })
  const facts = { gleaner: app.version, user, period, asOfMs, answeredMs }
  try {
    return { report: opened, ...(await summarise({ report: opened, contexts, archived, store, facts })) }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** Writes the answer; gives what is known of it by then. */
async function give(app: App, options: Options, answer: Answer & { folder: Folder | null }): Promise<Summary> {
  const { report, segments, summary, folder } = answer
  const isJson = app.json || options.format === 'json'
  if (folder !== null) {
    const whole = await evidence(app, options.evidence ?? '', { folder, report, segments, summary })
    await app.write(isJson ? `${JSON.stringify(whole)}\n` : text(whole))
    return whole
  }
  if (isJson) await json(app, report, summary)
  else await (options.format === 'table' ? shown(app, report) : csv(app, report))
  if (!isJson) process.stderr.write(text(summary))
  return summary
}

async function evidence(
  app: App,
  directory: string,
  { folder, report, segments, summary }: Answer & { folder: Folder },
): Promise<Summary> {
  const { writeEvidence } = await import('../query/report-evidence.ts')
  try {
    return await writeEvidence({ folder, store: await app.store(), report }, segments, summary)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (isGleanerError(cause) || code === undefined) throw cause
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    const facts = { operation: 'write', subject: directory, cause }
    throw new GleanerError(isFull ? 'store-full' : 'store-denied', facts)
  }
}

async function csv(app: App, report: ReportSession): Promise<void> {
  const { csvLine } = await import('../query/results.ts')
  const { names, chunks } = await report.rows()
  await app.write(`${csvLine(names)}\n`)
  for await (const rows of chunks) if (!(await app.write(rows.map((row) => `${csvLine(row)}\n`).join('')))) return
}

/** `{"rows": [...], "summary": {...}}`. */
async function json(app: App, report: ReportSession, summary: Summary): Promise<void> {
  const { names, chunks } = await report.rows()
  let before = '{"rows":['
  for await (const rows of chunks) {
    const objects = rows.map((row) => JSON.stringify(Object.fromEntries(row.map((value, at) => [names[at], value]))))
    if (objects.length === 0) continue
    if (!(await app.write(`${before}${objects.join(',\n')}`))) return
    before = ',\n'
  }
  await app.write(`${before.startsWith('{') ? before : ''}],\n"summary":${JSON.stringify(summary)}}\n`)
}

const shownColumns = ['end_time', 'root', 'job_id', 'array_index', 'queue', 'state', 'elements', 'slots', 'wall_s']
/** Rows that a table is laid out for at once. */
const tableRows = 1000

async function shown(app: App, report: ReportSession): Promise<void> {
  const { cellOf } = await import('../query/results.ts')
  const { names, chunks } = await report.rows()
  const at = shownColumns.map((name) => names.indexOf(name))
  let cells: string[][] = []
  const put = (): Promise<boolean> => app.write(`${table(shownColumns, cells)}\n`)
  let isShown = false
  for await (const rows of chunks) {
    for (const row of rows) cells.push(at.map((index) => plain(cellOf(row[index] ?? null))))
    if (cells.length < tableRows) continue
    if (!(await put())) return
    cells = []
    isShown = true
  }
  if (cells.length > 0 || !isShown) await put()
}

/** What would break the lines of a table, or move the cursor of a terminal. */
function plain(cell: string): string {
  // oxlint-disable-next-line no-control-regex
  return cell.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1))
}

/** For a person, some lines. */
function text(summary: Summary): string {
  const { ended, records, jobs, late, proven, digests, roots, lacks } = summary
  const known = roots.map(({ root, archived, behind }) => {
    const upTo = archived.upTo === null ? 'nothing is archived' : `archived up to ${archived.upTo}`
    const more =
      behind === null || behind.count === 0 ? '' : `; ${counted(behind.count, 'file')} held more at ${behind.asOf}`
    return `${root}: ${upTo}${more}`
  })
  const notes: (readonly [number, string])[] = [
    [late.records, `archived later than ${late.archivedAfter}`],
    [summary.ambiguousTimes, 'with a local time that the clock showed twice or never'],
    [summary.incompleteRecords, 'incomplete'],
    [summary.duplicatesLeftOut, 'left out, being proven duplicates'],
    [summary.recordsWithoutElements, 'of array ranges whose elements are not known'],
  ]
  const lines = [
    `${plain(summary.user)}, ended in ${ended.period} (${ended.timezone}): from ${ended.from}, before ${ended.to}`,
    ...(summary.asOf === null ? [] : [`as known at ${summary.asOf}`]),
    `${counted(jobs, 'job')} in ${counted(records, 'record')}, ${countText(proven.records)} of them proven; ${digests.segments} of ${counted(digests.of, 'segment')} in digests`,
    ...notes.filter(([count]) => count > 0).map(([count, what]) => `${counted(count, 'record')} ${what}`),
    ...known,
    ...(summary.complete ? ['complete'] : ['not complete:', ...lacks.map((lack) => `  ${lack}`)]),
  ]
  return `${lines.join('\n')}\n`
}
