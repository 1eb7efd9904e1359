/**
 * The files as one node sees them: a `Files` whose every answer may be stale, holed or wrong, in the ways that were measured on real
 * distributed filesystems (sizes and names of a moment ago, NUL pages and later lines inside a fresh size), and that may stop answering.
 * The node that wrote a file last sees it as it is.
 */

import { sha256 } from '../../src/core/hash.ts'
import { cutSegment } from './cut-segment.ts'
import { GleanerError } from '../../src/errors.ts'
import type { Files, FileStat, Look, LookRequest } from '../../src/ports/files.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { Inode, World } from './world.ts'

export interface Lies {
  /** How long a name or a size may lag behind, ms. */
  staleMs: number
  /** How likely a look finds fresh bytes (younger than `freshMs`) holed or wrong. */
  fresh: number
  freshMs: number
  /** Ranges that read wrong on this node until a time, whatever their age. */
  sticky: { inode: number; start: number; end: number; kind: 'nul' | 'later'; untilMs: number }[]
  /** How likely a call fails: ESTALE and its kin. */
  errors: number
}

interface Parts {
  world: World
  scheduler: Scheduler
  random: Random
  node: number
  lies: Lies
  isAlive: () => boolean
  isUp: () => boolean
  remote: boolean
}

export function openView(parts: Parts): Files {
  const { world, scheduler, random, node, lies } = parts

  const answer = async <T>(make: () => T): Promise<T> => {
    await scheduler.sleep(random.next() * 4)
    if (!parts.isAlive()) return new Promise<T>(() => undefined)
    if (!parts.isUp())
      throw new GleanerError('root-unavailable', { operation: 'look', subject: 'r', message: 'not mounted' })
    return make()
  }

  const lag = (): number => (random.chance(0.5) ? 0 : random.next() * lies.staleMs)

  const inodeOf = (path: string): Inode => {
    const now = world.inode(path)
    const inode = now && now.writer === node ? now : world.inodeBefore(path, lag())
    if (!inode) throw new GleanerError('file-gone', { operation: 'look', subject: path })
    return inode
  }

  /** The size this node sees now: the true one, or one of a moment ago. Truncation is seen at once. */
  const sizeOf = (inode: Inode): number => {
    if (inode.writer === node) return inode.size
    const at = scheduler.nowMs - lag()
    const then = inode.history.findLast((one) => one.at <= at) ?? inode.history[0]
    return Math.min(then?.size ?? inode.size, inode.size)
  }

  const statOf = (inode: Inode, size: number): FileStat => ({
    size,
    mtimeNs: BigInt(Math.floor(inode.mtimeMs)) * 1_000_000n,
    ino: inode.ino,
  })

  const bytesOf = (inode: Inode, size: number): Buffer => {
    const truth = inode.stream.bytes.subarray(0, Math.min(size, inode.size))
    if (inode.writer === node) return truth
    const shown = Buffer.from(truth)
    for (const lie of lies.sticky) {
      if (lie.inode === inode.id && scheduler.nowMs < lie.untilMs) distort(shown, truth, lie)
    }
    if (!random.chance(lies.fresh)) return shown
    const oldEnough = inode.history.findLast((one) => one.at <= scheduler.nowMs - lies.freshMs)?.size ?? 0
    if (oldEnough >= shown.length) return shown
    const start = oldEnough + random.int(shown.length - oldEnough)
    const end = start + 1 + random.int(shown.length - start)
    distort(shown, truth, { start, end, kind: random.pick(['nul', 'later']) })
    return shown
  }

  return {
    root: 'r',
    mount: () =>
      answer(() => ({ source: 'server:/export', filesystem: parts.remote ? 'nfs4' : 'ext4', remote: parts.remote })),
    list: (directories) =>
      answer(() => {
        const names = world.listBefore(random.chance(0.7) ? 0 : lag())
        return directories.map((directory) => ({ directory, directories: [], files: directory === '' ? names : [] }))
      }),
    stat: (paths) =>
      answer(() => {
        const stats = paths.map((path) => {
          const inode = world.inodeBefore(path, lag())
          return inode ? statOf(inode, sizeOf(inode)) : null
        })
        return { stats, errors: 0 }
      }),
    async look(path, request) {
      const inode = await answer(() => {
        if (random.chance(lies.errors))
          throw new GleanerError('file-gone', { operation: 'look', subject: path, message: 'ESTALE' })
        return inodeOf(path)
      })
      const streamAtOpen = inode.stream
      const size = sizeOf(inode)
      const bytes = bytesOf(inode, size)
      await scheduler.sleep(random.next() * 6)
      if (!parts.isAlive()) return new Promise<Look>(() => undefined)
      const steady = inode.stream === streamAtOpen && inode.size >= size
      return lookAt({ bytes, stat: statOf(inode, size), steady, request })
    },
    close: async () => true,
  }
}

function lookAt({
  bytes,
  stat,
  steady,
  request,
}: {
  bytes: Buffer
  stat: FileStat
  steady: boolean
  request: LookRequest
}): Look {
  const { read } = request
  const range = read ? { start: Math.min(read.start, bytes.length), end: Math.min(read.end, bytes.length) } : null
  return {
    stat,
    beginning: bytes.subarray(0, request.beginningBytes),
    probes: request.probes.map(({ start, end }) => (end <= bytes.length ? sha256(bytes.subarray(start, end)) : null)),
    bytes: range && read?.as === 'bytes' ? bytes.subarray(range.start, range.end) : null,
    segment: range && read?.as === 'segment' ? cutSegment(bytes, { ...read, ...range }) : null,
    steady,
  }
}

function distort(shown: Buffer, truth: Buffer, lie: { start: number; end: number; kind: 'nul' | 'later' }): void {
  const end = Math.min(lie.end, shown.length)
  if (lie.start >= end) return
  if (lie.kind === 'nul') shown.fill(0, lie.start, end)
  else {
    // Lines of a later offset, in the place of these: whole lines, so that the framing looks right.
    const from = truth.indexOf(10, lie.start) + 1
    const later = truth.subarray(from, from + (end - lie.start))
    if (from > 0) later.copy(shown, lie.start)
  }
}
