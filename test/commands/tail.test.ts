import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import { follow } from '../../src/query/follow.ts'
import { openSite, type Site, until } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'
import { ndjson } from '../support/run-gleaner.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

function startTail(t: ExecutionContext, site: Site, args: string[]): { child: ChildProcess; out: () => string } {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, [main, '--config', site.config, 'tail', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.teardown(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout?.on('data', (piece: Buffer) => (text += piece.toString()))
  return { child, out: () => text }
}

test('entries come as they are published, until a signal ends it cleanly', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const site = await openSite()
  t.teardown(() => site.close())
  await site.configure({ redis: redis.url, feed: { since: 'all' } })
  const path = join(site.logs, 'acct')
  writeFileSync(path, 'before\n')
  await site.gleaner('reconcile')
  const { child, out } = startTail(t, site, ['r'])
  // Until it follows, nothing tells that it does: more is written until something comes.
  for (let n = 0; out() === ''; n++) {
    appendFileSync(path, `${n}\n`)
    await site.gleaner('reconcile')
  }
  appendFileSync(path, 'last\n')
  await site.gleaner('reconcile')
  await until(() => out().includes('last'))
  child.kill('SIGTERM')
  t.deepEqual(await once(child, 'exit'), [0, null])
  const entries = ndjson(out())
  t.false(entries.some((entry) => entry['raw'] === 'before\n'))
  const seqs = entries.map((entry) => entry['seq'] as number)
  t.deepEqual(
    seqs,
    seqs.map((_, index) => (seqs[0] as number) + index),
  )
  t.like(entries.at(-1), { v: 1, kind: 'record', path: 'acct', raw: 'last\n', fields: { line: 'last' } })
  t.is(typeof entries.at(-1)?.['epoch'], 'string')
})

test('without Redis it says what is needed: exit status 2', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  const ran = await site.gleaner('tail')
  t.is(ran.code, 2)
  t.regex(ran.stderr, /no Redis is configured.*gleaner replay/)
})

const entry = (n: number) => ({ kind: 'record', raw: Buffer.from(`${n}`) })

async function openFeed(t: ExecutionContext) {
  const feed = openMemoryFeed({ clock: systemClock })
  await feed.begin('r', { id: 'e', archive: 'a', floorMs: 0, state: 'open' })
  t.teardown(() => feed.close())
  let position: string | null = null
  const publish = async (...numbers: number[]): Promise<void> => {
    const next = `1 ${numbers.at(-1)} 0`
    await feed.publish('r', {
      epoch: 'e',
      floorMs: 0,
      source: 's',
      expected: position,
      next,
      entries: numbers.map(entry),
      announcements: [],
    })
    position = next
  }
  return { feed, publish }
}

test('what is published between two reads that found nothing is not lost', async (t) => {
  const { feed, publish } = await openFeed(t)
  await publish(1, 2)
  const stop = new AbortController()
  // Every read of new entries comes too late, as a slow one might.
  const late = {
    ...feed,
    read: async (root: string, after: string, limit: number) => {
      if (after !== '$') return feed.read(root, after, limit)
      await new Promise(setImmediate)
      return []
    },
  }
  const entries = follow(late, 'r', { clock: systemClock, signal: stop.signal, told: () => undefined })
  const next = entries.next()
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  await publish(3)
  await publish(4)
  t.is((await next).value?.['raw']?.toString(), '3')
  t.is((await entries.next()).value?.['raw']?.toString(), '4')
  stop.abort()
  t.true((await entries.next()).done)
})

test('after Redis lost its data, the new history is followed', async (t) => {
  const { feed, publish } = await openFeed(t)
  await publish(1, 2, 3)
  const stop = new AbortController()
  let wiped = false
  const wiping = {
    ...feed,
    read: async (root: string, after: string, limit: number) => {
      if (wiped) return feed.read(root, after, limit)
      wiped = true
      feed.wipe()
      await feed.begin('r', { id: 'f', archive: 'a', floorMs: 0, state: 'open' })
      await feed.publish('r', {
        epoch: 'f',
        floorMs: 0,
        source: 's',
        expected: null,
        next: '1 9 0',
        entries: [entry(9)],
        announcements: [],
      })
      return []
    },
  }
  const entries = follow(wiping, 'r', { clock: systemClock, signal: stop.signal, told: () => undefined })
  const found = (await entries.next()).value
  t.is(found?.['raw']?.toString(), '9')
  stop.abort()
  t.true((await entries.next()).done)
})
