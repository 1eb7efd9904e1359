import test from 'ava'
import * as fc from 'fast-check'
import { formatNames, formatOf } from '../../src/formats/registry.ts'
import { checkInput } from './hold.ts'
import { plausible } from './records.ts'

for (const name of formatNames) {
  const format = formatOf(name)
  const { records, pieces } = plausible(name)
  const random = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
  const known = [...records.slice(0, 20), ...pieces]
  const part = known.length === 0 ? random : fc.oneof(random, { weight: 4, arbitrary: torn(known) })
  const bytes = fc.array(part, { maxLength: 8 }).map((parts) => Buffer.concat(parts))
  const recordBytesMax = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.constant(1_000_000))

  test(`${name}: any bytes, in any pieces, are covered by the same records`, async (t) => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(6000), { maxLength: 12 }), recordBytesMax, async (input, cuts, max) => {
        await checkInput(format, { bytes: input, cuts, recordBytesMax: max })
      }),
      { numRuns: 300 },
    )
    t.pass()
  })

  test(`${name}: byte by byte too`, async (t) => {
    const short = fc.array(fc.oneof(random, torn(pieces)), { maxLength: 6 }).map((parts) => Buffer.concat(parts))
    await fc.assert(
      fc.asyncProperty(short, fc.integer({ min: 1, max: 200 }), async (input, max) => {
        await checkInput(format, { bytes: input, cuts: [...input.keys()], recordBytesMax: max })
      }),
    )
    t.pass()
  })
}

/** One of these, whole or the beginning or end of it. */
function torn(known: Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...known), fc.constantFrom('whole', 'begin', 'end'), fc.nat())
    .map(([one, kind, at]) => {
      const middle = at % (one.length + 1)
      return kind === 'whole' ? one : kind === 'begin' ? one.subarray(0, middle) : one.subarray(middle)
    })
}
