import test from 'ava'
import * as fc from 'fast-check'
import type { Framed } from '../../src/formats/format.ts'
import { frame } from '../../src/formats/format.ts'
import { lines } from '../../src/formats/lines.ts'
import { frameStream } from '../../src/formats/stream.ts'

async function framed(pieces: Buffer[], recordBytesMax: number): Promise<Framed[]> {
  const records: Framed[] = []
  for await (const some of frameStream(lines, pieces, { recordBytesMax })) records.push(...some)
  return records
}

test('any cut into pieces gives the records of the whole', async (t) => {
  const bytes = fc.array(fc.constantFrom(10, 10, 97, 0), { maxLength: 40 }).map((all) => Buffer.from(all))
  await fc.assert(
    fc.asyncProperty(
      bytes,
      fc.array(fc.nat(40)),
      fc.integer({ min: 1, max: 6 }),
      async (input, cuts, recordBytesMax) => {
        const bounds = [0, ...cuts.map((cut) => Math.min(cut, input.length)).sort((a, b) => a - b), input.length]
        const pieces = bounds.slice(1).map((end, index) => input.subarray(bounds[index], end))
        const whole = frame(lines, input, { offset: 0, recordBytesMax, final: true })
        const plain = (records: Framed[]) =>
          records.map(({ start, end, raw, flags }) => ({ start, end, raw: raw.toString('hex'), flags }))
        t.deepEqual(plain(await framed(pieces, recordBytesMax)), plain(whole))
      },
    ),
  )
})

test('a record is given as soon as its newline is here', async (t) => {
  async function* pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from('long enough ')
    yield Buffer.from('x\n')
    throw new Error('asked for more')
  }
  const stream = frameStream(lines, pieces(), { recordBytesMax: 100 })
  const first = await stream.next()
  t.deepEqual(
    (first.value as Framed[]).map(({ raw }) => raw.toString()),
    ['long enough x\n'],
  )
  await t.throwsAsync(stream.next(), { message: 'asked for more' })
})

test('a line without end is cut as it comes: each byte is copied a few times at most, and little is held', async (t) => {
  const piece = Buffer.alloc(1000, 'x')
  let held = 0
  let given = 0
  function* pieces(): Generator<Buffer> {
    for (let at = 0; at < 1000; at++) {
      given += piece.length
      yield piece
    }
  }
  let records = 0
  for await (const some of frameStream(lines, pieces(), { recordBytesMax: 16_000 })) {
    for (const { end, flags } of some) {
      held = Math.max(held, given - end)
      t.deepEqual(
        flags,
        given - end < 16_000 && end === 1_000_000 && 1_000_000 % 16_000 !== 0 ? ['incomplete'] : ['cut'],
      )
      records++
    }
  }
  t.is(records, Math.ceil(1_000_000 / 16_000))
  t.true(held <= 17_000)
})
