import { Redis } from 'ioredis'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { contentId, sourceId } from '../../src/core/identity.ts'
import { segmentKey } from '../../src/core/segment.ts'
import type { Site } from '../support/gleaner.ts'
import { openSite, until } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'
import { segmentObject } from '../support/segments.ts'

interface Report {
  sources: number
  segments: number
  bytes: number
  expired: { source: string; start: number; end: number; segments: number; leftOver: number }[]
  kept: { path: string; reason: string }[]
}

async function site(t: ExecutionContext, more: Record<string, unknown> = {}): Promise<Site> {
  const opened = await openSite()
  t.teardown(() => opened.close())
  await opened.configure(more)
  return opened
}

const segmentsOf = (archive: string): string => join(archive, 'evidence', 'segments', 'r')

/** As if all of it had been stored long ago. */
function age(archive: string): void {
  const root = segmentsOf(archive)
  for (const source of readdirSync(root))
    for (const name of readdirSync(join(root, source))) utimesSync(join(root, source, name), 1e9, 1e9)
}

const now = (): string => new Date().toISOString()

test('the date, the root, and a Redis that does not answer', async (t) => {
  const { gleaner, configure } = await site(t)
  for (const [args, said] of [
    [['--before', '2020-01-01'], /--root/],
    [['--root', 'r'], /--before/],
    [['--root', 'r', '--before', 'last year'], /RFC 3339/],
    [['--root', 'r', '--before', '2999-01-01'], /still to come/],
  ] as const) {
    const ran = await gleaner('expire', ...args)
    t.is(ran.code, 2, args.join(' '))
    t.regex(ran.stderr, said)
  }
  t.is((await gleaner('expire', '--root', 'no', '--before', '2020-01-01')).code, 1)
  const empty = await gleaner('expire', '--root', 'r', '--before', '2020-01-01')
  t.is(empty.code, 0, empty.stderr)
  t.regex(empty.stdout, /0 segments of 0 sources/)
  await configure({ redis: 'redis://127.0.0.1:1' })
  const away = await gleaner('expire', '--root', 'r', '--before', '2020-01-01')
  t.is(away.code, 1)
  t.regex(away.stderr, /redis/i)
})

test('a dry run says what would go, and why the rest stays; nothing changes', async (t) => {
  const { logs, archive, gleaner } = await site(t)
  writeFileSync(join(logs, 'acct'), 'one\ntwo\n')
  t.is((await gleaner('reconcile')).code, 0)
  const young = await gleaner('expire', '--root', 'r', '--before', now(), '--dry-run')
  t.regex(young.stdout, /1 source keeps more, though it is old: it was stored a short while ago/)
  age(archive)
  const unproven = await gleaner('--json', 'expire', '--root', 'r', '--before', now())
  const [kept] = (JSON.parse(unproven.stdout) as Report).kept
  t.is(kept?.path, 'acct')
  t.regex(kept?.reason ?? '', /not proven/)
  // Nobody can prove it any more.
  renameSync(join(logs, 'acct'), join(logs, '..', 'acct'))
  t.is((await gleaner('reconcile')).code, 0)
  const ran = await gleaner('--json', 'expire', '--root', 'r', '--before', now(), '--dry-run')
  t.is(ran.code, 0, ran.stderr)
  const report = JSON.parse(ran.stdout) as Report
  t.deepEqual([report.sources, report.segments, report.bytes], [1, 1, 8])
  const text = await gleaner('expire', '--root', 'r', '--before', now(), '--dry-run')
  t.regex(text.stdout, /acct +[0-9a-f]{32}-0 +1 +8 B .*\n.*would expire/)
  t.is(readdirSync(segmentsOf(archive)).length, 1)
  t.false(existsSync(join(archive, 'evidence', 'boundaries')))
})

/** A file of `count` lines, archived line by line, as a collector that sealed each would have. */
function archiveLines({ logs, archive }: Site, count: number): { id: string; text: string } {
  const lines = Array.from({ length: count }, (_, index) => `line ${index} of a file that is old\n`)
  const text = lines.join('')
  writeFileSync(join(logs, 'acct'), text)
  const source = sourceId(contentId('r', Buffer.from('acct'), Buffer.from(lines[0] ?? '').subarray(0, -1)), 0)
  mkdirSync(join(segmentsOf(archive), source), { recursive: true })
  let previousChain = source
  let end = 0
  for (const line of lines) {
    const raw = Buffer.from(line)
    const before = Buffer.from(text.slice(0, end))
    const { object, header } = segmentObject([raw], { source, before, previousChain })
    writeFileSync(join(archive, segmentKey('r', source, end)), object)
    previousChain = header.chain
    end = header.end
  }
  return { id: source, text }
}

test('collected, expired with a kill in the middle, finished, collected on, rotated, Redis wiped: nothing twice, and verify is content', async (t) => {
  t.timeout(5 * 60_000)
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const quick = { settle: { read: '50ms', tail: '300ms', final: '1h' }, seal: { age: '100ms' } }
  const one = await site(t, {
    ...quick,
    redis: redis.url,
    feed: { since: 'all' },
    reconcile: { every: '200ms', fullEvery: '500ms' },
  })
  const { logs, archive, gleaner, start } = one
  const { id, text } = archiveLines(one, 600)
  age(archive)
  const proven = async (): Promise<number> => Number((await client.hget('{gleaner:r}:proven', id))?.split(' ')[0] ?? 0)
  const collecting = async (until_: () => Promise<boolean>): Promise<void> => {
    const run = await start(['run', '--roles', 'listen,reconcile,work'], '"running"')
    await until(until_)
    run.kill('SIGTERM')
    await run.ended
  }
  await collecting(async () => (await proven()) === text.length)
  const entries = async (): Promise<string[]> =>
    (await client.xrange('{gleaner:r}:records', '-', '+')).map(([, fields]) => {
      const at = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
      return `${at('source').slice(33)} ${at('start')}`
    })
  const counted = (): number => readdirSync(join(segmentsOf(archive), id)).length

  const date = '2026-03-01T00:00:01Z'
  const killed = await start(['expire', '--root', 'r', '--before', date], '')
  await new Promise<void>((resolve) => {
    const look = (): void => (counted() < 600 ? resolve() : void setImmediate(look))
    look()
  })
  killed.kill('SIGKILL')
  await killed.ended
  t.log(`${counted()} of 600 segments were left by the kill`)
  const cut = await gleaner('--json', 'sources')
  t.is((JSON.parse(cut.stdout) as { archived: number }[])[0]?.archived, text.length)

  const finished = await gleaner('--json', 'expire', '--root', 'r', '--before', date)
  t.is(finished.code, 0, finished.stderr)
  t.is(counted(), 0)
  const [row] = JSON.parse((await gleaner('--json', 'sources')).stdout) as { archived: number; state: string }[]
  t.is(row?.archived, text.length)

  appendFileSync(join(logs, 'acct'), 'more\n')
  await collecting(async () => (await entries()).includes(`0 ${text.length}`) && counted() === 1)
  renameSync(join(logs, 'acct'), join(logs, 'acct.1'))
  writeFileSync(join(logs, 'acct'), 'a new file\n')
  await collecting(async () => (await entries()).length >= 2)
  t.deepEqual(await entries(), [`0 ${text.length}`, '0 0'])
  t.is(readdirSync(segmentsOf(archive)).length, 2)

  const verified = await gleaner('--json', 'verify', '--files')
  t.is(verified.code, 0, verified.stdout)
  t.is((JSON.parse(verified.stdout) as { expired: number }).expired, text.length)
  const rest = await gleaner('cat', id)
  t.is(rest.stdout, readFileSync(join(logs, 'acct.1'), 'utf8').slice(text.length))
  t.regex(rest.stderr, new RegExp(`first ${text.length} bytes have expired`))
  const before = await gleaner('cat', id, '--offset', '0', '--length', '10')
  t.is(before.code, 1)
  t.regex(before.stderr, /have expired \(expire --before 2026-03-01T00:00:01Z\)/)
  t.is((await gleaner('replay', 'r', '--source', id, '--from', '0', '--to', '10')).code, 1)
  t.is((await gleaner('replay', 'r', '--source', id)).stdout.trim().split('\n').length, 1)

  // A new history's floor lies two seconds before its begin.
  await delay(2500)
  await client.flushall()
  await collecting(async () => (await client.exists('{gleaner:r}:epoch')) === 1 && (await proven()) >= text.length + 5)
  t.deepEqual(await entries(), [])
  t.is(readdirSync(segmentsOf(archive)).length, 2)
})
