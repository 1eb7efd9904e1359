/**
 * What passes between a root's I/O thread, the compressors and the main thread.
 *
 * Many paths cross as one string, joined by newlines (an encoded path holds none): cloning one long string is some ten
 * times faster than cloning an array. Numbers of many files cross as columns.
 */
import type { MessagePort } from 'node:worker_threads'
import type { ErrorCode } from '../errors.ts'
import type { LookRequest, Mount, SegmentBody } from '../ports/files.ts'

/** Slots of the Int32Array that both sides share. */
export const PROGRESS = 0
/** Counts up at each stall: calls of an earlier generation have been rejected and are not run. */
export const GENERATION = 1
/** Frames handed to compressors and not yet returned. */
export const IN_FLIGHT = 2
/** The same, of each compressor. */
export const LANES = 3
export const compressors = 2
export const sharedSlots = LANES + compressors

/** Frames at most under way between an I/O thread and the compressors. */
export const framesInFlightMax = 8

export interface ThreadSetup {
  root: string
  path: string
  remote: 'auto' | boolean
  level: number
  shared: SharedArrayBuffer
}

export type Request =
  | { op: 'mount' }
  | { op: 'list'; directories: string }
  | { op: 'stat'; paths: string; fresh: boolean }
  | { op: 'look'; path: string; request: LookRequest }

export interface Answers {
  mount: Mount
  list: ListedDirectory[]
  stat: StatColumns
  look: ThreadLook
}

export type ToThread =
  | { kind: 'call'; id: number; generation: number; request: Request }
  /** The compressors to send frames to; none where there is nothing to send for a while. */
  | { kind: 'ports'; ports: MessagePort[] }
  | { kind: 'close' }

export type FromThread =
  | { kind: 'ready' }
  | { kind: 'answer'; id: number; value: Answers[keyof Answers] }
  | { kind: 'failure'; id: number; failure: Failure }
  | { kind: 'closed' }

/** A GleanerError's facts; an error object would lose its class on the way. */
export interface Failure {
  code: ErrorCode
  operation: string
  subject: string
  message: string
}

export interface ListedDirectory {
  directories: string
  files: string
  links: string
  gone: boolean
  error: string | null
}

/** One row per path; size NaN where there is nothing to tell. */
export interface StatColumns {
  sizes: Float64Array<ArrayBuffer>
  mtimesNs: BigInt64Array<ArrayBuffer>
  inos: BigUint64Array<ArrayBuffer>
  errors: number
}

export interface ThreadLook {
  stat: { size: number; storedSize?: number; mtimeNs: bigint; ino: bigint }
  beginning: Uint8Array<ArrayBuffer>
  probes: (string | null)[]
  bytes: Uint8Array<ArrayBuffer> | null
  segment: ThreadSegment | null
  steady: boolean
}

export interface ThreadSegment extends Omit<SegmentBody, 'frames' | 'release' | 'firstLine' | 'lastLine'> {
  firstLine: Uint8Array<ArrayBuffer>
  lastLine: Uint8Array<ArrayBuffer>
  /** Raw size of each frame. */
  raw: number[]
  /** The frame itself where the I/O thread compressed it; null if frames come from the compressors. */
  frame: Uint8Array<ArrayBuffer> | null
}

/** main → compressor: one for each root that has segments. */
export interface CompressorSetup {
  port: MessagePort
  route: number
  /** Its slot of those that count the frames of each compressor. */
  lane: number
  level: number
  shared: SharedArrayBuffer
}

/** I/O thread → compressor; `buffer` is transferred, and comes back empty of meaning. */
export interface RawFrame {
  call: number
  index: number
  buffer: ArrayBuffer
  length: number
}

/** compressor → main */
export interface CompressedFrame {
  route: number
  call: number
  index: number
  bytes: Uint8Array<ArrayBuffer>
}
