/**
 * What holds for every format and any bytes: records cover the input without gap or overlap; however the bytes arrive, the records are the
 * same; and no record makes `parse` or `job` throw, or give what JSON cannot hold.
 */

import assert from 'node:assert/strict'
import type { Format, Framed } from '../../src/formats/format.ts'
import { frame, jobOf, parseFramed } from '../../src/formats/format.ts'
import { frameStream } from '../../src/formats/stream.ts'

export interface Input {
  bytes: Buffer
  /** Where the bytes are cut into pieces; any order. */
  cuts: number[]
  recordBytesMax: number
}

/** Throws where it does not hold; else how many records there were. */
export async function checkInput(format: Format, { bytes, cuts, recordBytesMax }: Input): Promise<number> {
  const whole = frame(format, bytes, { offset: 0, recordBytesMax, final: true })
  let at = 0
  for (const { start, end, raw } of whole) {
    assert.equal(start, at, 'records have a gap or overlap')
    assert.ok(end > start && end - start <= recordBytesMax, `a record of ${end - start} bytes`)
    assert.ok(raw.equals(bytes.subarray(start, end)), 'raw is not what stands there')
    at = end
  }
  assert.equal(at, bytes.length, 'records do not reach the end')

  const bounds = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
  const pieces = bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end))
  const streamed: Framed[] = []
  for await (const some of frameStream(format, pieces, { recordBytesMax })) streamed.push(...some)
  assert.deepEqual(streamed.map(place), whole.map(place), 'pieces give other records')

  const second = whole[1]
  if (second !== undefined) {
    const rest = frame(format, bytes.subarray(second.start), { offset: second.start, recordBytesMax, final: true })
    assert.deepEqual(rest.map(place), whole.slice(1).map(place), 'framing from a record boundary gives other records')
  }
  for (const framed of whole) checkRecord(format, framed)
  return whole.length
}

const place = ({ start, end, flags }: Framed): string => `${start}-${end} ${flags.join()}`

/** An escape for NUL or for a lone surrogate; a backslash before it would make it plain text. */
const refused = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/

function checkRecord(format: Format, framed: Framed): void {
  for (const context of [{}, { timezone: 'Europe/Zurich', columns: ['a', 'b'] }]) {
    const parsed = parseFramed(format, framed, context)
    assert.equal(parsed.error !== '', parsed.flags.includes('malformed'), 'an error, or malformed, alone')
    const json = JSON.stringify(parsed.fields)
    assert.ok(!refused.test(json), 'fields that jsonb refuses')
    const job = jobOf(format, parsed, context)
    if (job) for (const [name, value] of Object.entries(job)) checkCell(name, value)
  }
}

const integers = new Set(['slots', 'nodes', 'gpus', 'elements', 'exit_code', 'signal'])
const times = new Set(['submit_time', 'start_time', 'end_time', 'logged_time'])
const bigints = new Set(['uid', 'memory_max_bytes', 'memory_requested_bytes'])

/** What its column of `jobs` holds. */
function checkCell(name: string, value: unknown): void {
  assert.ok(value !== undefined && value !== '' && value !== -1, `${name} is ${JSON.stringify(value)}`)
  if (typeof value !== 'number') return
  const most = integers.has(name) ? 2 ** 31 - 1 : times.has(name) ? 253_402_300_800_000 : Number.MAX_VALUE
  assert.ok(Math.abs(value) <= most, `${name} is ${value}`)
  assert.ok(Number.isSafeInteger(value) || !(bigints.has(name) || most < Number.MAX_VALUE), `${name} is ${value}`)
}
