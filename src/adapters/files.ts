/**
 * The files of one root, through the kernel (port `Files`).
 *
 *     main thread ── calls ──▶ I/O thread of the root ── raw frames ──▶ compressors (shared by all roots)
 *          ▲◀──── answers ──────────┘                                         │
 *          └──────────────────────── compressed frames ───────────────────────┘
 *
 * All access to the mount is in the I/O thread, by synchronous calls, so that a dead mount holds up nothing else. A segment is
 * complete when the thread's answer and all its frames are here. A look is answered as soon as the thread has read, and its frames
 * follow, so the next segment is read without waiting for the compression of this one. A root that has had nothing to compress for a while
 * lets go of the compressors, and its I/O thread of the buffers; the next segment gets new ones. The I/O thread itself stays: it remembers what
 * was mounted.
 */
import type { DirectoryListing, Files, FileStat, Look, LookRequest, SegmentBody, StatResult } from '../ports/files.ts'
import { frameBytesMax } from '../core/segment.ts'
import { GleanerError, messageOf } from '../errors.ts'
import { Channel } from './files-channel.ts'
import { connectCompressors } from './files-compressors.ts'
import {
  type CompressedFrame,
  IN_FLIGHT,
  type ListedDirectory,
  type StatColumns,
  type ThreadLook,
  type ThreadSegment,
} from './files-messages.ts'

export interface FilesOptions {
  /** The root's name. */
  root: string
  /** Its directory here; may be a symlink. */
  path: string
  /** Whether other machines write it; `auto` decides by the filesystem. */
  remote: 'auto' | boolean
  /** A call in which no system call returns for this long is `root-stalled`. */
  deadlineMs: number
  /** zstd level, default 1. */
  compressLevel?: number
  /** How long compressors are kept without anything to compress, default a minute. */
  compressorsIdleMs?: number
}

/** Opens nothing yet: threads start with the first call. */
export function openFiles(options: FilesOptions): Files {
  const { root, compressLevel: level = 1, compressorsIdleMs: idleMs = 60_000 } = options
  const channel = new Channel({ ...options, level })
  const frames = openFrames(channel, { root, level, idleMs })

  return {
    root,
    mount: () => channel.call({ op: 'mount' }),
    async list(directories) {
      if (directories.length === 0) return []
      const listed = await channel.call({ op: 'list', directories: directories.join('\n') })
      return directories.map((directory, index) => listing(directory, listed[index] as ListedDirectory))
    },
    async stat(paths, { fresh, known = [] }) {
      if (paths.length === 0) return { stats: [], errors: 0 }
      return statResult(await channel.call({ op: 'stat', paths: paths.join('\n'), fresh }), known)
    },
    async look(path, request) {
      if (!spansFrames(request)) return lookOf(await channel.call({ op: 'look', path, request }), Promise.resolve([]))
      const id = channel.nextId()
      const collected = frames.expect(id)
      try {
        const answer = await channel.call({ op: 'look', path, request }, id)
        return lookOf(answer, collected.take(framesElsewhere(answer)))
      } catch (error) {
        collected.forget()
        throw error
      }
    },
    close() {
      frames.close()
      return channel.close()
    },
  }
}

function spansFrames({ read }: LookRequest): boolean {
  return read?.as === 'segment' && read.end - read.start > frameBytesMax
}

/** How many frames come from the compressors; none where the file turned out to be small. */
function framesElsewhere({ segment }: ThreadLook): number {
  return segment === null || segment.frame !== null ? 0 : segment.raw.length
}

/** Compressed frames of the calls under way. */
function openFrames(channel: Channel, { root, level, idleMs }: { root: string; level: number; idleMs: number }) {
  const calls = new Map<number, Collecting>()
  let idle: NodeJS.Timeout | undefined
  const route = openRoute(channel, level, {
    onFrame: ({ call, index, bytes }) => calls.get(call)?.add(index, bytes),
    onLost: fail,
  })

  function fail(message: string): void {
    const error = new GleanerError('internal', { operation: 'compress', subject: root, message })
    for (const call of calls.values()) call.fail(error)
  }

  return {
    /** Before the call is made. */
    expect(id: number) {
      clearTimeout(idle)
      route.connect()
      const collecting = collect()
      calls.set(id, collecting)
      // Neither a thread nor a promise keeps the process alive; this does, until the last frame is here.
      const alive = setInterval(() => undefined, 2 ** 30)
      const forget = (): void => {
        clearInterval(alive)
        calls.delete(id)
        clearTimeout(idle)
        if (calls.size === 0) idle = setTimeout(() => route.letGo(), idleMs).unref()
      }
      return {
        take(count: number) {
          collecting.take(count)
          void collecting.all.then(forget, forget)
          return collecting.all
        },
        forget,
      }
    },
    close() {
      route.disconnect()
      fail('closed')
    },
  }
}

interface RouteEvents {
  onFrame: (frame: CompressedFrame) => void
  /** What was under way is lost. */
  onLost: (message: string) => void
}

/** The root's way to the compressors, which it may be without. */
function openRoute(channel: Channel, level: number, { onFrame, onLost }: RouteEvents) {
  let close: (() => void) | null = null
  let losses = 0

  function open(): void {
    const route = connectCompressors({
      level,
      shared: channel.shared,
      onFrame,
      onBroken(cause) {
        close = null
        // The I/O thread may wait for buffers that will not come back: it waits for none until it gets new ports.
        const slots = new Int32Array(channel.shared)
        Atomics.store(slots, IN_FLIGHT, -(2 ** 30))
        Atomics.notify(slots, IN_FLIGHT)
        onLost(`a compressor broke: ${messageOf(cause) ?? ''}`)
      },
    })
    close = route.disconnect
    losses = channel.losses
    channel.send({ kind: 'ports', ports: route.ports })
  }

  function disconnect(): void {
    close?.()
    close = null
  }

  return {
    connect() {
      // A new I/O thread has no ports yet.
      if (losses !== channel.losses) {
        disconnect()
        onLost('the thread that read them has ended')
      }
      if (close === null) open()
    },
    letGo() {
      // A thread that broke has no ports, and another is not started for this.
      if (close === null || losses !== channel.losses) return
      disconnect()
      channel.send({ kind: 'ports', ports: [] })
    },
    disconnect,
  }
}

type Collecting = ReturnType<typeof collect>

/** Frames of one call, which come in any order, perhaps with dropped ones after the last that counts. */
function collect() {
  const frames = new Map<number, Uint8Array>()
  let wanted = Number.POSITIVE_INFINITY
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>()
  // A failure may come before anybody waits.
  promise.catch(() => undefined)
  function check(): void {
    if (frames.size < wanted) return
    const taken = Array.from({ length: wanted }, (_, index) => frames.get(index))
    if (taken.every((frame) => frame !== undefined)) resolve(taken)
  }
  return {
    add(index: number, bytes: Uint8Array) {
      frames.set(index, bytes)
      check()
    },
    take(count: number) {
      wanted = count
      check()
    },
    fail: reject,
    all: promise,
  }
}

function listing(directory: string, listed: ListedDirectory): DirectoryListing {
  return {
    directory,
    directories: lines(listed.directories),
    files: lines(listed.files),
    ...(listed.links === '' ? {} : { links: lines(listed.links) }),
    ...(listed.gone ? { gone: true } : {}),
    ...(listed.error === null ? {} : { error: listed.error }),
  }
}

function lines(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}

/** Thousands of files that are as they were make no garbage. */
function statResult({ sizes, mtimesNs, inos, errors }: StatColumns, known: (FileStat | null)[]): StatResult {
  const stats = Array.from(sizes, (size, row): FileStat | null => {
    if (Number.isNaN(size)) return null
    const mtimeNs = mtimesNs[row] as bigint
    const ino = inos[row] as bigint
    const before = known[row] ?? null
    const same =
      before !== null &&
      before.size === size &&
      before.mtimeNs === mtimeNs &&
      before.ino === ino &&
      before.storedSize === undefined
    return same ? before : { size, mtimeNs, ino }
  })
  return { stats, errors }
}

function lookOf(answer: ThreadLook, frames: Promise<Uint8Array[]>): Look {
  const { stat, probes, steady, segment } = answer
  return {
    stat,
    beginning: buffer(answer.beginning),
    probes,
    bytes: answer.bytes === null ? null : buffer(answer.bytes),
    segment: segment === null ? null : segmentOf(segment, frames),
    steady,
  }
}

function segmentOf(segment: ThreadSegment, compressed: Promise<Uint8Array[]>): SegmentBody {
  const { raw, frame, firstLine, lastLine, ...facts } = segment
  const all = frame === null ? compressed : Promise.resolve([frame])
  const frames = all.then((some) => some.map((bytes, index) => ({ bytes, raw: raw[index] as number })))
  frames.catch(() => undefined)
  const release = (): void => void all.then(freed, () => undefined)
  return { ...facts, firstLine: buffer(firstLine), lastLine: buffer(lastLine), frames, release }
}

function freed(frames: Uint8Array[]): void {
  for (const { buffer: memory } of frames) (memory as ArrayBuffer).transfer(0)
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
