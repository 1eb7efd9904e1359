/** What files and roots can do to a collector, with real processes: each has a right outcome or a clear message, and no byte is lost. */

import test from 'ava'
import type { ExecutionContext } from 'ava'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, open, readFile, rename, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openSite, until } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'
import { completeBytes, readArchive } from '../support/lines.ts'

const longLineBytes = Number(process.env['GLEANER_E2E_LINE_BYTES'] ?? 64 * 1024 ** 2)
const mounts = spawnSync('sh', ['-c', 'command -v bindfs && command -v fusermount3 && test -w /dev/fuse']).status === 0
const settle = { read: '20ms', tail: '400ms', final: '1h' }

const withSite = (body: (t: ExecutionContext, site: Site) => Promise<void>) => async (t: ExecutionContext) => {
  t.timeout(90_000)
  const site = await openSite()
  await site.configure({ settle })
  try {
    await body(t, site)
  } finally {
    await site.close()
  }
}

/** The archived bytes of each source, latin1, in their order. */
async function sources({ archive }: Site): Promise<string[]> {
  return (await readArchive(archive, 'r'))
    .filter(({ bytes }) => bytes.length > 0)
    .map(({ bytes }) => bytes.toString('latin1'))
    .sort()
}

async function archives(site: Site, ...expected: string[]): Promise<void> {
  const wanted = JSON.stringify(expected.sort())
  await until(async () => JSON.stringify(await sources(site)) === wanted)
}

interface Report {
  files: number
  bytes: number
  segments: number
  anomalies: { kind: string; subject: string }[]
}

async function reconcile(t: ExecutionContext, site: Site, ...codes: number[]): Promise<Report> {
  const { code, stdout, stderr } = await site.gleaner('--json', 'reconcile')
  t.true((codes.length === 0 ? [0] : codes).includes(code ?? -1), `${String(code)}: ${stderr}`)
  return JSON.parse(stdout) as Report
}

async function stop(
  t: ExecutionContext,
  running: { kill(signal: NodeJS.Signals): void; ended: Promise<{ code: number | null; stderr: string }> },
) {
  running.kill('SIGTERM')
  const { code, stderr } = await running.ended
  t.is(code, 0, stderr)
}

async function anomalies(site: Site): Promise<string[]> {
  const { stdout } = await site.gleaner('--json', 'anomalies')
  return (JSON.parse(stdout) as { kind: string; path: string }[]).map(({ kind, path }) => `${kind} ${path}`).sort()
}

const shapes: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  byte: Buffer.from('x'),
  newline: Buffer.from('\n'),
  'no-newline': Buffer.from('one line without its end'),
  newlines: Buffer.alloc(70_000, '\n'),
  'one-then-rest': Buffer.from('complete\nand the rest'),
  '96k': Buffer.from(`before\n${'y'.repeat(96 * 1024)}\nafter\n`),
  '96k-first': Buffer.from(`${'z'.repeat(96 * 1024)}\nafter\n`),
  crlf: Buffer.from('one\r\ntwo\r\n\r\n\rthree\r\n'),
  latin1: Buffer.from('M\xfcller \xa7 \xff\xfe\n', 'latin1'),
  surrogates: Buffer.from([0x61, 0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf, 0x0a, 0xf4, 0x90, 0x80, 0x80, 0x0a]),
  escapes: Buffer.from('\x1b[2J\x1b]0;title\x07\x08\x7f\x9b\n \t \n', 'latin1'),
  utf8: Buffer.from('größe 😀 \u2028 \ufeff\n'),
}

test.serial(
  'whatever bytes a file holds, its complete lines are archived as they are, and once',
  withSite(async (t, site) => {
    for (const [name, bytes] of Object.entries(shapes)) await writeFile(join(site.logs, name), bytes)
    const report = await reconcile(t, site)
    t.is(report.files, Object.keys(shapes).length)
    const expected = Object.values(shapes)
      .map((bytes) => bytes.subarray(0, completeBytes(bytes)).toString('latin1'))
      .filter((text) => text !== '')
      .sort()
    t.deepEqual(await sources(site), expected)
    t.is((await reconcile(t, site)).segments, 0)
    // The rest of each last line arrives.
    for (const name of Object.keys(shapes)) await appendFile(join(site.logs, name), '!\n')
    await reconcile(t, site)
    t.deepEqual(
      await sources(site),
      Object.values(shapes)
        .map((bytes) => `${bytes.toString('latin1')}!\n`)
        .sort(),
    )
    t.is((await site.gleaner('verify', '--files')).code, 0)
  }),
)

test.serial(
  'a line longer than the limit is cut, and its bytes are all archived',
  withSite(async (t, site) => {
    const file = join(site.logs, 'long')
    await writeFile(file, 'before\n')
    const handle = await open(file, 'a')
    const piece = Buffer.alloc(1024 ** 2, 'long line ')
    for (let written = 0; written < longLineBytes; written += piece.length) await handle.write(piece)
    await handle.close()
    await appendFile(file, '\nafter\n')
    const { code, stderr } = await site.gleaner('reconcile')
    t.true(code === 0 || code === 3, stderr)
    const [archived] = await readArchive(site.archive, 'r')
    t.true(
      archived?.bytes.equals(await readFile(file)),
      `${archived?.bytes.length} of ${(await stat(file)).size} bytes`,
    )
    t.is((await site.gleaner('verify', '--files')).code, 0)
  }),
)

test.serial(
  'a run of NULs is waited for; one that stays is archived, with an anomaly',
  withSite(async (t, site) => {
    const file = join(site.logs, 'a.log')
    await writeFile(file, 'one\ntwo\n')
    const running = await site.start(['run'], '"running"')
    await archives(site, 'one\ntwo\n')
    const handle = await open(file, 'r+')
    await handle.write('after\n', 8 + 100)
    await delay(150)
    await handle.write(`${'n'.repeat(99)}\n`, 8)
    await archives(site, `one\ntwo\n${'n'.repeat(99)}\nafter\n`)
    await handle.write('end\n', 8 + 106 + 50)
    await handle.close()
    await archives(site, `one\ntwo\n${'n'.repeat(99)}\nafter\n${'\0'.repeat(50)}end\n`)
    await stop(t, running)
    t.deepEqual(await anomalies(site), ['hole a.log'])
  }),
)

test.serial(
  'files that begin alike: two of a family are two sources, a prefix of one is none until it differs',
  withSite(async (t, site) => {
    const acct = join(site.logs, 'acct')
    await writeFile(acct, 'begin\ntwo\nthree\n')
    await writeFile(`${acct}.1`, 'begin\nother\n')
    await writeFile(`${acct}.2`, 'begin\ntwo\n')
    await writeFile(join(site.logs, 'stranger'), 'begin\ntwo\nthree\n')
    for (let n = 0; n < 2; n++) await reconcile(t, site)
    const three = ['begin\nother\n', 'begin\ntwo\nthree\n', 'begin\ntwo\nthree\n']
    t.deepEqual(await sources(site), three)
    await appendFile(`${acct}.2`, 'THREE\n')
    await reconcile(t, site)
    t.deepEqual(await sources(site), ['begin\ntwo\nTHREE\n', ...three].sort())
    t.is((await reconcile(t, site)).segments, 0)
  }),
)

test.serial(
  'a file cut short is an anomaly, keeps its archive, and refilled past the old end it is a new source',
  withSite(async (t, site) => {
    const file = join(site.logs, 'a.log')
    const old = 'one\ntwo\nthree\n'
    await writeFile(file, old)
    const running = await site.start(['run'], '"running"')
    await archives(site, old)
    await truncate(file, 4)
    await until(async () => (await anomalies(site)).includes('truncated a.log'))
    t.deepEqual(await sources(site), [old])
    await appendFile(file, 'TWO, and more than there was before\n')
    await archives(site, old, 'one\nTWO, and more than there was before\n')
    await stop(t, running)
    t.true((await anomalies(site)).includes('truncated a.log'))
    t.is((await site.gleaner('verify')).code, 0)
  }),
)

test.serial(
  'cut to nothing and refilled past the old end while nobody looked',
  withSite(async (t, site) => {
    const file = join(site.logs, 'a.log')
    await writeFile(file, 'one\ntwo\n')
    await reconcile(t, site)
    const { ino } = await stat(file)
    await truncate(file, 0)
    await appendFile(file, 'quite another content, longer than before\n')
    t.is((await stat(file)).ino, ino)
    await reconcile(t, site, 0, 3)
    t.deepEqual(await sources(site), ['one\ntwo\n', 'quite another content, longer than before\n'])
  }),
)

test.serial(
  'replaced by a rename, and by a new file with the inode of the old one',
  withSite(async (t, site) => {
    const file = join(site.logs, 'a.log')
    await writeFile(file, 'one\n')
    await reconcile(t, site)
    await writeFile(join(site.logs, 'a.tmp'), 'two, from elsewhere\n')
    await rename(join(site.logs, 'a.tmp'), file)
    await reconcile(t, site, 0, 3)
    const { ino } = await stat(file)
    await unlink(file)
    await writeFile(file, 'three\n')
    t.log(`the inode was ${(await stat(file)).ino === ino ? '' : 'not '}used again`)
    await reconcile(t, site, 0, 3)
    t.deepEqual(await sources(site), ['one\n', 'three\n', 'two, from elsewhere\n'])
  }),
)

test.serial(
  'deleted before it was read, and a directory that comes and goes: nothing else suffers',
  withSite(async (t, site) => {
    await writeFile(join(site.logs, 'stays'), 'stays\n')
    const running = await site.start(['run'], '"running"')
    for (let n = 0; n < 150; n++) {
      const directory = join(site.logs, `d${n % 7}`)
      await mkdir(directory, { recursive: true })
      await writeFile(join(directory, `f${n}`), `short life ${n}\n`)
      await unlink(join(directory, `f${n}`))
      if (n % 10 === 0) await appendFile(join(site.logs, 'stays'), `line ${n}\n`)
    }
    const whole = await readFile(join(site.logs, 'stays'), 'latin1')
    await until(async () => (await sources(site)).includes(whole))
    await stop(t, running)
    const others = (await sources(site)).filter((text) => text !== whole)
    t.true(
      others.every((text) => /^short life \d+\n$/.test(text)),
      others.join(),
    )
    t.is(new Set(others).size, others.length)
  }),
)

test.serial(
  'growing while it is read: only whole lines, and in the end all',
  withSite(async (t, site) => {
    const file = join(site.logs, 'a.log')
    await writeFile(file, '')
    const stopping = new AbortController()
    const writer = (async () => {
      for (let n = 0; !stopping.signal.aborted; n++) {
        await appendFile(file, `line ${n} ${'x'.repeat(2000)}`)
        await appendFile(file, `${'y'.repeat(n % 3000)}\n`)
      }
    })()
    await delay(300)
    for (let n = 0; n < 3; n++) {
      await reconcile(t, site, 0, 1)
      const [text = ''] = await sources(site)
      t.true(text.endsWith('\n') && (await readFile(file, 'latin1')).startsWith(text))
    }
    stopping.abort()
    await writer
    await reconcile(t, site)
    t.deepEqual(await sources(site), [await readFile(file, 'latin1')])
  }),
)

test.serial(
  'what is no regular file beneath the root is left alone, and names may be any bytes',
  withSite(async (t, site) => {
    const { logs, dir } = site
    await writeFile(join(dir, 'secret'), 'outside\n')
    await mkdir(join(dir, 'outside'))
    await writeFile(join(dir, 'outside', 'secret'), 'outside too\n')
    t.is(spawnSync('mkfifo', [join(logs, 'fifo')]).status, 0)
    const server = createServer().unref().listen(join(logs, 'socket'))
    await once(server, 'listening')
    await symlink('loop', join(logs, 'loop'))
    await symlink('.', join(logs, 'self'))
    await symlink(join(dir, 'secret'), join(logs, 'out'))
    await symlink(join(dir, 'outside'), join(logs, 'outdir'))
    await symlink('nowhere', join(logs, 'dangling'))
    await writeFile(join(logs, 'with\nnewline'), 'newline\n')
    await writeFile(Buffer.concat([Buffer.from(`${logs}/not-utf8-`), Buffer.from([0xff, 0xfe])]), 'bytes\n')
    await writeFile(join(logs, '%41 "quoted" *?[x]'), 'percent\n')
    await writeFile(join(logs, 'n'.repeat(255)), 'longest\n')
    const expected = ['bytes\n', 'longest\n', 'newline\n', 'percent\n']
    const report = await reconcile(t, site)
    t.deepEqual(await sources(site), expected)
    t.is(report.files, 4)
    t.is((await reconcile(t, site)).segments, 0)
    const running = await site.start(['run'], '"running"')
    await appendFile(join(logs, 'with\nnewline'), 'more\n')
    await archives(site, 'bytes\n', 'longest\n', 'newline\nmore\n', 'percent\n')
    await stop(t, running)
    server.close()
    const shown = JSON.parse((await site.gleaner('--json', 'sources')).stdout) as { path: string }[]
    t.deepEqual(shown.map(({ path }) => path.replace(/n{255}/, 'n*')).sort(), [
      '%2541%20"quoted"%20*?[x]',
      'n*',
      'not-utf8-%FF%FE',
      'with%0Anewline',
    ])
    t.is((await site.gleaner('cat', 'r/with%0Anewline')).stdout, 'newline\nmore\n')
  }),
)

test.serial(
  'a root that is not there at the start is waited for, and the other root goes on',
  withSite(async (t, site) => {
    const [later, other] = [join(site.dir, 'later'), join(site.dir, 'other')]
    await mkdir(other)
    await writeFile(join(other, 'b'), 'other\n')
    const roots = [later, other].map((path, n) => ({
      name: n === 0 ? 'r' : 'other',
      path,
      format: 'lines',
      remote: false,
    }))
    await site.configure({ settle, roots })
    const running = await site.start(['run'], '"running"')
    await until(async () => (await readArchive(site.archive, 'other')).length === 1)
    await running.said('later')
    await mkdir(later)
    await writeFile(join(later, 'a'), 'late\n')
    await archives(site, 'late\n')
    await stop(t, running)
  }),
)

test.serial(
  'all files of a local root deleted at once: what was archived stays, and that is no anomaly',
  withSite(async (t, site) => {
    const all = ['a', 'b', 'c'].map((name) => join(site.logs, name))
    for (const file of all) await writeFile(file, `${file}\n`)
    const running = await site.start(['run'], '"running"')
    await archives(site, ...all.map((file) => `${file}\n`))
    await Promise.all(all.map((file) => unlink(file)))
    await delay(1500)
    await stop(t, running)
    t.deepEqual(await anomalies(site), [])
    t.deepEqual(
      await sources(site),
      all.map((file) => `${file}\n`),
    )
  }),
)

const whereMounts = mounts ? test.serial : test.serial.skip
whereMounts(
  'a root that is unmounted and comes back: nothing is taken for deleted, and it goes on',
  withSite(async (t, site) => {
    const [behind, mounted] = [join(site.dir, 'behind'), join(site.dir, 'mounted')]
    await mkdir(behind)
    await mkdir(mounted)
    const mount = (): void => void t.is(spawnSync('bindfs', [behind, mounted]).status, 0)
    const unmount = (): number | null => spawnSync('fusermount3', ['-u', '-z', mounted]).status
    mount()
    try {
      await writeFile(join(behind, 'a'), 'one\n')
      await site.configure({ settle }, { path: mounted, remote: 'auto' })
      const running = await site.start(['run'], '"running"')
      await archives(site, 'one\n')
      t.is(unmount(), 0)
      // What is under the mount point is not the root.
      await writeFile(join(mounted, 'under'), 'not of the root\n')
      await running.said('root is down')
      await appendFile(join(behind, 'a'), 'two\n')
      await delay(1500)
      t.deepEqual([await anomalies(site), await sources(site)], [[], ['one\n']])
      await unlink(join(mounted, 'under'))
      mount()
      await archives(site, 'one\ntwo\n')
      await stop(t, running)
      t.deepEqual(await anomalies(site), [])
    } finally {
      unmount()
    }
  }),
)
