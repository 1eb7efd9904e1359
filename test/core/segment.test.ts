import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import test from 'ava'
import * as fc from 'fast-check'
import type { SegmentHeader } from '../../src/core/segment.ts'
import {
  buildSegment,
  framesOf,
  headerBytesNeeded,
  parseSegmentKey,
  readHeader,
  readSeekTable,
  revisionKey,
  segmentKey,
} from '../../src/core/segment.ts'
import { headerFor, segmentObject } from '../support/segments.ts'

const key = 'evidence/segments/r/s-0/0000000000000000.zst'
const damaged = { code: 'store-damaged' } as const

const pieces = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 5 })
  .map((all) => all.map((one) => Buffer.from(one)))

test('header, seek table and frames come back from the object', (t) => {
  fc.assert(
    fc.property(pieces, fc.nat(1_000_000), (raw, start) => {
      const { object, header } = segmentObject(raw, { start })
      t.deepEqual(readHeader(object, key), header)
      const table = readSeekTable(object, key) ?? []
      t.deepEqual(
        table.slice(1).map((frame) => frame.raw),
        raw.map((one) => one.length),
      )
      t.is(table[0]?.compressed, headerBytesNeeded(object, key) ?? 0)
      let offset = start
      for (const [index, frame] of [...framesOf(object, key)].entries()) {
        t.is(frame.offset, offset)
        t.true(frame.bytes.equals(raw[index] as Buffer))
        offset += frame.bytes.length
      }
      t.is(offset, header.end)
    }),
  )
})

test('with a range, only the frames that touch it are decompressed', (t) => {
  const raw = ['aaaa\n', 'bbbb\n', 'cccc\n'].map((text) => Buffer.from(text))
  const { object } = segmentObject(raw, { start: 100 })
  const offsets = (start: number, end: number) =>
    [...framesOf(object, key, { start, end })].map((frame) => frame.offset)
  t.deepEqual(offsets(105, 110), [105])
  t.deepEqual(offsets(104, 106), [100, 105])
  t.deepEqual(offsets(115, 200), [])
  t.deepEqual(offsets(0, 1000), [100, 105, 110])
})

test('zstd -dc of segments, one after the other, is the source, and head shows the header', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gleaner-segment-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const raw = [Buffer.from('one\ntwo\n'), Buffer.from('three\n')]
  const first = segmentObject(raw)
  const second = segmentObject([Buffer.from('four\n')], { start: 14 })
  const names = [first, second].map(({ object }, index) => {
    const name = join(directory, `${index}.zst`)
    writeFileSync(name, object)
    return name
  })
  t.is(execFileSync('zstd', ['-dc', ...names], { encoding: 'utf8' }), 'one\ntwo\nthree\nfour\n')
  const shown = execFileSync('sh', ['-c', 'head -c 4096 "$1" | tail -c +9 | head -1', 'sh', names[0] as string], {
    encoding: 'utf8',
  })
  t.deepEqual(JSON.parse(shown), first.header)
  t.notThrows(() => execFileSync('zstd', ['-t', ...names], { stdio: 'pipe' }))
})

test('a segment of no bytes is readable', (t) => {
  const { object } = segmentObject([])
  t.deepEqual([...framesOf(object, key)], [])
})

test('the layout is fixed: magic, size, JSON and newline; the seek table at the end', (t) => {
  const { object, header } = segmentObject([Buffer.from('a\n')])
  const json = `${JSON.stringify(header)}\n`
  t.is(object.readUInt32LE(0), 0x184d2a50)
  t.is(object.readUInt32LE(4), json.length)
  t.is(object.toString('utf8', 8, 8 + json.length), json)
  const table = object.subarray(object.length - (8 + 2 * 8 + 9))
  t.is(table.readUInt32LE(0), 0x184d2a5e)
  t.is(table.readUInt32LE(4), 2 * 8 + 9)
  t.is(table.readUInt32LE(8), 8 + json.length)
  t.is(table.readUInt32LE(12), 0)
  t.is(table.readUInt32LE(20), 2)
  t.is(table.readUInt32LE(24), 2)
  t.is(table.readUInt8(28), 0)
  t.is(table.readUInt32LE(29), 0x8f92eab1)
})

test('from the first bytes: the header, or how many bytes hold it', (t) => {
  const { object, header } = segmentObject([Buffer.from('a\n')])
  const needed = headerBytesNeeded(object.subarray(0, 8), key) as number
  t.is(headerBytesNeeded(object.subarray(0, 7), key), null)
  t.is(readHeader(object.subarray(0, needed - 1), key), null)
  t.deepEqual(readHeader(object.subarray(0, needed), key), header)
})

test('from the last bytes: the seek table, or that more are needed', (t) => {
  const { object } = segmentObject([Buffer.from('a\n'), Buffer.from('b\n')])
  t.is(readSeekTable(object.subarray(-20), key), null)
  t.is(readSeekTable(object.subarray(-(8 + 3 * 8 + 9)), key)?.length, 3)
})

test('what is no segment is damage, and says which object', (t) => {
  const { object } = segmentObject([Buffer.from('abcdefgh\n')])
  const noFooter = object.subarray(0, -1)
  t.like(
    t.throws(() => readHeader(Buffer.from('not a segment'), key)),
    { ...damaged, subject: key },
  )
  t.like(
    t.throws(() => readSeekTable(noFooter, key)),
    damaged,
  )
  t.like(
    t.throws(() => [...framesOf(object.subarray(0, 20), key)]),
    damaged,
  )
  const flipped = Buffer.from(object)
  const at = (headerBytesNeeded(object, key) as number) + 1
  flipped[at] = (flipped[at] as number) ^ 0xff
  t.like(
    t.throws(() => [...framesOf(flipped, key)]),
    damaged,
  )
})

test('a header without fields, or that is not JSON, is damage; one of a newer version says so', (t) => {
  const build = (header: object) => Buffer.concat(buildSegment(header as SegmentHeader, []))
  t.like(
    t.throws(() => readHeader(build({ v: 1 }), key)),
    damaged,
  )
  t.like(
    t.throws(() => readHeader(build({ ...headerFor(Buffer.alloc(0)), end: -1 }), key)),
    damaged,
  )
  t.like(
    t.throws(() => readHeader(build({ v: 2 }), key)),
    { code: 'archive-newer' },
  )
  const broken = build(headerFor(Buffer.alloc(0)))
  broken[9] = 0
  t.like(
    t.throws(() => readHeader(broken, key)),
    damaged,
  )
})

test('a frame that decompresses to more or less than the table says is damage, without unpacking all of it', (t) => {
  const bomb = zstdCompressSync(Buffer.alloc(50_000_000))
  for (const raw of [10, 49_999_999, 50_000_001]) {
    const header = { ...headerFor(Buffer.alloc(raw > 1_048_576 ? 1 : raw)), end: raw }
    const object = Buffer.concat(buildSegment(header, [{ bytes: bomb, raw }]))
    t.like(
      t.throws(() => [...framesOf(object, key)]),
      damaged,
    )
  }
})

test('frames that do not add up to the range are damage', (t) => {
  const frame = zstdCompressSync(Buffer.from('a\n'))
  const object = Buffer.concat(buildSegment({ ...headerFor(Buffer.from('a\n')), end: 3 }, [{ bytes: frame, raw: 2 }]))
  t.like(
    t.throws(() => [...framesOf(object, key)]),
    damaged,
  )
})

test('no bytes at all are read as anything but a segment or damage', (t) => {
  const { object } = segmentObject([Buffer.from('one\ntwo\n')])
  fc.assert(
    fc.property(fc.nat(object.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(object)
      changed[at] = (changed[at] as number) ^ change
      try {
        t.true([...framesOf(changed, key)].length <= 1)
      } catch (error) {
        t.true(['store-damaged', 'archive-newer'].includes((error as { code: string }).code), String(error))
      }
    }),
  )
})

test('keys sort as offsets do, and come back', (t) => {
  fc.assert(
    fc.property(fc.nat(1e15), fc.nat(1e15), (a, b) => {
      const [one, two] = [segmentKey('r', 's-0', a), segmentKey('r', 's-0', b)]
      t.is(one < two, a < b)
      t.deepEqual(parseSegmentKey(one), { root: 'r', source: 's-0', start: a })
    }),
  )
  t.is(segmentKey('r', 's-0', 1e14 + 1), 'evidence/segments/r/s-0/0100000000000001.zst')
  t.is(revisionKey('r', 's-0', { start: 5, n: 2 }), 'evidence/revisions/r/s-0/0000000000000005-2.zst')
})

test('what is no segment key is none', (t) => {
  const wrong = [
    'evidence/segments/r/s-0/5.zst',
    'evidence/revisions/r/s-0/0000000000000005-1.zst',
    'x/evidence/segments/r/s-0/0000000000000005.zst',
    'evidence/segments/r/0000000000000005.zst',
  ]
  for (const key of wrong) t.is(parseSegmentKey(key), null)
})
