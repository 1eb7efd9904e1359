/**
 * A root's directory is renamed away and back while a batch system goes on writing into it: what is away is unavailable, not deleted, and each
 * line is in the archive and in the stream once. Also with an empty directory in its place meanwhile, which looks as if all had been removed.
 */

import test from 'ava'
import type { ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { appendFileSync, mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openSite, until } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'

interface Batch {
  /** What was written, by file. */
  written: Map<string, string>
  append(name: string): void
  /** Renames the directory; what is appended from then on goes where it is. */
  move(to: string): void
  /** Renames a file in it, and begins it anew. */
  rotate(name: string, to: string): void
}

function openBatch(site: Site): Batch {
  let [lines, at] = [0, site.logs]
  const batch: Batch = {
    written: new Map(),
    append(name) {
      const line = `line ${lines++} of ${name} ${'x'.repeat(lines % 50)}\n`
      appendFileSync(join(at, name), line)
      batch.written.set(name, (batch.written.get(name) ?? '') + line)
    },
    move(to) {
      renameSync(at, to)
      at = to
    },
    rotate(name, to) {
      renameSync(join(at, name), join(at, to))
      batch.written.set(to, batch.written.get(name) ?? '')
      batch.written.delete(name)
    },
  }
  return batch
}

const rounds = 2

interface Away {
  /** What stands in its place meanwhile. */
  put?: (path: string) => void
  take?: (path: string) => void
  /** Whether it is told, each time: while it is away, and once it is back. */
  told: boolean
  /** Kinds of anomalies that there may be afterwards. */
  anomalies: string[]
  /** Over the root. */
  root?: Record<string, unknown>
}

const renamed =
  ({ put, take, told, anomalies, root }: Away) =>
  async (t: ExecutionContext) => {
    t.timeout(90_000)
    const [site, redis] = await Promise.all([openSite(), startRedis()])
    const client = new Redis(redis.url)
    const batch = openBatch(site)
    const stopped = new AbortController()
    t.teardown(async () => {
      stopped.abort()
      client.disconnect()
      await site.close()
      await redis.stop()
    })
    await site.configure({ redis: redis.url, feed: { since: 'all' } }, root)
    batch.append('a')
    const running = await site.start(['run'], '"running"')
    const writing = write(batch, stopped.signal)
    for (let round = 0; round < rounds; round++) {
      await delay(700)
      const from = running.stderr().length
      batch.move(join(site.dir, 'away'))
      put?.(site.logs)
      await delay(600)
      batch.rotate('c', `c.${rounds - round}`)
      await (told ? running.said('root is down', from) : delay(600))
      take?.(site.logs)
      batch.move(site.logs)
      if (told) await running.said('root is up', from)
    }
    stopped.abort()
    await writing
    const wanted = [...batch.written.values()].sort()
    const lines = wanted.join('').match(/.*\n/g) ?? []
    await until(async () => (await site.archived()).join('') === wanted.join(''))
    await until(async () => (await raws(client)).length >= lines.length)
    running.kill('SIGTERM')
    const { code, stderr } = await running.ended
    t.is(code, 0, stderr)
    t.deepEqual(await site.archived(), wanted)
    t.deepEqual((await raws(client)).sort(), lines.sort())
    t.is((await site.gleaner('verify', '--files')).code, 0)
    const found = JSON.parse((await site.gleaner('--json', 'anomalies')).stdout) as { kind: string }[]
    t.deepEqual(
      found.filter(({ kind }) => !anomalies.includes(kind)),
      [],
    )
  }

/** A line to one of three files every few milliseconds. */
async function write(batch: Batch, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n++) {
    batch.append(['a', 'b', 'c'][n % 3] ?? 'a')
    await delay(5)
  }
}

async function raws(client: Redis): Promise<string[]> {
  const entries = await client.xrange('{gleaner:r}:records', '-', '+')
  return entries.map(([, fields]) => fields[fields.indexOf('raw') + 1] ?? '')
}

test.serial('a root renamed away and back', renamed({ told: true, anomalies: [] }))

test.serial(
  'a root that other machines write, renamed away and back',
  renamed({ root: { remote: true }, told: true, anomalies: [] }),
)

test.serial(
  'a root renamed away and back, with an empty directory in its place meanwhile: bytes not archived yet seem to be lost',
  renamed({ put: mkdirSync, take: rmdirSync, told: false, anomalies: ['vanished'] }),
)
