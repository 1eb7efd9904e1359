/**
 * `gleaner expire`: retention. Moves what identity and proof need of old segments into boundaries, then deletes them. The one command that
 * needs the right to delete evidence: give it to these credentials alone.
 */

import type { Command } from 'commander'
import { formatRfc3339 } from '../core/rfc3339.ts'
import { GleanerError } from '../errors.ts'
import type { ExpiredSource } from '../roles/expire.ts'
import { expire } from '../roles/expire.ts'
import { headTrustedMs } from '../roles/ledger.ts'
import type { App } from './app.ts'
import { timeOf } from './options.ts'
import { bytesText, counted, countText, openProgress, table } from './output.ts'

const settledMs = 4 * headTrustedMs
/** For a person; `--json` lists all. */
const rowsMax = 200

interface Options {
  root: string
  before: number
  dryRun?: boolean
}

interface Report {
  root: string
  before: string
  dryRun: boolean
  /** Sources of which something expires. */
  sources: number
  segments: number
  /** Raw bytes. */
  bytes: number
  expired: Omit<ExpiredSource, 'kept'>[]
  kept: { source: string; path: string; from: number; reason: string }[]
}

export function expireCommand(program: Command, app: App): void {
  program
    .command('expire')
    .description('delete what is older than a date, keeping what identity and proof need of it')
    .requiredOption('--root <name>', 'the root')
    .requiredOption(
      '--before <date>',
      'segments whose last record is older go; a date begins at 00:00 UTC',
      timeOf('--before'),
    )
    .option('--dry-run', 'show what would go, and change nothing')
    .action((options: Options) => run(app, options))
}

async function run(app: App, { root: name, before, dryRun = false }: Options): Promise<void> {
  if (before > app.clock.wallMs()) {
    const message = 'this date is still to come; name one that has passed'
    throw new GleanerError('usage', { operation: 'expire', subject: '--before', message })
  }
  const [root] = await app.roots(name)
  // Where Redis is configured and does not answer, what is published cannot be told, and nothing may go.
  await app.checkRedis()
  const context = await app.context(root as NonNullable<typeof root>)
  const report: Report = {
    root: name,
    before: formatRfc3339(before),
    dryRun,
    sources: 0,
    segments: 0,
    bytes: 0,
    expired: [],
    kept: [],
  }
  const verb = dryRun ? 'found' : 'expired'
  const more = (): string => counted(report.segments, 'segment')
  const progress = openProgress(() => ({ verb, done: report.bytes, unit: 'bytes', more: more() }))
  try {
    for await (const one of expire(context, { beforeMs: before, dryRun, settledMs })) add(report, one)
  } catch (error) {
    // What went before it is gone, and is told.
    progress.end()
    if (report.sources > 0) process.stderr.write(`${text(report)}\n`)
    throw error
  } finally {
    progress.end()
    await app.closeContext(context)
  }
  await app.write(`${app.json ? JSON.stringify(report) : text(report)}\n`)
}

function add(report: Report, { kept, ...one }: ExpiredSource): void {
  if (one.segments > 0 || one.leftOver > 0) report.expired.push(one)
  if (one.segments > 0) report.sources++
  report.segments += one.segments
  report.bytes += one.end - one.start
  if (kept !== null) report.kept.push({ source: one.source, path: one.path, from: one.end, reason: kept })
}

function text({ root, before, dryRun, sources, segments, bytes, expired, kept }: Report): string {
  const rows = expired
    .slice(0, rowsMax)
    .map((one) => [
      one.path,
      one.source,
      countText(one.segments),
      bytesText(one.end - one.start),
      one.from ?? '-',
      one.to ?? '-',
    ])
  const more =
    expired.length > rowsMax ? [`and ${counted(expired.length - rowsMax, 'source')} more; --json lists all`] : []
  const stays = [...Map.groupBy(kept, ({ reason }) => reason)].map(
    ([reason, some]) =>
      `${counted(some.length, 'source')} ${some.length === 1 ? 'keeps' : 'keep'} more, though it is old: ${reason}`,
  )
  const leftOver = expired.reduce((sum, one) => sum + one.leftOver, 0)
  const finished =
    leftOver > 0
      ? [`${counted(leftOver, 'object')} that an earlier expiry left ${dryRun ? 'would go' : 'went'} too`]
      : []
  const total = `${counted(segments, 'segment')} of ${counted(sources, 'source')}, ${bytesText(bytes)}`
  return [
    ...(rows.length > 0 ? [table(['PATH', 'SOURCE', 'SEGMENTS', 'BYTES', 'FROM', 'TO'], rows)] : []),
    ...more,
    ...stays,
    ...finished,
    `${root}: ${total}, before ${before}: ${dryRun ? 'would expire' : 'expired'}`,
  ].join('\n')
}
