/** `gleaner replay`: the entries of the records stream, out of the archive. NDJSON, one entry a line. */

import type { Command } from 'commander'
import { parseSourceId } from '../core/identity.ts'
import { GleanerError } from '../errors.ts'
import { entryLine } from '../formats/entry.ts'
import { replay } from '../query/replay.ts'
import { openLedger } from '../roles/ledger.ts'
import type { App } from './app.ts'
import { openLines } from './lines.ts'
import { offsetOf, timeOf } from './options.ts'
import { openProgress } from './output.ts'
import type { Done } from './output.ts'

interface Options {
  source?: string
  from?: number
  to?: number
  since?: number
  until?: number
}

export function replayCommand(program: Command, app: App): void {
  program
    .command('replay')
    .description('the entries of the records stream, from the archive, NDJSON')
    .argument('<root>', 'the root')
    .option('--source <id>', 'this source only')
    .option('--from <n>', 'records that begin at this byte or later; needs --source', offsetOf('--from'))
    .option('--to <n>', 'records that begin before this byte; needs --source', offsetOf('--to'))
    .option(
      '--since <time>',
      'records of this time or later, RFC 3339; leaves out those without a time',
      timeOf('--since'),
    )
    .option('--until <time>', 'records before this time', timeOf('--until'))
    .action(async (root: string, options: Options) => {
      const { source, from, to, since, until } = options
      refuse(options)
      const [config] = await app.roots(root)
      const context = await app.context(config as NonNullable<typeof config>)
      const ledger = openLedger(context.store, context.root.name)
      const wanted = {
        source: source ?? null,
        from: from ?? 0,
        to: to ?? Number.MAX_SAFE_INTEGER,
        sinceMs: since ?? null,
        untilMs: until ?? null,
      }
      await write(app, (progress) => replay(context, ledger, { ...wanted, progress }))
    })
}

type Tell = (bytes: number, expected: number) => void

/** Where the entries go to a terminal themselves, they show that something is going on. */
async function write(app: App, entries: (tell: Tell) => ReturnType<typeof replay>): Promise<void> {
  let [done, total] = [0, 0]
  const look = (): Done => ({ verb: 'replayed', done, total, unit: 'bytes' })
  const progress = process.stdout.isTTY ? null : openProgress(look)
  const lines = openLines(app)
  try {
    for await (const entry of entries((bytes, expected) => void ([done, total] = [bytes, expected])))
      if (!(await lines.put(entryLine(entry)))) return
    await lines.flush()
  } finally {
    progress?.end()
  }
}

function refuse({ source, from, to }: Options): void {
  const refused = (subject: string, message: string): GleanerError =>
    new GleanerError('usage', { operation: 'replay', subject, message })
  if (source === undefined && (from !== undefined || to !== undefined))
    throw refused('--from, --to', 'offsets are of one source: name it with --source')
  if (source !== undefined && parseSourceId(source) === null)
    throw refused('--source', 'expected a source id, as `gleaner sources` shows them')
}
