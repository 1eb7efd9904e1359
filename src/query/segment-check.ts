/**
 * One object of the archive against itself: everything that it claims, recomputed from its bytes.
 *
 *     header      is there, names the key it stands under, has the newest version that is known here
 *     seek table  its frames add up to the whole object and to [start, end)
 *     frames      each decompresses to as many bytes as the table says
 *     sha256, lines, tail, witness (where the object holds all of it)
 *
 * What needs the objects before it (contiguity, chain, beginning, a witness that reaches further back) is in verify.ts.
 */

import { createHash } from 'node:crypto'
import { beginningBytes, witnessBytes } from '../core/identity.ts'
import type { Damage } from '../core/findings.ts'
import { sha256 } from '../core/hash.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { framesOf, headerBytesNeeded, readHeader, readSeekTable } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'

export interface Checked {
  key: string
  /** Null where it cannot be read: then nothing else is known. */
  header: SegmentHeader | null
  damaged: Damage[]
  /** Raw bytes that were read. */
  bytes: number
  /** The first and the last raw bytes, at most 4 KiB each; null where they are not those that were archived. */
  first: Buffer | null
  last: Buffer | null
}

/** What the key says about the object. */
export interface KeyFacts {
  root: string
  source: string
  start: number
}

/** A line shorter than this is never cut: the smallest `lineBytesMax` that a configuration may give. */
const lineBytesMaxLeast = 1024
/** The seek table's own frame: magic and size, then count, descriptor and magic after the entries of 8 bytes. */
const seekBytes = 8 + 9

export function checkObject(object: Buffer | null, key: string, facts: KeyFacts): Checked {
  const checked: Checked = { key, header: null, damaged: [], bytes: 0, first: null, last: null }
  const say = (problem: string, expected: string | number | null, found: string | number | null): void => {
    if (expected !== found) checked.damaged.push({ key, problem, expected, found })
  }
  if (object === null) {
    say('missing', 'an object', null)
    return checked
  }
  const read = tried(() => readHeader(object, key))
  if (read.value === null || read.value === undefined) {
    say('header', 'a segment header', read.problem ?? 'cut short')
    return checked
  }
  const header = read.value
  checked.header = header
  for (const name of ['root', 'source', 'start'] as const) say(name, facts[name], header[name])
  const table = tried(() => tableProblem(object, key))
  say('seek table', null, table.problem ?? table.value ?? null)
  const raw = tried(() => readRaw(object, key))
  if (!raw.value) {
    say('frames', 'whole zstd frames', raw.problem ?? null)
    return checked
  }
  const { value } = raw
  checked.bytes = value.bytes
  say('sha256', header.sha256, value.sha256)
  // Nothing more is concluded from bytes that are not those that were archived, here or in the segments after.
  if (value.sha256 !== header.sha256) return checked
  checked.first = value.first
  checked.last = value.last
  say(
    'tail',
    header.tail === 'complete' || value.bytes === 0 ? 'newline' : 'no newline',
    value.last.at(-1) === 10 ? 'newline' : 'no newline',
  )
  sayLines(say, header, value)
  sayWitness(say, header, value.last)
  return checked
}

type Say = (problem: string, expected: string | number | null, found: string | number | null) => void

interface Raw {
  bytes: number
  sha256: string
  newlines: number
  /** The longest run of bytes without a newline. */
  longest: number
  first: Buffer
  last: Buffer
}

function readRaw(object: Buffer, key: string): Raw {
  const hash = createHash('sha256')
  const raw: Omit<Raw, 'sha256'> = { bytes: 0, newlines: 0, longest: 0, first: Buffer.alloc(0), last: Buffer.alloc(0) }
  let run = 0
  for (const { bytes } of framesOf(object, key)) {
    hash.update(bytes)
    raw.bytes += bytes.length
    let at = 0
    for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, at)) {
      raw.longest = Math.max(raw.longest, run + newline + 1 - at)
      raw.newlines++
      run = 0
      at = newline + 1
    }
    run += bytes.length - at
    if (raw.first.length < beginningBytes)
      raw.first = Buffer.concat([raw.first, bytes.subarray(0, beginningBytes - raw.first.length)])
    raw.last = lastBytes(raw.last, bytes)
  }
  return { ...raw, longest: Math.max(raw.longest, run), sha256: hash.digest('hex') }
}

/** The last 4 KiB of two pieces, one after the other. */
export function lastBytes(before: Buffer, bytes: Buffer): Buffer {
  const joined = bytes.length >= witnessBytes ? bytes : Buffer.concat([before, bytes])
  return Buffer.from(joined.subarray(Math.max(0, joined.length - witnessBytes)))
}

/** One per newline, plus one for a tail. An overlong line was cut, by a bound of which nothing is left but its least value. */
function sayLines(say: Say, header: SegmentHeader, raw: Raw): void {
  const least = raw.newlines + (header.tail === 'complete' ? 0 : 1)
  const most = least + Math.floor(raw.longest / lineBytesMaxLeast)
  if (!(header.lines >= least && header.lines <= most)) say('lines', least, header.lines)
}

function sayWitness(say: Say, header: SegmentHeader, last: Buffer): void {
  const length = Math.min(witnessBytes, header.end)
  say('witness length', length, header.witness.length)
  if (last.length >= length) say('witness', sha256(last.subarray(last.length - length)), header.witness.sha256)
}

/** What is wrong with the seek table, or null. Its frames begin with the header's, and lie one after the other up to the table. */
function tableProblem(object: Buffer, key: string): string | null {
  const table = readSeekTable(object, key)
  if (table === null) return 'it is cut short'
  const head = headerBytesNeeded(object, key)
  if (table[0]?.raw !== 0 || table[0].compressed !== head) return 'its first entry is not the header'
  const frames = table.reduce((sum, frame) => sum + frame.compressed, 0)
  const whole = frames + seekBytes + table.length * 8
  return whole === object.length ? null : `its entries add up to ${whole} bytes of ${object.length}`
}

/** Damage is what is looked for here; anything else is thrown on. */
function tried<T>(read: () => T): { value?: T; problem?: string } {
  try {
    return { value: read() }
  } catch (error) {
    if (isGleanerError(error, 'store-damaged')) return { problem: error.message }
    throw error
  }
}
