import test from 'ava'
import { appendFile, copyFile, mkdir, open, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openSite } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'

const sites: Site[] = []
test.afterEach.always(async () => {
  for (const site of sites.splice(0)) await site.close()
})

async function site(): Promise<Site> {
  const one = await openSite()
  sites.push(one)
  return one
}

test.serial('reconcile: archives every complete line once; a second one makes nothing', async (t) => {
  const { logs, gleaner, archived } = await site()
  await mkdir(join(logs, 'deep'))
  await writeFile(join(logs, 'a.log'), 'one\ntwo\nrest')
  await writeFile(join(logs, 'deep', 'b.log'), Buffer.alloc(3_000_000, 'some line that repeats\n'))
  const first = await gleaner('--json', 'reconcile')
  t.is(first.code, 0, first.stderr)
  const lines = 2 + Math.floor(3_000_000 / 23)
  t.deepEqual(JSON.parse(first.stdout), {
    files: 2,
    bytes: 8 + 23 * (lines - 2),
    segments: 2,
    records: lines,
    anomalies: [],
  })
  const second = await gleaner('--json', 'reconcile')
  t.deepEqual(JSON.parse(second.stdout), { files: 2, bytes: 0, segments: 0, records: 0, anomalies: [] })
  await appendFile(join(logs, 'a.log'), '\n')
  const third = await gleaner('--json', 'reconcile')
  t.deepEqual(JSON.parse(third.stdout), { files: 2, bytes: 5, segments: 1, records: 1, anomalies: [] })
  t.true((await archived()).includes(await readFile(join(logs, 'a.log'), 'utf8')))
})

test.serial('reconcile: a truncated copy beside its source is nobody new', async (t) => {
  const { logs, gleaner, archived } = await site()
  const active = join(logs, 'a.log')
  await writeFile(active, 'one\ntwo\n')
  t.is((await gleaner('reconcile')).code, 0)
  await appendFile(active, 'three\n')
  await copyFile(active, `${active}.1`)
  await truncate(active, 0)
  await appendFile(active, 'fresh\n')
  const after = await gleaner('--json', 'reconcile')
  t.is(after.code, 0, after.stderr)
  t.deepEqual(await archived(), ['fresh\n', 'one\ntwo\nthree\n'])
})

test.serial(
  'reconcile: alone on a root that others write, a file that holds something else now is collected',
  async (t) => {
    const { logs, configure, gleaner, archived } = await site()
    await configure({}, { remote: true })
    const active = join(logs, 'a.log')
    await writeFile(active, 'one\ntwo\n')
    t.is((await gleaner('reconcile')).code, 0)
    await writeFile(active, 'one\nthing\n')
    const after = await gleaner('reconcile')
    t.is(after.code, 3, after.stderr)
    t.regex(after.stdout, /anomaly: rewritten/)
    t.deepEqual(await archived(), ['one\nthing\n', 'one\ntwo\n'])
    await writeFile(active, `one\nthing\n${'\0'.repeat(8)}\nthe end\n`)
    const hole = await gleaner('reconcile')
    t.is(hole.code, 3, hole.stderr)
    t.regex(hole.stdout, /anomaly: hole/)
    t.true((await archived()).includes(await readFile(active, 'utf8')))
  },
)

test.serial('reconcile: alone, a file that stays shorter than its archive is told by a later run', async (t) => {
  const { logs, configure, gleaner } = await site()
  await configure({}, { remote: true })
  const active = join(logs, 'a.log')
  await writeFile(active, 'one\ntwo\n')
  t.is((await gleaner('reconcile')).code, 0)
  await truncate(active, 4)
  t.is((await gleaner('reconcile')).code, 0)
  await delay(1100)
  const later = await gleaner('reconcile')
  t.is(later.code, 3, later.stderr)
  t.regex(later.stdout, /anomaly: truncated/)
})

test.serial(
  'reconcile: alone, a later run proves what an earlier one archived, and revises what differs',
  async (t) => {
    const { logs, configure, gleaner } = await site()
    await configure({ settle: { read: '50ms', tail: '1h', final: '1h' } })
    const [kept, edited] = [join(logs, 'a.log'), join(logs, 'b.log')]
    await writeFile(kept, 'one\ntwo\n')
    await writeFile(edited, `other\n${'some line that repeats\n'.repeat(20_000)}`)
    const proven = async (): Promise<unknown[]> =>
      (JSON.parse((await gleaner('sources', '--json')).stdout) as { proven: number }[]).map((one) => one.proven)
    t.is((await gleaner('reconcile')).code, 0)
    t.is((await gleaner('reconcile')).code, 0)
    t.deepEqual(await proven(), [0, 0], 'not before settle.tail')
    const file = await open(edited, 'r+')
    await file.write('SOME', 6 + 23 * 10_000)
    await file.close()
    await configure()
    await delay(1100)
    const later = await gleaner('--json', 'reconcile')
    t.is(later.code, 3, later.stderr)
    const { anomalies } = JSON.parse(later.stdout) as { anomalies: { kind: string; detail: string }[] }
    t.deepEqual(
      anomalies.map(({ kind }) => kind),
      ['revised'],
    )
    t.regex(anomalies[0]?.detail ?? '', /the file differs from what was archived for 0-460006; both are kept/)
    t.deepEqual(await proven(), [8, 460_006])
    t.deepEqual((await gleaner('reconcile')).code, 0, 'once')
  },
)

test.serial('reconcile: a segment that cannot be read keeps no other from being proven', async (t) => {
  const { logs, archive, gleaner } = await site()
  for (const name of ['a', 'b', 'c']) await writeFile(join(logs, `${name}.log`), `${name} one\n`)
  t.is((await gleaner('reconcile')).code, 0)
  const segments = join(archive, 'evidence', 'segments', 'r')
  const rows = JSON.parse((await gleaner('sources', '--json')).stdout) as { source: string; path: string }[]
  const first = rows.find(({ path }) => path === 'a.log')?.source ?? ''
  const kept = join(segments, first, `${'0'.repeat(16)}.zst`)
  await rename(kept, join(logs, '..', 'kept'))
  await writeFile(kept, 'nothing of the kind')
  await delay(1100)
  t.regex((await gleaner('reconcile')).stderr, /damaged|does not hold/)
  await rename(join(logs, '..', 'kept'), kept)
  const after = JSON.parse((await gleaner('sources', '--json')).stdout) as { proven: number }[]
  t.deepEqual(
    after.map(({ proven }) => proven),
    [0, 6, 6],
  )
})

test.serial('reconcile --dry-run: says what it would take and writes nothing', async (t) => {
  const { logs, archive, gleaner } = await site()
  await writeFile(join(logs, 'a.log'), 'one\ntwo\n')
  const dry = await gleaner('--json', 'reconcile', '--dry-run')
  t.is(dry.code, 0, dry.stderr)
  const { files, bytes, objects } = JSON.parse(dry.stdout) as Record<string, number>
  t.deepEqual({ files, bytes, objects }, { files: 1, bytes: 8, objects: 1 })
  await t.throwsAsync(readFile(join(archive, 'evidence', 'store.json')))
  await gleaner('reconcile')
  const after = JSON.parse((await gleaner('--json', 'reconcile', '--dry-run')).stdout) as Record<string, number>
  t.is(after['bytes'], 0)
})

test.serial(
  'reconcile: rules that differ from the frozen ones are refused with the difference; added ones are added',
  async (t) => {
    const { logs, archive, configure, gleaner } = await site()
    await writeFile(join(logs, 'a.log'), '{"a":1}\n')
    t.is((await gleaner('reconcile')).code, 0)
    await configure({}, { format: 'jsonl', header: { prefix: '#' } })
    const refused = await gleaner('reconcile')
    t.is(refused.code, 2)
    t.regex(
      refused.stderr,
      /format: the archive has lines, the configuration jsonl; header: the archive has none, the configuration prefix: '#'/,
    )
    t.regex(refused.stderr, /^what to do: restore the rules/m)
    t.notRegex(refused.stderr, /at .*\.ts:/)
    await configure({}, { rotation: [{ match: String.raw`\.done$` }] })
    const more = await gleaner('reconcile')
    t.is(more.code, 0, more.stderr)
    const added = JSON.parse(await readFile(join(archive, 'evidence', 'roots', 'r.1.json'), 'utf8')) as Record<
      string,
      unknown
    >
    t.deepEqual(added['rotation'], [String.raw`\.done$`])
    await configure()
    t.is((await gleaner('reconcile')).code, 2)
  },
)

test.serial('reconcile: what cannot be read is named, the rest is archived, and it exits 1', async (t) => {
  const { logs, gleaner, archived, configure } = await site()
  await writeFile(join(logs, 'a.log'), 'one\n')
  await writeFile(join(logs, 'bad.log.gz'), Buffer.from('not gzip at all'))
  await configure({ settle: { read: '10ms', tail: '10ms' } })
  const { code, stderr } = await gleaner('reconcile')
  t.deepEqual(await archived(), ['one\n'])
  t.is(code, 1, stderr)
  t.regex(stderr, /^gleaner: r\/bad\.log\.gz: /m)
})

test.serial('reconcile: a root that is not there fails and is named', async (t) => {
  const { gleaner, configure, dir } = await site()
  await configure({}, { path: join(dir, 'nowhere') })
  const { code, stderr } = await gleaner('reconcile')
  t.is(code, 1)
  t.regex(stderr, /^gleaner: r: .*nowhere/m)
})

test.serial('reconcile: an unknown root, a limit without a unit, an unknown option', async (t) => {
  const { gleaner } = await site()
  const unknown = await gleaner('reconcile', '--root', 'x')
  t.is(unknown.code, 1)
  t.regex(unknown.stderr, /expected one of r/)
  t.is((await gleaner('reconcile', '--bwlimit', '3')).code, 2)
  t.is((await gleaner('reconcile', '--nonsense')).code, 2)
})

test.serial('reconcile --bwlimit: archives the same bytes', async (t) => {
  const { logs, gleaner, archived } = await site()
  for (const name of ['a', 'b', 'c']) await writeFile(join(logs, name), `${name}\n`)
  t.is((await gleaner('reconcile', '--bwlimit', '20KiB/s')).code, 0)
  t.deepEqual(await archived(), ['a\n', 'b\n', 'c\n'])
})
