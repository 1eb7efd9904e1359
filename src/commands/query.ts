/**
 * `gleaner query`: one SELECT over `records` and `jobs`, on the tables and what came since. The answer goes to stdout or a file; what it
 * rests on and what it lacks is told on stderr.
 *
 * With `--json` (or `--format json`) one JSON array of objects. Exit status 2 where the SQL is wrong, 3 where damage left records out.
 */

import type { Command } from 'commander'
import { copyFile, readFile } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { GleanerError } from '../errors.ts'
import type { Session } from '../query/session.ts'
import type { App } from './app.ts'
import { withDuckdb } from './duckdb.ts'
import { bytesText, openProgress, table } from './output.ts'
import { timeOf } from './options.ts'

const formats = ['table', 'json', 'csv', 'parquet'] as const
type Format = (typeof formats)[number]

interface Options {
  root?: string
  asOf?: number
  format?: Format
  output?: string
}

/** Rows that a table is laid out for at once. */
const tableRows = 1000

export function queryCommand(program: Command, app: App): void {
  program
    .command('query')
    .description('SQL over the archived records and jobs; filters on root, date and time limit what is read')
    .argument('<sql>', 'one SELECT over `records` and `jobs`; "DESCRIBE jobs" shows the columns')
    .option('--root <name>', 'this root only')
    .option('--as-of <time>', 'as it was known then: what was archived by then, RFC 3339', timeOf('--as-of'))
    .option('--format <format>', formats.join(', '), formatOf)
    .option('--output <file>', 'write the answer there')
    .action((sql: string, options: Options) => query(app, sql, options))
}

function formatOf(text: string): Format {
  const format = formats.find((one) => one === text)
  if (format !== undefined) return format
  const message = `expected one of ${formats.join(', ')}`
  throw new GleanerError('usage', { operation: 'query', subject: '--format', message })
}

async function query(app: App, sql: string, options: Options): Promise<void> {
  const { openSession } = await withDuckdb(() => import('../query/session.ts'))
  const contexts: Awaited<ReturnType<App['context']>>[] = []
  for (const root of await app.roots(options.root)) contexts.push(await app.context(root))
  let parsed = 0
  let total = 0
  const more = 'what no table holds yet'
  const progress = openProgress(() => ({ verb: 'parsed', done: parsed, total, unit: 'bytes', more }))
  try {
    const session = await openSession({
      roots: contexts,
      derived: await app.derived(),
      asOfMs: options.asOf ?? null,
      query: { sql, values: {} },
      progress: (bytes, expected) => void ([parsed, total] = [bytes, expected]),
    })
    try {
      await answer(app, session, { sql, options })
      tell(app, session, parsed)
    } finally {
      await session.close()
    }
  } finally {
    progress.end()
  }
}

async function answer(app: App, session: Session, { sql, options }: { sql: string; options: Options }): Promise<void> {
  const format = options.format ?? (app.json ? 'json' : 'table')
  if (format === 'parquet') {
    const path = await session.parquet(sql)
    if (options.output !== undefined) await copyFile(path, options.output)
    else await app.write(await readFile(path))
    return
  }
  const out = openOutput(app, options.output)
  await (format === 'json' ? json : format === 'csv' ? csv : text)(session, sql, out.write)
  await out.end()
}

/** Resolves false when the reader is gone. */
type Write = (text: string) => Promise<boolean>

function openOutput(app: App, path: string | undefined): { write: Write; end(): Promise<void> } {
  if (path === undefined) return { write: (text) => app.write(text), end: async () => undefined }
  const file = createWriteStream(path)
  return {
    write: (text) => new Promise((resolve) => void file.write(text, (error) => resolve(!error))),
    async end() {
      file.end()
      await finished(file)
    },
  }
}

async function json(session: Session, sql: string, write: Write): Promise<void> {
  const { names, chunks } = await session.stream(sql)
  let before = '['
  for await (const rows of chunks) {
    const objects = rows.map((row) => JSON.stringify(Object.fromEntries(row.map((value, at) => [names[at], value]))))
    if (objects.length === 0) continue
    if (!(await write(`${before}${objects.join(',\n')}`))) return
    before = ',\n'
  }
  await write(before === '[' ? '[]\n' : ']\n')
}

async function csv(session: Session, sql: string, write: Write): Promise<void> {
  const { csvLine } = await import('../query/results.ts')
  const { names, chunks } = await session.stream(sql)
  await write(`${csvLine(names)}\n`)
  for await (const rows of chunks) if (!(await write(rows.map((row) => `${csvLine(row)}\n`).join('')))) return
}

async function text(session: Session, sql: string, write: Write): Promise<void> {
  const { cellOf } = await import('../query/results.ts')
  const { names, chunks } = await session.stream(sql)
  let cells: string[][] = []
  let isShown = false
  for await (const rows of chunks) {
    for (const row of rows) cells.push(row.map((value) => oneLine(cellOf(value))))
    if (cells.length < tableRows) continue
    if (!(await write(`${table(names, cells)}\n`))) return
    cells = []
    isShown = true
  }
  if (cells.length > 0 || !isShown) await write(`${table(names, cells)}\n`)
}

/** What would break the lines of a table, or move the cursor of a terminal. */
function oneLine(cell: string): string {
  // oxlint-disable-next-line no-control-regex
  return cell.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1))
}

function tell(app: App, { coverage }: Session, parsed: number): void {
  for (const { root, manifest, inTables, ranges, failed } of coverage) {
    if (manifest === 0 && inTables.size === 0 && ranges.length === 0)
      process.stderr.write(`gleaner: root ${root} has no archived records\n`)
    for (const { source, error } of failed)
      process.stderr.write(`gleaner: ${root}/${source}: records are left out: ${error}\n`)
  }
  const slow = 1024 * 1024 * 1024
  if (parsed > slow)
    process.stderr.write(`gleaner: ${bytesText(parsed)} were parsed for this; \`gleaner tables build\` keeps them\n`)
  if (coverage.some(({ failed }) => failed.length > 0)) app.exit(3)
}
