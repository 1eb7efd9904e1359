/**
 * The contract of the port `Files`, for any adapter: the kernel's files, and a simulated twin.
 * A world gives the port over an empty root, and hands to change what is in it; paths are as in `core/path.ts`.
 */
import { createHash } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import type { ExecutionContext, TestFn } from 'ava'
import { isGleanerError, type ErrorCode } from '../../src/errors.ts'
import type { Files, LookRequest, ReadRequest, SegmentBody } from '../../src/ports/files.ts'

export interface FilesWorld {
  files: Files
  /** Creates or replaces a file, and the directories above it. */
  write(path: string, bytes: Uint8Array): void
  append(path: string, bytes: Uint8Array): void
  truncate(path: string, size: number): void
  remove(path: string): void
}

/** A world that ends itself with the test. */
export type FilesFactory = (t: ExecutionContext) => FilesWorld | Promise<FilesWorld>

export const glance: LookRequest = { beginningBytes: 4096, probes: [], read: null, fresh: false }

export function reading(read: Partial<ReadRequest>): LookRequest {
  const whole: ReadRequest = {
    start: 0,
    end: 2 ** 40,
    as: 'segment',
    lineBytesMax: 2 ** 24,
    tail: false,
    stopAtNul: true,
  }
  return { ...glance, read: { ...whole, ...read } }
}

export async function rejects(t: ExecutionContext, call: Promise<unknown>, ...codes: ErrorCode[]) {
  const error = await t.throwsAsync(call)
  t.true(isGleanerError(error, ...codes), `${String(error)} is not ${codes.join(' or ')}`)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Whether a segment says of `bytes`, the whole file, what it must. */
export async function checkSegment(t: ExecutionContext, bytes: Buffer, segment: SegmentBody | null) {
  if (segment === null) return t.fail('no segment')
  const { start, end } = segment
  const raw = bytes.subarray(start, end)
  t.is(segment.sha256, sha256(raw))
  t.deepEqual(segment.witness, {
    length: Math.min(4096, end, bytes.length),
    sha256: sha256(bytes.subarray(Math.max(0, end - 4096), end)),
  })
  let at = 0
  for (const frame of await segment.frames) {
    t.true(frame.raw > 0 && frame.raw <= 2 ** 20)
    t.true(zstdDecompressSync(frame.bytes).equals(raw.subarray(at, at + frame.raw)), `frame at ${at}`)
    at += frame.raw
  }
  t.is(at, end - start)
}

export function filesContract(test: TestFn, name: string, factory: FilesFactory) {
  const text = (value: string) => Buffer.from(value)

  test(`${name}: an empty root lists as empty, and is mounted`, async (t) => {
    const { files } = await factory(t)
    t.deepEqual(await files.list(['']), [{ directory: '', directories: [], files: [] }])
    const mount = await files.mount()
    t.is(typeof mount.remote, 'boolean')
    t.deepEqual(await files.mount(), mount)
  })

  test(`${name}: lists one level, and says what is gone`, async (t) => {
    const world = await factory(t)
    for (const path of ['a', 'sub/b', 'sub/deep/c']) world.write(path, text('x'))
    const [top, sub, gone] = await world.files.list(['', 'sub', 'nowhere'])
    t.deepEqual(top, { directory: '', directories: ['sub'], files: ['a'] })
    t.deepEqual(sub, { directory: 'sub', directories: ['sub/deep'], files: ['sub/b'] })
    t.deepEqual(gone, { directory: 'nowhere', directories: [], files: [], gone: true })
    t.deepEqual(await world.files.list([]), [])
  })

  test(`${name}: names that are not plain come back as they went in`, async (t) => {
    const world = await factory(t)
    const names = ['a%20b', 'new%0Aline', 'not%FFutf8', '100%25', 'd%20ir/f%C3%A9']
    for (const path of names) world.write(path, text(path))
    const listed = await world.files.list(['', 'd%20ir'])
    t.deepEqual(listed.flatMap(({ files }) => files).toSorted(), names.toSorted())
    for (const path of names) t.is((await world.files.look(path, glance)).beginning.toString(), path)
    for (const fresh of [false, true]) {
      const { stats } = await world.files.stat(names, { fresh })
      t.deepEqual(
        stats.map((stat) => stat?.size),
        names.map((path) => path.length),
      )
    }
  })

  test(`${name}: stat tells size, and null for what is gone, in order`, async (t) => {
    const world = await factory(t)
    world.write('a', text('12345'))
    world.write('dir/b', text(''))
    for (const fresh of [false, true]) {
      const { stats, errors } = await world.files.stat(['a', 'gone', 'dir', 'dir/b', 'a/b'], { fresh })
      t.deepEqual(
        stats.map((stat) => stat?.size ?? null),
        [5, null, null, 0, null],
      )
      t.is(errors, 0)
    }
    t.deepEqual(await world.files.stat([], { fresh: true }), { stats: [], errors: 0 })
  })

  test(`${name}: what leaves the root by its name is not opened`, async (t) => {
    const { files } = await factory(t)
    for (const path of ['../a', '', '.', '..', '/etc/passwd', 'a//b', 'a/../../b', '%2E%2E/a', 'a%00b']) {
      await rejects(t, files.look(path, glance), 'file-outside')
    }
    t.is((await files.stat(['../a', '%2E%2E/a'], { fresh: true })).errors, 2)
  })

  test(`${name}: a look at a file that is gone`, async (t) => {
    const world = await factory(t)
    await rejects(t, world.files.look('a', glance), 'file-gone')
    world.write('a', text('x'))
    await world.files.look('a', glance)
    world.remove('a')
    await rejects(t, world.files.look('a', glance), 'file-gone')
    await rejects(t, world.files.look('a/b', glance), 'file-gone')
  })

  test(`${name}: beginning, probes and bytes`, async (t) => {
    const world = await factory(t)
    const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, at) => at % 251))
    world.write('a', bytes)
    const probes = [
      { start: 0, end: 10_000 },
      { start: 5, end: 7 },
      { start: 0, end: 10_001 },
      { start: 3, end: 3 },
    ]
    const request: LookRequest = { ...reading({ as: 'bytes', start: 100, end: 300 }), probes, fresh: true }
    const look = await world.files.look('a', request)
    t.is(look.stat.size, 10_000)
    t.true(look.beginning.equals(bytes.subarray(0, 4096)))
    t.deepEqual(look.probes, [sha256(bytes), sha256(bytes.subarray(5, 7)), null, sha256(Buffer.alloc(0))])
    t.true(look.bytes?.equals(bytes.subarray(100, 300)))
    t.is(look.segment, null)
    t.true(look.steady)
    const past = await world.files.look('a', reading({ as: 'bytes', start: 9_999, end: 20_000 }))
    t.is(past.bytes?.length, 1)
    t.is((await world.files.look('a', reading({ as: 'bytes', start: 20_000, end: 30_000 }))).bytes?.length, 0)
  })

  const big = Buffer.from(Array.from({ length: 60_000 }, (_, n) => `line ${n} ${'#'.repeat(n % 90)}\n`).join(''))
  const long = Buffer.concat([text('a\n'), Buffer.alloc(3 * 2 ** 20, 'x'), text('\nend\n')])
  const shapes: [string, Buffer, Partial<ReadRequest>, Partial<SegmentBody>][] = [
    ['empty', text(''), {}, { end: 0, lines: 0, tail: 'complete' }],
    ['one byte', text('x'), {}, { end: 0, lines: 0 }],
    [
      'one byte, taken as a tail',
      text('x'),
      { tail: true },
      { end: 1, lines: 1, tail: 'incomplete', lastLine: text('x') },
    ],
    ['only newlines', text('\n\n\n'), {}, { end: 3, lines: 3, firstLine: text(''), lastLine: text('') }],
    [
      'an unfinished line',
      text('one\ntwo\nthr'),
      {},
      { end: 8, lines: 2, firstLine: text('one'), lastLine: text('two') },
    ],
    [
      'from a later start',
      text('one\ntwo\nthree\n'),
      { start: 4 },
      { end: 14, lines: 2, firstLine: text('two'), lastLine: text('three') },
    ],
    ['a start past the end', text('one\n'), { start: 10 }, { start: 10, end: 10, lines: 0 }],
    ['an end within a line', text('one\ntwo\n'), { end: 6 }, { end: 4, lines: 1 }],
    ['a NUL', text('one\ntw\0\nthree\n'), {}, { end: 4, lines: 1, nulAt: 6 }],
    ['a NUL that is taken', text('one\ntw\0\n'), { stopAtNul: false }, { end: 8, lines: 2, nulAt: 6 }],
    ['a NUL first', text('\0\n'), { tail: true }, { end: 0, lines: 0, nulAt: 0 }],
    [
      'an overlong line',
      text('abcdefghij\n'),
      { lineBytesMax: 4 },
      { end: 11, lines: 3, tail: 'complete', lastLine: text('ij') },
    ],
    [
      'an end at a cut',
      text('abcdefghij'),
      { lineBytesMax: 4 },
      { end: 8, lines: 2, tail: 'cut', firstLine: text('abcd'), lastLine: text('efgh') },
    ],
    ['many frames', big, {}, { end: big.length, lines: 60_000, tail: 'complete', firstLine: text('line 0 ') }],
    [
      'many frames with a tail',
      big.subarray(0, -1),
      { tail: true },
      { end: big.length - 1, lines: 60_000, tail: 'incomplete' },
    ],
    [
      'a line over several frames',
      long,
      {},
      { end: long.length, lines: 3, firstLine: text('a'), lastLine: text('end') },
    ],
    ['a line over several frames, unfinished', long.subarray(0, -5), {}, { end: 2, lines: 1, lastLine: text('a') }],
    [
      'the same, as a tail',
      long.subarray(0, -5),
      { tail: true },
      { end: long.length - 5, lines: 2, tail: 'incomplete' },
    ],
    ['the same, cut', long.subarray(0, -5), { lineBytesMax: 2 ** 20 }, { end: 2 + 3 * 2 ** 20, lines: 4, tail: 'cut' }],
    [
      'a NUL in a line over several frames',
      Buffer.concat([long.subarray(0, -5), text('\0\n')]),
      {},
      { end: 2, nulAt: long.length - 5 },
    ],
    ['exactly one frame', Buffer.alloc(2 ** 20, '0123456\n'), {}, { end: 2 ** 20, lines: 2 ** 17 }],
    [
      'one byte more than a frame',
      Buffer.concat([Buffer.alloc(2 ** 20, '0123456\n'), text('\n')]),
      {},
      { end: 2 ** 20 + 1 },
    ],
  ]
  for (const [title, bytes, read, expected] of shapes) {
    test(`${name}: segment: ${title}`, async (t) => {
      const world = await factory(t)
      world.write('a', bytes)
      const { segment, steady } = await world.files.look('a', reading(read))
      await checkSegment(t, bytes, segment)
      t.like(segment, expected)
      t.true(steady)
    })
  }

  test(`${name}: first and last line are kept to 64 KiB`, async (t) => {
    const world = await factory(t)
    world.write('a', long.subarray(2, -4))
    const { segment } = await world.files.look('a', reading({}))
    t.is(segment?.firstLine.length, 65_536)
    t.is(segment?.lastLine.length, 65_536)
  })

  test(`${name}: segments asked for one after the other come in order, each whole`, async (t) => {
    const world = await factory(t)
    world.write('a', big)
    const middle = big.indexOf(0x0a, big.length / 2) + 1
    const requests = [reading({ end: middle }), reading({ start: middle }), reading({ end: 30 })]
    const looks = await Promise.all(requests.map((request) => world.files.look('a', request)))
    for (const { segment } of looks) await checkSegment(t, big, segment)
    t.deepEqual(
      looks.map(({ segment }) => segment?.end),
      [middle, big.length, big.lastIndexOf(0x0a, 29) + 1],
    )
  })

  test(`${name}: a file that grew or shrank between looks`, async (t) => {
    const world = await factory(t)
    world.write('a', text('one\n'))
    t.is((await world.files.look('a', reading({}))).segment?.end, 4)
    world.append('a', text('two\n'))
    t.is((await world.files.look('a', { ...reading({}), fresh: true })).segment?.end, 8)
    world.truncate('a', 2)
    t.is((await world.files.look('a', reading({}))).stat.size, 2)
  })
}
