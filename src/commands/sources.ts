/** `gleaner sources`: what is collected, how far, and in which state. Computed from the archive, the files and Redis; asks no collector. */

import type { Command } from 'commander'
import { messageOf } from '../errors.ts'
import type { SourceRow } from '../query/sources.ts'
import { sourcesOf } from '../query/sources.ts'
import type { App } from './app.ts'
import { bytesText, counted, table } from './output.ts'

export function sourcesCommand(program: Command, app: App): void {
  program
    .command('sources')
    .description('every source with its state, and how far it is archived, published and proven')
    .option('--root <name>', 'this root only')
    .action(async ({ root }: { root?: string }) => {
      const rows: SourceRow[] = []
      // Connects; what Redis cannot tell is left out, and said once per root.
      await app.checkRedis().catch(() => null)
      for (const one of await app.roots(root)) {
        const context = await app.context(one)
        const told = (error: unknown): void => void process.stderr.write(`gleaner: ${one.name}: ${messageOf(error)}\n`)
        rows.push(...(await sourcesOf(context, told)))
        await app.closeContext(context)
      }
      await app.write(`${app.json ? JSON.stringify(rows) : text(rows)}\n`)
    })
}

const columns = ['root', 'path', 'state', 'size', 'archived', 'published', 'proven', 'source']

function text(rows: SourceRow[]): string {
  if (rows.length === 0) return 'no sources yet'
  const cell = (bytes: number | null): string => (bytes === null ? '-' : bytesText(bytes))
  const lines = rows.map((row) => [
    row.root,
    row.path,
    row.state,
    cell(row.size),
    cell(row.archived),
    cell(row.published),
    cell(row.proven),
    row.source,
  ])
  return `${table(columns, lines)}\n${counted(rows.length, 'source')}`
}
