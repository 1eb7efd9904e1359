import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { openFiles } from '../../src/adapters/files.ts'
import { checkSegment, glance, reading, rejects, sha256 } from '../contract/files.ts'

function world(t: ExecutionContext) {
  const top = mkdtempSync(join(tmpdir(), 'gleaner-compressed-'))
  const files = openFiles({ root: 'test', path: top, remote: 'auto', deadlineMs: 30_000 })
  t.teardown(async () => {
    if (!(await files.close())) throw new Error('the thread has not ended')
    rmSync(top, { recursive: true })
  })
  return { files, write: (name: string, bytes: Buffer) => writeFileSync(join(top, name), bytes), top }
}

const content = Buffer.from(Array.from({ length: 200_000 }, (_, n) => `record ${n} ${(n * 31) % 977}\n`).join(''))
const half = content.length / 2
const two = (compress: (bytes: Buffer) => Buffer) =>
  Buffer.concat([compress(content.subarray(0, half)), compress(content.subarray(half))])
const program = (name: string) => (bytes: Buffer) => execFileSync(name, ['-c'], { input: bytes, maxBuffer: 2 ** 26 })
const formats: [string, (bytes: Buffer) => Buffer][] = [
  ['gz', (bytes) => gzipSync(bytes)],
  ['zst', (bytes) => zstdCompressSync(bytes)],
  ['bz2', program('bzip2')],
  ['xz', program('xz')],
]

for (const [suffix, compress] of formats) {
  const name = `a.${suffix}`

  test(`.${suffix} is looked at as its content, all members of it`, async (t) => {
    const { files, write, top } = world(t)
    write(name, two(compress))
    const look = await files.look(name, { ...reading({}), probes: [{ start: 0, end: content.length }], fresh: true })
    t.is(look.stat.size, content.length)
    t.is(look.stat.ino, statSync(join(top, name), { bigint: true }).ino)
    t.deepEqual(look.probes, [sha256(content)])
    await checkSegment(t, content, look.segment)
    t.true(look.steady)
    // stat tells of the compressed file itself
    t.is((await files.stat([name], { fresh: true })).stats[0]?.size, two(compress).length)
  })

  test(`.${suffix} that is torn, damaged, empty, or goes on with something else`, async (t) => {
    const { files, write } = world(t)
    const whole = compress(content)
    const middle = whole.length >> 1
    const damaged = Buffer.from(whole)
    damaged.fill(0x55, middle, middle + 64)
    const small = two((bytes) => compress(bytes.subarray(0, 20)))
    const bad: [string, Buffer][] = [
      ['half', whole.subarray(0, middle)],
      ['all but a byte', whole.subarray(0, -1)],
      ['a second member hardly begun', Buffer.concat([whole, compress(content).subarray(0, 5)])],
      ['a second member torn', small.subarray(0, -9)],
      ['damaged', damaged],
      ['garbage after', Buffer.concat([whole, Buffer.from('garbage')])],
      ['not compressed at all', content.subarray(0, 1000)],
      ['empty', Buffer.alloc(0)],
    ]
    for (const [title, bytes] of bad) {
      write(name, bytes)
      const error = await t.throwsAsync(files.look(name, glance), undefined, title)
      t.like(error, { code: 'file-torn' }, `${title}: ${String(error)}`)
    }
    write(name, whole)
    t.is((await files.look(name, glance)).stat.size, content.length)
  })
}

test('every cut of a small .zst and .gz of two members is torn, but between them', async (t) => {
  const { files, write } = world(t)
  for (const [suffix, compress] of formats.slice(0, 2)) {
    const first = compress(Buffer.from('hello\n'))
    const both = Buffer.concat([first, compress(Buffer.from('world, world, world\n'))])
    for (let size = 1; size < both.length; size++) {
      write(`a.${suffix}`, both.subarray(0, size))
      if (size === first.length) t.is((await files.look(`a.${suffix}`, glance)).stat.size, 6)
      else await rejects(t, files.look(`a.${suffix}`, glance), 'file-torn')
    }
  }
})

// Alone, and in a directory of its own: other expansions have a name for a moment.
test.serial('a changed file is expanded anew, and no temporary file has a name', async (t) => {
  const own = mkdtempSync(join(tmpdir(), 'gleaner-expansions-'))
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = own
  t.teardown(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    rmSync(own, { recursive: true, force: true })
  })
  const { files, write } = world(t)
  for (const text of ['one\n', 'two two\n', 'three three three\n']) {
    write('a.gz', gzipSync(text))
    t.is((await files.look('a.gz', glance)).beginning.toString(), text)
  }
  t.deepEqual(
    readdirSync(own).filter((name) => /^gleaner-[0-9a-f]{16}$/.test(name)),
    [],
  )
})
