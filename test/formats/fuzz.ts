/**
 * `npm run fuzz -- [--seconds N] [--seed S] [--format F]`: what hold.ts says, with random inputs of every format, for as long as asked. A
 * failure is told with the seed that gives that one input again, and ends the run with status 1.
 */

import { parseArgs } from 'node:util'
import type { Format } from '../../src/formats/format.ts'
import { formatNames, formatOf } from '../../src/formats/registry.ts'
import { seeded } from '../support/seeded.ts'
import { checkInput } from './hold.ts'
import type { Input } from './hold.ts'
import { plausible } from './records.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' }, format: { type: 'string' } },
})
const formats = (values.format === undefined ? formatNames : [values.format]).map((name) => ({
  format: formatOf(name),
  known: plausible(name),
}))
const until = performance.now() + Number(values.seconds) * 1000
const first = values.seed === undefined ? Date.now() % 1e9 : Number(values.seed)
let [inputs, records, bytes] = [0, 0, 0]

for (let seed = first; inputs === 0 || performance.now() < until; seed++) {
  for (const { format, known } of formats) {
    const input = inputOf(known, seed)
    try {
      records += await checkInput(format, input)
    } catch (error) {
      await fail(format, seed, { input, error })
    }
    inputs++
    bytes += input.bytes.length
  }
}
process.stdout.write(`${inputs} inputs from seed ${first}, ${records} records, ${bytes} bytes: all hold\n`)

function inputOf({ records, pieces }: { records: Buffer[]; pieces: Buffer[] }, seed: number): Input {
  const random = seeded(Math.imul(seed, 0x9e3779b1) + 1)
  for (let warm = 0; warm < 8; warm++) random()
  const below = (limit: number): number => Math.floor(random() * limit)
  const parts = Array.from({ length: 1 + below(12) }, (): Buffer => {
    const kind = below(10)
    const one = (kind < 7 ? records[below(records.length)] : pieces[below(pieces.length)]) ?? noise(below)
    return kind === 9 ? noise(below) : kind < 3 ? one : mutated(one, { below, pieces })
  })
  const bytes = Buffer.concat(parts)
  const cuts = Array.from({ length: below(20) }, () => below(bytes.length + 1))
  const recordBytesMax = below(3) === 0 ? 1 + below(3000) : 16 * 1024 * 1024
  return { bytes, cuts, recordBytesMax }
}

function noise(below: (limit: number) => number): Buffer {
  return Buffer.from(Array.from({ length: below(60) }, () => below(256)))
}

/** Cut off, bytes changed, or a piece put in or in place of something. */
function mutated(one: Buffer, { below, pieces }: { below: (limit: number) => number; pieces: Buffer[] }): Buffer {
  const [from, to] = [below(one.length + 1), below(one.length + 1)].sort((a, b) => a - b) as [number, number]
  const kind = below(5)
  if (kind === 0) return one.subarray(0, to)
  if (kind === 1) return one.subarray(from)
  if (kind === 2) {
    const changed = Buffer.from(one)
    for (let left = 1 + below(4); left > 0 && changed.length > 0; left--) changed[below(changed.length)] = below(256)
    return changed
  }
  const piece = pieces[below(pieces.length)] ?? noise(below)
  return Buffer.concat([one.subarray(0, from), piece, one.subarray(kind === 3 ? from : to)])
}

async function fail(format: Format, seed: number, { input, error }: { input: Input; error: unknown }): Promise<never> {
  const least = await shrunk(format, input)
  process.stdout.write(`FAILED: --format ${format.name} --seed ${seed} --seconds 0\n${String(error)}\n`)
  process.stdout.write(`${JSON.stringify({ ...least, bytes: least.bytes.toString('latin1') })}\n`)
  process.exit(1)
}

/** A smaller input that fails as well: spans left out while it still does. */
async function shrunk(format: Format, input: Input): Promise<Input> {
  let least = input
  for (let span = Math.ceil(least.bytes.length / 2); span >= 1; span = Math.floor(span / 2)) {
    for (let at = 0; at < least.bytes.length; at += span) {
      const bytes = Buffer.concat([least.bytes.subarray(0, at), least.bytes.subarray(at + span)])
      const less = { ...least, bytes, cuts: [...bytes.keys()] }
      if (
        await checkInput(format, less).then(
          () => false,
          () => true,
        )
      )
        least = less
    }
  }
  return least
}
