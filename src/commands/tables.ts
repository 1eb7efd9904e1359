/**
 * `gleaner tables build`: records and jobs as Parquet, from what was archived since the last build. Any number of builders may run at once.
 * Exit status 1 where a source could not be read to its end; the others are built.
 */

import type { Command } from 'commander'
import { GleanerError } from '../errors.ts'
import type { BuildReport } from '../query/build.ts'
import type { App } from './app.ts'
import { withDuckdb } from './duckdb.ts'
import { bytesText, counted, openProgress } from './output.ts'

export function tablesCommand(program: Command, app: App): void {
  const tables = program.command('tables').description('Parquet tables of the archived records and jobs')
  tables
    .command('build')
    .description('build what was archived since the last build, and what is missing')
    .option('--root <name>', 'this root only')
    .option('--date <date>', 'make this date again, as YYYY-MM-DD (UTC)', dateOf)
    .action((options: { root?: string; date?: string }) => build(app, options))
}

function dateOf(text: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))) return text
  throw new GleanerError('usage', { operation: 'read', subject: '--date', message: 'expected YYYY-MM-DD' })
}

async function build(app: App, { root, date }: { root?: string; date?: string }): Promise<void> {
  const { buildTables } = await withDuckdb(() => import('../query/build.ts'))
  const reports: BuildReport[] = []
  for (const one of await app.roots(root)) {
    let done: Pick<BuildReport, 'bytes' | 'records'> = { bytes: 0, records: 0 }
    let total = 0
    const progress = openProgress(() => ({
      verb: `${one.name}: read`,
      done: done.bytes,
      total,
      unit: 'bytes',
      more: `${counted(done.records, 'record')} in tables`,
    }))
    const told = (now: typeof done, expected: number): void => void ([done, total] = [now, expected])
    const context = await app.context(one)
    try {
      reports.push(await buildTables(context, { date: date ?? null, progress: told }))
    } finally {
      progress.end()
      await app.closeContext(context)
    }
  }
  await app.write(app.json ? `${JSON.stringify(reports)}\n` : reports.map(text).join(''))
  for (const { root: name, failed } of reports)
    for (const { source, error } of failed) process.stderr.write(`gleaner: ${name}/${source}: not whole: ${error}\n`)
  if (reports.some(({ failed }) => failed.length > 0)) app.exit(1)
}

function text({ root, bytes, records, jobs, files }: BuildReport): string {
  if (files === 0) return `${root}: nothing new\n`
  return `${root}: ${bytesText(bytes)} read; ${counted(records, 'record')} and ${counted(jobs, 'job')} in ${counted(files, 'new file')}\n`
}
