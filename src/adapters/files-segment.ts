/**
 * Reads one range of a descriptor as a segment's body: cut at line ends, hashed, and handed on in frames, in one pass.
 *
 * A buffer of one frame is filled from the file. Full, it is emitted up to the last line end in it, and what follows moves to
 * the next buffer. If no line ends in it, a long line is under way: then the whole buffer is emitted *speculatively*, and
 * the state before it (hash, trail, count) is kept, since the line may turn out to have no end in the range, or a NUL in it. At the
 * end the segment either ends where the emitted frames end, or one last frame is emitted, or that kept state is returned to and
 * the speculative frames are dropped by their index. Bytes are hashed as they are emitted, so a segment's hash, witness and
 * frames are always of the same bytes, whatever the file does meanwhile.
 */
import { createHash, type Hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { type Cut, type CutRules, finishCut, scan, startCut, stopped } from '../core/cut.ts'
import { sha256 } from '../core/hash.ts'
import { witnessBytes } from '../core/identity.ts'
import { frameBytesMax } from '../core/segment.ts'
import type { ReadRequest } from '../ports/files.ts'
import type { Flow } from './files-flow.ts'
import { compressFrame } from './files-frame.ts'
import type { ThreadSegment } from './files-messages.ts'

const lineBytesKept = 64 * 1024

export interface SegmentJob {
  fd: number
  /** Reads no further than `request.end`, which the caller has bounded by the size seen. */
  request: ReadRequest
  call: number
  level: number
  flow: Flow
  tick: () => void
}

interface State {
  hash: Hash
  /** The last bytes before `position`, at most `witnessBytes`. */
  trail: Uint8Array<ArrayBuffer>
  /** Everything before this is emitted. */
  position: number
  raw: number[]
  firstLine: Uint8Array<ArrayBuffer>
  lastLine: Uint8Array<ArrayBuffer>
}

/** The segment, and whether the file held all bytes up to the request's end. */
export function readSegment(job: SegmentJob): { segment: ThreadSegment; whole: boolean } {
  const { start, end } = job.request
  const emitter = new Emitter(job)
  let buffer = job.flow.take()
  let cut = startCut(start)
  let position = start
  let short = false
  while (position < end && !stopped(cut, job.request) && !short) {
    job.tick()
    const filled = position - emitter.state.position
    const wanted = Math.min(frameBytesMax - filled, end - position)
    const got = readSync(job.fd, buffer, filled, wanted, position)
    short = got === 0
    cut = scan(cut, { bytes: buffer.subarray(filled, filled + got), at: position }, job.request)
    position += got
    if (filled + got === frameBytesMax && position < end) {
      const next = job.flow.take()
      const keepFrom = cut.boundary > emitter.state.position ? cut.boundary : position
      buffer.copy(next, 0, keepFrom - emitter.state.position, frameBytesMax)
      emitter.emit(buffer, keepFrom, cut)
      buffer = next
    }
  }
  return { segment: emitter.finish(buffer, cut, position), whole: !short }
}

/** Emits frames in order, and keeps what is said about the bytes emitted so far. */
class Emitter {
  state: State
  private readonly job: SegmentJob
  /** The state at the last line end, while a line that spans frames is under way. */
  private lineEnd: State | null = null
  private frame: Uint8Array<ArrayBuffer> | null = null

  constructor(job: SegmentJob) {
    this.job = job
    const { start } = job.request
    const trail = readUpTo(job, Math.max(0, start - witnessBytes), start)
    this.state = { hash: createHash('sha256'), trail, position: start, raw: [], firstLine: none, lastLine: none }
  }

  /** Sends the buffer's bytes up to file offset `end` as the next frame. */
  emit(buffer: Buffer<ArrayBuffer>, end: number, cut: Pick<Cut, 'boundary' | 'lastStart'>): void {
    const { hash, trail, position, raw, firstLine, lastLine } = this.state
    const bytes = buffer.subarray(0, end - position)
    const ends = end === cut.boundary
    if (ends) this.lineEnd = null
    else this.lineEnd ??= { ...this.state, hash: hash.copy() }
    // A line that spans frames begins where its first frame begins.
    const lastStart = ends ? cut.lastStart : cut.boundary
    this.state = {
      hash: hash.update(bytes),
      trail: lastBytes(trail, bytes),
      position: end,
      raw: [...raw, bytes.length],
      firstLine: raw.length === 0 ? lineFrom(bytes, this.job.request) : firstLine,
      lastLine: lastStart >= position ? lineFrom(bytes.subarray(lastStart - position), this.job.request) : lastLine,
    }
    this.send(buffer, bytes, raw.length)
  }

  private send(buffer: Buffer<ArrayBuffer>, bytes: Buffer<ArrayBuffer>, index: number): void {
    const { call, flow, level, request } = this.job
    if (request.end - request.start <= frameBytesMax) {
      this.frame = compressFrame(bytes, level)
      flow.give(buffer)
    } else {
      flow.send({ call, index, buffer, length: bytes.length })
    }
  }

  /** Emits what is left in the buffer, or goes back to the last line end. */
  finish(buffer: Buffer<ArrayBuffer>, cut: Cut, position: number): ThreadSegment {
    const { start, tail } = this.job.request
    const rules: CutRules = this.job.request
    const ending = finishCut(cut, { end: position, tail }, rules)
    if (ending.end > this.state.position) {
      this.emit(buffer, ending.end, { boundary: ending.end, lastStart: ending.lastStart })
    } else {
      this.job.flow.give(buffer)
      if (ending.end < this.state.position && this.lineEnd !== null) this.state = this.lineEnd
    }
    const { hash, trail, raw, firstLine, lastLine } = this.state
    const witness = { length: trail.length, sha256: sha256(trail) }
    const { end, lines } = ending
    const facts = { start, end, lines, tail: ending.tail, nulAt: cut.nulAt, sha256: hash.digest('hex'), witness }
    return { ...facts, raw, firstLine, lastLine, frame: this.frame }
  }
}

const none = new Uint8Array(0)

/** The line that `bytes` begin with, without its newline, as much of it as is kept. */
function lineFrom(bytes: Buffer, rules: CutRules): Uint8Array<ArrayBuffer> {
  const head = bytes.subarray(0, Math.min(lineBytesKept, rules.lineBytesMax))
  const newline = head.indexOf(0x0a)
  return new Uint8Array(newline < 0 ? head : head.subarray(0, newline))
}

function lastBytes(before: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length >= witnessBytes) return new Uint8Array(bytes.subarray(bytes.length - witnessBytes))
  const joined = Buffer.concat([before, bytes])
  return new Uint8Array(joined.subarray(Math.max(0, joined.length - witnessBytes)))
}

/** The file's bytes [start, end), in memory of their own; fewer where it ends earlier. Bounded by the caller. */
export function readUpTo(file: { fd: number; tick: () => void }, start: number, end: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(0, end - start))
  let filled = 0
  while (filled < bytes.length) {
    file.tick()
    const got = readSync(file.fd, bytes, filled, Math.min(bytes.length - filled, frameBytesMax), start + filled)
    if (got === 0) break
    filled += got
  }
  return filled === bytes.length ? bytes : bytes.slice(0, filled)
}
