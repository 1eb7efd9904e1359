/** A segment's body from bytes in memory: what the files adapter does in its threads. */

import { constants, zstdCompressSync } from 'node:zlib'
import { finishCut, scan, startCut } from '../../src/core/cut.ts'
import { sha256 } from '../../src/core/hash.ts'
import { witnessBytes } from '../../src/core/identity.ts'
import { frameBytesMax } from '../../src/core/segment.ts'
import type { FrameBytes } from '../../src/core/segment.ts'
import type { ReadRequest, SegmentBody } from '../../src/ports/files.ts'

const options = { chunkSize: 65_536, params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** `file` is the whole file as it looks; the segment is cut from [read.start, read.end). */
export function cutSegment(file: Buffer, read: ReadRequest): SegmentBody {
  const range = file.subarray(read.start, read.end)
  const cut = scan(startCut(read.start), { bytes: range, at: read.start }, read)
  const ending = finishCut(cut, { end: read.end, tail: read.tail }, read)
  const bytes = file.subarray(read.start, ending.end)
  const trail = file.subarray(Math.max(0, ending.end - witnessBytes), ending.end)
  const frames: FrameBytes[] = []
  for (let at = 0; at < bytes.length; at += frameBytesMax) {
    const raw = bytes.subarray(at, at + frameBytesMax)
    frames.push({ bytes: zstdCompressSync(raw, options), raw: raw.length })
  }
  const newline = bytes.indexOf(10)
  return {
    start: read.start,
    end: ending.end,
    lines: ending.lines,
    sha256: sha256(bytes),
    witness: { length: trail.length, sha256: sha256(trail) },
    tail: ending.tail,
    frames: Promise.resolve(frames),
    // Whoever uses them afterwards archives what no file held.
    release: () => frames.forEach(({ bytes }) => bytes.fill(0)),
    firstLine: newline < 0 ? bytes : bytes.subarray(0, newline),
    lastLine: bytes.subarray(Math.max(0, ending.lastStart - read.start)),
    nulAt: cut.nulAt,
  }
}
