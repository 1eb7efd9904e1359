/**
 * A segment object: [start, end) of one source. This file is the format; CONTRACTS.md lists the header's fields.
 *
 *     ┌ skippable frame, magic 0x184D2A50 ┬ zstd frames ≤ 1 MiB raw ┬ seek table, magic 0x184D2A5E ┐
 *     │ u32 magic, u32 size, JSON "\n"    │ cut at line ends         │ zstd's seekable format       │
 *     └───────────────────────────────────┴──────────────────────────┴──────────────────────────────┘
 *
 * Skippable frames decompress to nothing, so `zstd -dc` of all segments of a source, in key order, is the source. The
 * seek table has one entry per frame, the header's included (raw size 0), so that entries add up to file offsets:
 * u32 magic, u32 size, then per frame u32 compressed, u32 raw; then u32 count, u8 descriptor 0, u32 0x8F92EAB1. All little-endian.
 * Source: zstd_seekable_compression_format.md, v0.1.0.
 */

import { zstdDecompressSync } from 'node:zlib'
import { GleanerError } from '../errors.ts'

const headerMagic = 0x184d2a50
const seekFrameMagic = 0x184d2a5e
const seekFooterMagic = 0x8f92eab1
const footerBytes = 9

/** Raw bytes of one segment at most. */
export const segmentBytesMax = 64 * 1024 * 1024
/** Raw bytes of one frame at most. */
export const frameBytesMax = 1024 * 1024

export interface SegmentHeader {
  v: 1
  root: string
  source: string
  family: string
  path: string
  start: number
  end: number
  lines: number
  sha256: string
  chain: string
  previousChain: string
  witness: { length: number; sha256: string }
  beginning: { length: number; sha256: string }
  firstTime: string | null
  lastTime: string | null
  format: string
  tail: 'complete' | 'incomplete' | 'cut'
  node: string
  writeId: string
  writtenAt: string
}

export interface Frame {
  compressed: number
  raw: number
}

/** A frame as it was compressed, and how many raw bytes it holds. */
export interface FrameBytes {
  bytes: Uint8Array
  raw: number
}

/** Key of a segment below the archive's prefix. 16 digits, so that byte order is numeric order. */
export function segmentKey(root: string, source: string, start: number): string {
  return `${segmentPrefix(root)}${source}/${offsetText(start)}.zst`
}

export function segmentPrefix(root: string): string {
  return `evidence/segments/${root}/`
}

export function revisionKey(root: string, source: string, place: { start: number; n: number }): string {
  return `${revisionPrefix(root, source)}${offsetText(place.start)}-${place.n}.zst`
}

export function revisionPrefix(root: string, source: string): string {
  return `evidence/revisions/${root}/${source}/`
}

/** Segment key → source and start, or null for anything else. */
export function parseSegmentKey(key: string): { root: string; source: string; start: number } | null {
  const match = /^evidence\/segments\/([^/]+)\/([^/]+)\/(\d{16})\.zst$/.exec(key)
  return match ? { root: match[1] as string, source: match[2] as string, start: Number(match[3]) } : null
}

/** Revision key → its parts, or null for anything else. */
export function parseRevisionKey(key: string): { root: string; source: string; start: number; n: number } | null {
  const match = /^evidence\/revisions\/([^/]+)\/([^/]+)\/(\d{16})-([1-9]\d*)\.zst$/.exec(key)
  if (!match) return null
  return { root: match[1] as string, source: match[2] as string, start: Number(match[3]), n: Number(match[4]) }
}

function offsetText(offset: number): string {
  return String(offset).padStart(16, '0')
}

/** The whole object in its parts, in order, from the frames that the reader compressed. */
export function buildSegment(header: SegmentHeader, frames: readonly FrameBytes[]): Uint8Array[] {
  const json = Buffer.from(`${JSON.stringify(header)}\n`)
  const head = skippable(headerMagic, json)
  const table = frames.map(({ bytes, raw }) => ({ compressed: bytes.length, raw }))
  const tail = seekTable([{ compressed: head.length, raw: 0 }, ...table])
  return [head, ...frames.map(({ bytes }) => bytes), tail]
}

function seekTable(table: Frame[]): Buffer {
  const body = Buffer.alloc(table.length * 8 + footerBytes)
  table.forEach((frame, index) => {
    body.writeUInt32LE(frame.compressed, index * 8)
    body.writeUInt32LE(frame.raw, index * 8 + 4)
  })
  body.writeUInt32LE(table.length, table.length * 8)
  body.writeUInt8(0, table.length * 8 + 4)
  body.writeUInt32LE(seekFooterMagic, table.length * 8 + 5)
  return skippable(seekFrameMagic, body)
}

function skippable(magic: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(magic, 0)
  head.writeUInt32LE(body.length, 4)
  return Buffer.concat([head, body])
}

/**
 * The header, from an object or its first bytes; null if these bytes do not hold all of it (`headerBytesNeeded` tells how many do).
 * Throws `store-damaged` if this is no segment.
 */
export function readHeader(object: Buffer, key: string): SegmentHeader | null {
  const needed = headerBytesNeeded(object, key)
  if (needed === null || object.length < needed) return null
  let header: SegmentHeader
  try {
    header = JSON.parse(object.toString('utf8', 8, needed)) as SegmentHeader
  } catch (cause) {
    throw damaged(key, 'its header is not JSON', cause)
  }
  if (header.v !== 1) {
    const facts = {
      operation: 'read',
      subject: key,
      message: `header version ${String(header.v)}, this Gleaner knows 1`,
    }
    throw new GleanerError('archive-newer', facts)
  }
  if (!isWholeHeader(header)) throw damaged(key, 'its header lacks fields')
  return header
}

function isWholeHeader(header: SegmentHeader): boolean {
  return (
    Number.isSafeInteger(header.start) &&
    Number.isSafeInteger(header.end) &&
    header.end >= header.start &&
    typeof header.sha256 === 'string' &&
    typeof header.chain === 'string' &&
    typeof header.witness?.sha256 === 'string' &&
    typeof header.beginning?.sha256 === 'string'
  )
}

/** How many bytes from the start hold the header; null if fewer than 8 bytes are given. */
export function headerBytesNeeded(object: Buffer, key: string): number | null {
  if (object.length < 8) return null
  if (object.readUInt32LE(0) !== headerMagic) throw damaged(key, 'it does not begin with a segment header')
  return 8 + object.readUInt32LE(4)
}

/** The seek table's frames, from an object or its last bytes; throws `store-damaged`. Null if more bytes of the end are needed. */
export function readSeekTable(object: Buffer, key: string): Frame[] | null {
  if (object.length < footerBytes || object.readUInt32LE(object.length - 4) !== seekFooterMagic) {
    throw damaged(key, 'it does not end with a seek table')
  }
  const count = object.readUInt32LE(object.length - footerBytes)
  const from = object.length - footerBytes - count * 8
  if (from < 8) return null
  const isWhole =
    object.readUInt32LE(from - 8) === seekFrameMagic && object.readUInt32LE(from - 4) === count * 8 + footerBytes
  if (!isWhole || object.readUInt8(object.length - 5) !== 0)
    throw damaged(key, 'its seek table is not one of a segment')
  const frames: Frame[] = []
  for (let at = from; at < object.length - footerBytes; at += 8) {
    frames.push({ compressed: object.readUInt32LE(at), raw: object.readUInt32LE(at + 4) })
  }
  return frames
}

/**
 * The raw bytes of a whole object, one frame at a time: `{ offset, bytes }`, offset counted in the source. With a range, only frames that
 * touch it are decompressed.
 */
export function* framesOf(
  object: Buffer,
  key: string,
  range: { start: number; end: number } = { start: 0, end: Number.MAX_SAFE_INTEGER },
): Generator<{ offset: number; bytes: Buffer }> {
  const header = readHeader(object, key)
  const table = readSeekTable(object, key)
  if (header === null || table === null) throw damaged(key, 'it is cut short')
  let at = 0
  let offset = header.start
  for (const frame of table) {
    if (frame.raw > frameBytesMax) throw damaged(key, `a frame claims ${frame.raw} raw bytes`)
    if (frame.raw > 0 && offset < range.end && offset + frame.raw > range.start) {
      yield { offset, bytes: decompress(object.subarray(at, at + frame.compressed), frame.raw, key) }
    }
    at += frame.compressed
    offset += frame.raw
  }
  if (offset !== header.end)
    throw damaged(key, `it holds ${offset - header.start} bytes, its header says ${header.end - header.start}`)
}

function decompress(frame: Buffer, raw: number, key: string): Buffer {
  try {
    const bytes = zstdDecompressSync(frame, { maxOutputLength: raw + 1, chunkSize: Math.max(1024, raw + 1) })
    if (bytes.length === raw) return bytes
  } catch (cause) {
    throw damaged(key, 'a frame does not decompress', cause)
  }
  throw damaged(key, 'a frame has another length than the seek table says')
}

function damaged(key: string, message: string, cause?: unknown): GleanerError {
  return new GleanerError('store-damaged', { operation: 'read', subject: key, message, cause })
}
