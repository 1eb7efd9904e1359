import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { openFiles } from '../../src/adapters/files.ts'
import { errnoOf, failureOf, fileError } from '../../src/adapters/files-errors.ts'
import { untypedEntries } from '../../src/adapters/files-list.ts'
import type { SegmentBody } from '../../src/ports/files.ts'
import { checkSegment, glance, reading, rejects, sha256 } from '../contract/files.ts'
import { until } from '../support/gleaner.ts'

function world(t: ExecutionContext) {
  const parent = mkdtempSync(join(tmpdir(), 'gleaner-files-'))
  const top = join(parent, 'root')
  mkdirSync(top)
  const files = openFiles({ root: 'test', path: top, remote: 'auto', deadlineMs: 30_000 })
  t.teardown(async () => {
    if (!(await files.close())) throw new Error('the thread has not ended')
    rmSync(parent, { recursive: true })
  })
  return { parent, top, files }
}

async function framesOf(segment: SegmentBody | null) {
  return (await segment?.frames)?.map(({ bytes }) => bytes) ?? []
}

test('only regular files are opened, and none blocks', async (t) => {
  const { top, files } = world(t)
  execFileSync('mkfifo', [join(top, 'fifo')])
  const server = createServer().listen(join(top, 'socket'))
  await once(server, 'listening')
  t.teardown(() => server.close())
  mkdirSync(join(top, 'directory'))
  symlinkSync('loop', join(top, 'loop'))
  symlinkSync('/dev/zero', join(top, 'device'))
  const special = ['fifo', 'socket', 'directory', 'loop', 'device']
  for (const path of special) await rejects(t, files.look(path, glance), 'file-not-regular')
  for (const fresh of [false, true]) {
    t.deepEqual(await files.stat(special, { fresh }), { stats: special.map(() => null), errors: 0 })
  }
  const [{ links = [], ...listing } = {}] = await files.list([''])
  t.deepEqual(listing, { directory: '', directories: ['directory'], files: [] })
  t.deepEqual(
    links.sort((a, b) => (a < b ? -1 : 1)),
    ['device', 'loop'],
  )
})

test('no symlink leads out of the root, and one inside it gives no file a second name', async (t) => {
  const { parent, top, files } = world(t)
  mkdirSync(join(parent, 'root2'))
  mkdirSync(join(top, 'inside'))
  for (const path of ['root2/secret', 'root/inside/file']) writeFileSync(join(parent, path), 'x')
  symlinkSync('../root2', join(top, 'out'))
  symlinkSync('../root2/secret', join(top, 'link'))
  symlinkSync('inside', join(top, 'in'))
  await rejects(t, files.look('out/secret', glance), 'file-outside')
  await rejects(t, files.look('link', glance), 'file-not-regular')
  await rejects(t, files.look('in/file', glance), 'file-outside')
  for (const fresh of [false, true]) {
    const { stats, errors } = await files.stat(['out/secret', 'link', 'inside/file'], { fresh })
    t.deepEqual(
      stats.map((stat) => stat?.size ?? null),
      [null, null, 1],
    )
    t.is(errors, 1)
  }
  const [out] = await files.list(['out'])
  t.like(out, { files: [], directories: [], error: 'file-outside' })
  t.is(out?.gone, undefined)
})

test('the root may itself be reached through a symlink', async (t) => {
  const { parent, top } = world(t)
  writeFileSync(join(top, 'a'), 'x')
  symlinkSync('root', join(parent, 'alias'))
  const files = openFiles({ root: 'alias', path: join(parent, 'alias'), remote: true, deadlineMs: 30_000 })
  t.teardown(() => files.close())
  t.true((await files.mount()).remote)
  t.is((await files.look('a', glance)).stat.size, 1)
})

test('a root that is not there is unavailable, and nothing in it is gone', async (t) => {
  const { parent, top, files } = world(t)
  writeFileSync(join(top, 'a'), 'x')
  await files.mount()
  execFileSync('mv', [top, join(parent, 'moved')])
  for (const call of [files.mount(), files.list(['']), files.stat(['a'], { fresh: true }), files.look('a', glance)]) {
    await rejects(t, call, 'root-unavailable')
  }
  execFileSync('mv', [join(parent, 'moved'), top])
  t.is((await files.look('a', glance)).stat.size, 1)
})

test('a file that another process appends to: each look takes whole lines and is steady', async (t) => {
  const { top, files } = world(t)
  const path = join(top, 'a')
  writeFileSync(path, 'first\n')
  const descriptor = openSync(path, 'a')
  const writer = spawn('sh', ['-c', 'i=0; while [ $i -lt 3000 ]; do echo "line $i" >&3; i=$((i+1)); done', 'sh'], {
    stdio: ['ignore', 'ignore', 'ignore', descriptor],
  })
  closeSync(descriptor)
  const ended = once(writer, 'exit')
  let start = 0
  const parts: Uint8Array[] = []
  do {
    const { segment, steady } = await files.look('a', reading({ start }))
    t.true(steady)
    if (segment === null) return t.fail()
    start = segment.end
    parts.push(...(await framesOf(segment)))
  } while (writer.exitCode === null)
  await ended
  const rest = await files.look('a', reading({ start }))
  const archived = execFileSync('zstd', ['-dc'], {
    input: Buffer.concat([...parts, ...(await framesOf(rest.segment))]),
  })
  t.true(archived.equals(execFileSync('cat', [path])))
})

test('a file cut short while it is read is not steady', async (t) => {
  const { top, files } = world(t)
  const path = join(top, 'a')
  let unsteady = 0
  // The moment is not ours to choose: tried until it was hit.
  for (let tries = 0; tries < 200 && unsteady === 0; tries++) {
    writeFileSync(path, Buffer.alloc(24 * 2 ** 20, '0123456\n'))
    const looking = files.look('a', reading({}))
    setTimeout(() => truncateSync(path, 2 ** 20), tries % 20)
    const { steady, segment, stat } = await looking
    if (!steady) unsteady++
    else t.is(segment?.end, stat.size)
  }
  t.is(unsteady, 1)
})

test('the frames of a long segment are what `zstd -dc` makes the file of', async (t) => {
  const { top, files } = world(t)
  const bytes = Buffer.from(
    Array.from({ length: 400_000 }, (_, n) => `record ${n} of ${(n * 7919) % 10_007}\n`).join(''),
  )
  writeFileSync(join(top, 'a'), bytes)
  const { segment } = await files.look('a', { ...reading({}), fresh: true })
  await checkSegment(t, bytes, segment)
  const input = Buffer.concat(await framesOf(segment))
  t.true(execFileSync('zstd', ['-dc'], { input, maxBuffer: 2 ** 26 }).equals(bytes))
  const tail = bytes.subarray(1_000_003)
  const later = await files.look('a', reading({ start: 1_000_003 }))
  t.is(later.segment?.sha256, sha256(tail))
})

test('a fresh look drops the cached pages first', async (t) => {
  const { top, files } = world(t)
  if ((await files.mount()).filesystem === 'tmpfs') return t.pass('its pages are all there is')
  const path = join(top, 'a')
  writeFileSync(path, Buffer.alloc(2 ** 23, '0123456\n'), { flush: true })
  const cachedPages = () => Number(execFileSync('fincore', ['-b', '-n', '-o', 'PAGES', path], { encoding: 'utf8' }))
  await files.look('a', glance)
  t.is(cachedPages(), 2048)
  await files.look('a', { ...glance, fresh: true })
  t.true(cachedPages() < 1024)
})

test('types that a filesystem does not tell are asked for', (t) => {
  const { top } = world(t)
  appendFileSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xff, 0x0a])]), 'x')
  mkdirSync(join(top, 'd'))
  symlinkSync('d', join(top, 'link'))
  t.deepEqual(untypedEntries({ tick: () => undefined }, top), {
    files: ['\u{ff}\n'],
    directories: ['d'],
    links: ['link'],
  })
})

test('errors of the kernel are told by number, also those that Node does not name', (t) => {
  const cases: [number, string][] = [
    [2, 'file-gone'],
    [116, 'file-gone'],
    [107, 'file-gone'],
    [77, 'file-gone'],
    [13, 'file-unreadable'],
    [127, 'file-unreadable'],
    [5, 'file-io'],
    [110, 'file-io'],
    [40, 'file-not-regular'],
  ]
  for (const [errno, code] of cases) {
    const error = Object.assign(new Error('Unknown system error'), { errno: -errno })
    t.is(errnoOf(error), errno)
    t.is(fileError(error, 'look', 'r/a').code, code as never)
  }
  t.like(failureOf(new TypeError('x'), 'look', 'r/a'), { code: 'internal', message: 'x' })
})

test('a closed root says so', async (t) => {
  const { files } = world(t)
  await files.mount()
  t.true(await files.close())
  await rejects(t, files.mount(), 'root-unavailable')
})

test('a look is answered before its frames are compressed; those of a root that is closed meanwhile never come', async (t) => {
  const { top } = world(t)
  // At this level a frame takes a while.
  const files = openFiles({ root: 'slow', path: top, remote: 'auto', deadlineMs: 30_000, compressLevel: 19 })
  writeFileSync(
    join(top, 'a'),
    randomBytes(2 ** 22)
      .toString('hex')
      .replaceAll('00', '0\n'),
  )
  const { segment } = await files.look('a', reading({}))
  t.true(await files.close())
  await rejects(t, framesOf(segment), 'internal')
})

test('released frames hold no memory', async (t) => {
  const { top, files } = world(t)
  writeFileSync(join(top, 'a'), Buffer.alloc(2 ** 22, '0123456\n'))
  writeFileSync(join(top, 'small'), 'one\n')
  for (const path of ['a', 'small']) {
    const { segment } = await files.look(path, reading({}))
    const frames = await framesOf(segment)
    t.true(frames.length > 0 && frames.every((bytes) => bytes.length > 0))
    segment?.release()
    await segment?.frames
    t.true(frames.every((bytes) => bytes.length === 0))
  }
})

// Serial: compressors are shared by all roots of the process.
test.serial('a compressor that breaks fails its calls, and the next ones have new compressors', async (t) => {
  const { top, files } = world(t)
  writeFileSync(join(top, 'a'), Buffer.alloc(2 ** 22, '0123456\n'))
  const broken = openFiles({
    root: 'broken',
    path: top,
    remote: 'auto',
    deadlineMs: 30_000,
    compressLevel: 'none' as never,
  })
  t.teardown(() => broken.close())
  const frames = async () => framesOf((await broken.look('a', reading({}))).segment)
  for (let tries = 0; tries < 2; tries++) await rejects(t, frames(), 'internal')
  t.is((await broken.look('a', glance)).stat.size, 2 ** 22)
  t.is((await files.look('a', reading({}))).segment?.end, 2 ** 22)
})

test.serial(
  'compressors end when nothing is compressed for a while, and come back with the next segment',
  async (t) => {
    const { top } = world(t)
    const raw = Buffer.alloc(2 ** 22, '0123456\n')
    writeFileSync(join(top, 'a'), raw)
    const files = openFiles({ root: 'idle', path: top, remote: 'auto', deadlineMs: 30_000, compressorsIdleMs: 300 })
    t.teardown(() => files.close())
    for (let times = 0; times < 2; times++) {
      const { segment } = await files.look('a', reading({}))
      t.deepEqual(Buffer.concat((await framesOf(segment)).map((bytes) => zstdDecompressSync(bytes))), raw)
      await until(() => compressorThreads() === 0)
    }
  },
)

function compressorThreads(): number {
  const names = readdirSync('/proc/self/task').map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8')
    } catch {
      return 'ended'
    }
  })
  return names.filter((name) => name === 'compress\n').length
}
