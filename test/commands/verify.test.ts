import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openSite as open, type Site } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'

interface Report {
  sources: number
  segments: number
  bytes: number
  damaged: { key: string; problem: string }[]
  missing: { source: string; at: number; upTo: number }[]
  different: { path: string; source: string; offset: number }[]
  expired: number
}

interface VerifySite extends Site {
  put: (text: string) => void
  verify: (status: number, ...args: string[]) => Promise<Report>
  /** Paths of the segments of the only source, in order. */
  segments: () => string[]
}

/** A site with `acct` archived in three segments. */
async function openSite(t: ExecutionContext, more: Record<string, unknown> = {}): Promise<VerifySite> {
  const site = await open()
  t.teardown(() => site.close())
  await site.configure(more)
  const put = (text: string): void => writeFileSync(join(site.logs, 'acct'), text)
  for (const text of ['one\n', 'one\ntwo\n', 'one\ntwo\nthree\n']) {
    put(text)
    const ran = await site.gleaner('reconcile')
    t.is(ran.code, 0, ran.stderr)
  }
  const segments = (): string[] => {
    const root = join(site.archive, 'evidence', 'segments', 'r')
    return readdirSync(root).flatMap((source) =>
      readdirSync(join(root, source))
        .filter((name) => name.endsWith('.zst'))
        .sort()
        .map((name) => join(root, source, name)),
    )
  }
  const verify = async (status: number, ...args: string[]): Promise<Report> => {
    const ran = await site.gleaner('--json', 'verify', ...args)
    t.is(ran.code, status, ran.stderr + ran.stdout)
    return JSON.parse(ran.stdout) as Report
  }
  return { ...site, put, verify, segments }
}

const digests = { checked: 0, signed: 0, unsigned: 0, trustedKeys: 0, last: null }
const clean = { digests, sources: 1, segments: 3, bytes: 14, damaged: [], missing: [], different: [], expired: 0 }

test('what the collector archived is as it should be, with files and without', async (t) => {
  const site = await openSite(t)
  t.deepEqual(await site.verify(0), clean)
  t.deepEqual(await site.verify(0, '--files'), clean)
  t.deepEqual(await site.verify(0, '--root', 'r'), clean)
  t.is((await site.gleaner('verify')).stdout, '1 source, 3 segments, 14 B read: all as it should be\n')
  t.is((await site.gleaner('verify', '--root', 'x')).code, 1)
})

test('a byte that was changed in the archive is damage: exit status 3', async (t) => {
  const site = await openSite(t)
  const path = site.segments()[1] as string
  const body = readFileSync(path)
  // Before the seek table of two entries lies the last byte of the only frame.
  const at = body.length - (8 + 2 * 8 + 9) - 1
  body[at] = (body[at] as number) ^ 1
  writeFileSync(path, body)
  const { damaged } = await site.verify(3)
  t.true(damaged.length > 0 && damaged.every(({ key }) => path.endsWith(key)))
  t.regex((await site.gleaner('verify')).stdout, /^damaged: evidence\/segments\/r\//)
})

test('a segment that was removed is missing: exit status 3', async (t) => {
  const site = await openSite(t)
  rmSync(site.segments()[1] as string)
  t.like((await site.verify(3)).missing[0], { at: 4, upTo: 8 })
})

test('a byte that was changed in the file is different, and only --files sees it', async (t) => {
  const site = await openSite(t)
  site.put('one\ntwX\nthree\n')
  t.like(await site.verify(0), { different: [] })
  t.like((await site.verify(3, '--files')).different[0], { path: 'acct', offset: 6 })
})

test('a last segment that was removed is missing where Redis is there; without it, the rest is verified', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const site = await openSite(t, { redis: redis.url, feed: { since: 'all' } })
  t.deepEqual(await site.verify(0), clean)
  rmSync(site.segments()[2] as string)
  t.like((await site.verify(3)).missing[0], { at: 8, upTo: 14 })
  await redis.kill()
  const ran = await site.gleaner('--json', 'verify')
  t.is(ran.code, 0)
  t.regex(ran.stderr, /a missing last segment that no digest holds yet cannot be seen/)
})
