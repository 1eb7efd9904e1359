/** Thread side of `look`: everything a decision needs, from one descriptor. */
import { createHash } from 'node:crypto'
import { type BigIntStats, closeSync, fdatasyncSync, fstatSync, readSync } from 'node:fs'
import { sha256 } from '../core/hash.ts'
import { witnessBytes } from '../core/identity.ts'
import { isKernelAfs } from '../core/mountinfo.ts'
import { frameBytesMax } from '../core/segment.ts'
import type { LookRequest, Range, ReadRequest } from '../ports/files.ts'
import { compressionOf, type Expansions } from './expand.ts'
import { fileError } from './files-errors.ts'
import type { Flow } from './files-flow.ts'
import type { ThreadLook, ThreadSegment } from './files-messages.ts'
import { checkRoot, openInside, type Root, readyRoot } from './files-root.ts'
import { readSegment, readUpTo } from './files-segment.ts'

/** How much of the beginning must be the same before and after. */
const steadyBytes = 4096

export interface LookTools {
  root: Root
  flow: Flow
  expansions: Expansions
  level: number
  /** Loaded at the first fresh look. */
  dropCachedPages: ((fd: number, length: number) => void) | null
}

/** Rejects with the file's error, or with `root-unavailable` when the root is not what it was. */
export async function look(
  tools: LookTools,
  call: number,
  facts: { path: string; request: LookRequest },
): Promise<ThreadLook> {
  const { root } = tools
  readyRoot(root)
  try {
    const { fd, stat } = openInside(root, facts.path)
    try {
      // Another device number: a mount inside the root, or the root's mount is gone and this is what lay beneath it.
      if (stat.dev !== root.device) checkRoot(root)
      return await lookAt({ tools, call, fd, stat, ...facts })
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    root.tick()
    checkRoot(root)
    throw fileError(error, 'look', `${root.name}/${facts.path}`)
  }
}

interface Looking {
  tools: LookTools
  call: number
  path: string
  request: LookRequest
  fd: number
  stat: BigIntStats
}

/** Where the bytes are: the file itself, or the copy of a compressed file's content. */
interface Content {
  fd: number
  size: number
}

async function lookAt(looking: Looking): Promise<ThreadLook> {
  const { tools, fd, stat, path, request } = looking
  const { tick } = tools.root
  dropPages(looking, 0)
  tick()
  const before = readUpTo({ fd, tick }, 0, Math.min(steadyBytes, Number(stat.size)))
  const compression = compressionOf(path)
  const subject = `${tools.root.name}/${path}`
  const content: Content =
    compression === null
      ? { fd, size: Number(stat.size) }
      : await tools.expansions.open({ fd, stat, path, subject, compression, tick })
  const beginning = beginningOf(looking, content, before)
  const probes = request.probes.map((probe) => hashRange(content, probe, tick))
  const { bytes, segment, whole } = readRange(looking, content)
  const steady = whole && isSteady(looking, before, compression !== null)
  return {
    stat: {
      size: content.size,
      ...(compression !== null && { storedSize: Number(stat.size) }),
      mtimeNs: stat.mtimeNs,
      ino: BigInt.asUintN(64, stat.ino),
    },
    beginning,
    probes,
    bytes,
    segment,
    steady,
  }
}

/** The first bytes of the content. A plain file's are often read already. */
function beginningOf(
  { tools, fd, request }: Looking,
  content: Content,
  read: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const length = Math.min(request.beginningBytes, content.size)
  if (content.fd === fd && length <= read.length) return read.subarray(0, length)
  return readUpTo({ fd: content.fd, tick: tools.root.tick }, 0, length)
}

function readRange(looking: Looking, content: Content) {
  const { request, tools, call } = looking
  const { tick } = tools.root
  if (request.read === null) return { bytes: null, segment: null, whole: true }
  const { start, end: wantedEnd } = request.read
  const end = Math.max(start, Math.min(wantedEnd, content.size))
  if (request.read.as === 'bytes') {
    const bytes = readUpTo({ fd: content.fd, tick }, start, end)
    return { bytes, segment: null, whole: bytes.length === end - start }
  }
  const bounded: ReadRequest = { ...request.read, end }
  const { flow, level } = tools
  const read = readSegment({ fd: content.fd, request: bounded, call, level, flow, tick })
  return { bytes: null, segment: read.segment as ThreadSegment | null, whole: read.whole }
}

/** Whether size (of a compressed file: size and mtime) and beginning are still what they were. */
function isSteady(looking: Looking, before: Uint8Array, compressed: boolean): boolean {
  const { tools, fd, stat } = looking
  const { tick } = tools.root
  dropPages(looking, steadyBytes)
  const now = fstatSync(fd, { bigint: true })
  const same = compressed ? now.size === stat.size && now.mtimeNs === stat.mtimeNs : now.size >= stat.size
  return same && Buffer.compare(readUpTo({ fd, tick }, 0, before.length), before) === 0
}

/**
 * Drops the cached pages of the first bytes (0: all), where another machine may have written. On the way the kernel begins to write dirty ones
 * out, and kafs of Linux 6.1 ends in a panic where another node appends to the file at once; so there they are written before, and
 * where they cannot be, they stay.
 */
function dropPages({ tools, fd, request }: Looking, length: number): void {
  if (!request.fresh) return
  try {
    if (tools.root.mount !== null && isKernelAfs(tools.root.mount)) fdatasyncSync(fd)
  } catch {
    return
  }
  tools.dropCachedPages?.(fd, length)
}

const scratch = Buffer.allocUnsafeSlow(frameBytesMax)

/** Hex SHA-256 of a range, read in pieces; null if the file does not reach its end. */
function hashRange(content: Content, range: Range, tick: () => void): string | null {
  if (range.end > content.size) return null
  const length = range.end - range.start
  if (length <= witnessBytes) {
    tick()
    const got = readSync(content.fd, scratch, 0, length, range.start)
    // A filesystem may give less than there is: then piece by piece.
    if (got === length) return sha256(scratch.subarray(0, length))
  }
  const hash = createHash('sha256')
  for (let at = range.start; at < range.end; ) {
    tick()
    const got = readSync(content.fd, scratch, 0, Math.min(frameBytesMax, range.end - at), at)
    if (got === 0) return null
    hash.update(scratch.subarray(0, got))
    at += got
  }
  return hash.digest('hex')
}
