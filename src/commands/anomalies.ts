/** `gleaner anomalies`: what needs a person, and `anomalies ack`, by which a person says that it was looked at. */

import type { Command } from 'commander'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { JournalEntry } from '../roles/journal.ts'
import { acknowledge, anomaliesOf } from '../roles/journal.ts'
import type { App } from './app.ts'
import { counted, table } from './output.ts'

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
  let refused: unknown
  for (const { name } of await app.roots(root)) {
    try {
      await acknowledge(store, name, { id, reason, node })
      app.out(app.json ? JSON.stringify({ id, root: name, reason }) : `acknowledged ${id} of ${name}`)
      return
    } catch (error) {
      if (!isGleanerError(error, 'not-found')) throw error
      refused = error
    }
  }
  throw refused
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
  return `${table(['id', 'at', 'root', 'path', 'state', 'detail'], lines)}\n${counted(rows.length, 'anomaly').replace(/anomalys$/, 'anomalies')}`
}
