/** `gleaner anomalies`: what needs a person, and `anomalies ack`, by which a person says that it was looked at. */

import type { Command } from 'commander'
import { anomalyRemedies } from '../core/anomaly.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { JournalEntry } from '../roles/journal.ts'
import { acknowledge, anomaliesOf } from '../roles/journal.ts'
import type { App } from './app.ts'
import { countText, table } from './output.ts'

type Row = JournalEntry & { acknowledged: string | null }

export function anomaliesCommand(program: Command, app: App): void {
  const anomalies = program
    .command('anomalies')
    .description('what needs a person: truncated, rewritten, revised, vanished files and the like')
    .option('--root <name>', 'this root only')
    .option('--open', 'only those that nobody has acknowledged')
    .action(async ({ root, open }: { root?: string; open?: boolean }) => {
      const store = await app.store()
      const rows: Row[] = []
      for (const { name } of await app.roots(root)) rows.push(...(await anomaliesOf(store, name)))
      const wanted = rows
        .filter((row) => !open || row.acknowledged === null)
        .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
      await app.write(`${app.json ? JSON.stringify(wanted) : text(wanted)}\n`)
    })
  anomalies
    .command('ack')
    .description('acknowledge one, for good')
    .argument('<id>', 'its id, as `anomalies` shows it')
    .requiredOption('--reason <text>', 'why it needs nothing more; kept in the archive')
    .action(async (id: string, { reason }: { reason: string }) =>
      acknowledgeOne(app, { id, reason, root: anomalies.opts<{ root?: string }>().root }),
    )
}

async function acknowledgeOne(
  app: App,
  { id, reason, root }: { id: string; reason: string; root: string | undefined },
): Promise<void> {
  if (reason.trim() === '')
    throw new GleanerError('usage', { operation: 'acknowledge', subject: '--reason', message: 'expected a reason' })
  const store = await app.store()
  const { node } = await app.config()
  for (const { name } of await app.roots(root)) {
    try {
      await acknowledge(store, name, { id, reason, node })
      app.out(app.json ? JSON.stringify({ id, root: name, reason }) : `acknowledged ${id} of ${name}`)
      return
    } catch (error) {
      if (!isGleanerError(error, 'not-found')) throw error
    }
  }
  throw new GleanerError('not-found', { operation: 'acknowledge', subject: id, message: 'there is no such anomaly' })
}

function text(rows: Row[]): string {
  if (rows.length === 0) return 'none'
  const lines = rows.map((row) => [
    row.id,
    row.at,
    row.root,
    row.path,
    row.acknowledged === null ? 'open' : `ack: ${row.acknowledged}`,
    row.detail,
  ])
  const open = new Set(rows.filter(({ acknowledged }) => acknowledged === null).map(({ kind }) => kind))
  return [
    table(['id', 'at', 'root', 'path', 'state', 'detail'], lines),
    rows.length === 1 ? '1 anomaly' : `${countText(rows.length)} anomalies`,
    // A newer Gleaner may have written of a kind that is not known here.
    ...[...open]
      .filter((kind) => Object.hasOwn(anomalyRemedies, kind))
      .map((kind) => `what to do about ${kind}: ${anomalyRemedies[kind]}`),
  ].join('\n')
}
