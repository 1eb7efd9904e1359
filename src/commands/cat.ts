/** `gleaner cat`: archived bytes, as they were in the source, to stdout. Streams: a source of any size, one frame at a time. */

import type { Command } from 'commander'
import { parseSourceId } from '../core/identity.ts'
import { parseSegmentKey } from '../core/segment.ts'
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
    .option('--offset <n>', 'begin at this byte of the source', offsetOf('--offset'))
    .option('--length <n>', 'at most so many bytes', offsetOf('--length'))
    .action(async (what: string, { offset, length }: { offset?: number; length?: number }) => {
      const { ledger, head } = await find(app, what)
      const end = Math.min(head.end, (offset ?? 0) + (length ?? Number.MAX_SAFE_INTEGER))
      const from = offset ?? (await begin(ledger, head.source, end))
      for await (const { bytes } of ledger.read(head.source, { start: from, end })) {
        if (!(await app.write(bytes))) return
      }
    })
}

/** Without an offset: the first byte that is there. What is not, because it has expired, is said. */
async function begin(ledger: Ledger, source: string, end: number): Promise<number> {
  const first = parseSegmentKey((await ledger.segmentsFrom(source, 0))[0]?.key ?? '')
  const expired = first?.start === 0 ? 0 : await ledger.expiredTo(source)
  if (expired === 0) return first?.start ?? 0
  process.stderr.write(`gleaner: ${source}: its first ${expired} bytes have expired; it begins at ${expired}\n`)
  return Math.min(expired, end)
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
