/** `gleaner cat`: archived bytes, as they were in the source, to stdout. Streams: a source of any size, one frame at a time. */

import type { Command } from 'commander'
import { parseSourceId } from '../core/identity.ts'
import { GleanerError } from '../errors.ts'
import { sourceById, sourceByPath } from '../query/find.ts'
import type { Ledger, Mark } from '../roles/ledger.ts'
import { openLedger } from '../roles/ledger.ts'
import type { App } from './app.ts'
import { offsetOf } from './options.ts'

export function catCommand(program: Command, app: App): void {
  program
    .command('cat')
    .description('the archived bytes of a source, to stdout')
    .argument('<what>', 'a source id, or ROOT/PATH: the newest source whose segments name this path')
    .option('--offset <n>', 'begin at this byte of the source', offsetOf('--offset'), 0)
    .option('--length <n>', 'at most so many bytes', offsetOf('--length'))
    .action(async (what: string, { offset, length }: { offset: number; length?: number }) => {
      const { ledger, head } = await find(app, what)
      const first = (await ledger.segmentsFrom(head.source, 0))[0]
      const from = Math.max(offset, first ? (await ledger.header(first.key, first.storedAtMs)).start : 0)
      const end = Math.min(head.end, offset + (length ?? Number.MAX_SAFE_INTEGER))
      for await (const { bytes } of ledger.read(head.source, { start: from, end })) {
        if (!(await app.write(bytes))) return
      }
    })
}

async function find(app: App, what: string): Promise<{ ledger: Ledger; head: Mark }> {
  const store = await app.store()
  const roots = await app.roots()
  if (parseSourceId(what) !== null) {
    for (const { name } of roots) {
      const ledger = openLedger(store, name)
      const head = await sourceById(ledger, what)
      if (head) return { ledger, head }
    }
    const names = roots.map(({ name }) => name).join(', ')
    throw new GleanerError('not-found', {
      operation: 'cat',
      subject: what,
      message: `none of the roots ${names} has such a source`,
    })
  }
  const slash = what.indexOf('/')
  if (slash <= 0)
    throw new GleanerError('usage', { operation: 'cat', subject: what, message: 'expected a source id or ROOT/PATH' })
  const [root] = await app.roots(what.slice(0, slash))
  const context = await app.context(root as NonNullable<typeof root>)
  const ledger = openLedger(store, context.root.name)
  return { ledger, head: await sourceByPath(context, ledger, what.slice(slash + 1)) }
}
