/** `gleaner tail`: follows the records stream until the reader goes or a signal ends it. NDJSON, one entry a line. */

import type { Command } from 'commander'
import { GleanerError, messageOf } from '../errors.ts'
import { entryLine } from '../formats/entry.ts'
import { follow } from '../query/follow.ts'
import type { App } from './app.ts'

export function tailCommand(program: Command, app: App): void {
  program
    .command('tail')
    .description('follow the records stream, NDJSON; needs Redis')
    .argument('[root]', 'this root only')
    .action(async (root?: string) => {
      const roots = await app.roots(root)
      const feed = (await app.checkRedis()) === null ? null : await app.feed()
      if (feed === null) {
        const message =
          'no Redis is configured, so there is no records stream to follow; set `redis`, or read the archive with `gleaner replay`'
        throw new GleanerError('usage', { operation: 'tail', subject: root ?? 'all roots', message })
      }
      const stop = new AbortController()
      const end = (): void => stop.abort()
      process.once('SIGINT', end).once('SIGTERM', end)
      const one = async (name: string): Promise<void> => {
        const told = (error: unknown): void =>
          void process.stderr.write(`gleaner: ${name}: ${messageOf(error)}; trying again\n`)
        for await (const entry of follow(feed, name, { clock: app.clock, signal: stop.signal, told })) {
          // Entries do not say their root: where several are followed, it is put before them.
          const line = entryLine(roots.length > 1 ? { root: name, ...entry } : entry)
          if (stop.signal.aborted || !(await app.write(`${line}\n`))) end()
        }
      }
      await Promise.all(roots.map(({ name }) => one(name).finally(end)))
      process.off('SIGINT', end).off('SIGTERM', end)
    })
}
