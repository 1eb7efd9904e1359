/**
 * The true files: what the file server holds, and its history, from which each node is shown a view.
 *
 * A `Stream` is what was written, in order, to one logical file: it lives on through rename, copy and compression. Truncation begins
 * another. Whatever a collector archives as one source must be the bytes of one stream.
 */

import type { Random } from './random.ts'

export interface Stream {
  id: number
  bytes: Buffer
  /** Bytes that some file held for long enough that they must be archived. */
  owed: number
  /** Whether a file of it was rewritten in the middle. */
  edited: boolean
}

export interface Inode {
  id: number
  ino: bigint
  stream: Stream
  /** Bytes of the stream that this file holds. */
  size: number
  mtimeMs: number
  /** Sizes over time, oldest first, for stale views. */
  history: { at: number; size: number }[]
  /** The node that wrote last: it reads its own page cache. */
  writer: number
}

export interface World {
  readonly streams: Stream[]
  paths(): string[]
  inode(path: string): Inode | undefined
  /** What a path meant `agoMs` ago. */
  inodeBefore(path: string, agoMs: number): Inode | undefined
  listBefore(agoMs: number): string[]
  create(path: string, writer: number, first: Buffer): void
  append(path: string, writer: number, bytes: Buffer): void
  rename(from: string, to: string, by: number): void
  remove(path: string, by: number): void
  /** A new inode with the first `size` bytes of another file's stream. */
  copy(from: string, to: string, writer: number, size: number): void
  /** The file goes on, empty, as another stream. */
  truncate(path: string, writer: number): void
  /** Called after each change of a path, with who made it. */
  onChange(listener: (path: string, writer: number) => void): void
}

export function openWorld(random: Random, now: () => number): World {
  const streams: Stream[] = []
  const names = new Map<string, Inode>()
  const history: { at: number; names: Map<string, Inode> }[] = [{ at: 0, names: new Map() }]
  const freed: bigint[] = []
  let inodes = 0
  let listener: (path: string, writer: number) => void = () => undefined

  const newStream = (): Stream => {
    const stream: Stream = { id: streams.length, bytes: Buffer.alloc(0), owed: 0, edited: false }
    streams.push(stream)
    return stream
  }

  const newInode = (stream: Stream, writer: number): Inode => {
    // Some filesystems give a freed inode number to the next file at once.
    const reused = random.chance(0.5) ? freed.pop() : undefined
    const id = inodes++
    const ino = reused ?? BigInt(1000 + id)
    return { id, ino, stream, size: 0, mtimeMs: now(), history: [{ at: now(), size: 0 }], writer }
  }

  const grow = (inode: Inode, size: number, writer: number): void => {
    inode.size = size
    inode.mtimeMs = now()
    inode.writer = writer
    inode.history.push({ at: now(), size })
    if (inode.history.length > 64) inode.history.shift()
  }

  const changed = (path: string, writer: number): void => {
    history.push({ at: now(), names: new Map(names) })
    if (history.length > 64) history.shift()
    listener(path, writer)
  }

  const namesBefore = (agoMs: number): Map<string, Inode> => {
    const at = now() - agoMs
    for (let index = history.length - 1; index >= 0; index--) {
      const then = history[index]
      if (then && then.at <= at) return then.names
    }
    return history[0]?.names ?? names
  }

  return {
    streams,
    paths: () => [...names.keys()],
    inode: (path) => names.get(path),
    inodeBefore: (path, agoMs) => namesBefore(agoMs).get(path),
    listBefore: (agoMs) => [...namesBefore(agoMs).keys()],
    create(path, writer, first) {
      const stream = newStream()
      stream.bytes = first
      const inode = newInode(stream, writer)
      names.set(path, inode)
      grow(inode, first.length, writer)
      changed(path, writer)
    },
    append(path, writer, bytes) {
      const inode = names.get(path)
      if (!inode) return
      inode.stream.bytes = Buffer.concat([inode.stream.bytes, bytes])
      grow(inode, inode.stream.bytes.length, writer)
      changed(path, writer)
    },
    rename(from, to, by) {
      const inode = names.get(from)
      if (!inode) return
      const over = names.get(to)
      if (over) freed.push(over.ino)
      names.delete(from)
      names.set(to, inode)
      changed(from, by)
      changed(to, by)
    },
    remove(path, by) {
      const inode = names.get(path)
      if (!inode) return
      names.delete(path)
      freed.push(inode.ino)
      changed(path, by)
    },
    copy(from, to, writer, size) {
      const source = names.get(from)
      if (!source) return
      const known = names.get(to)
      const inode = known && known.stream === source.stream ? known : newInode(source.stream, writer)
      names.set(to, inode)
      grow(inode, Math.min(size, source.size), writer)
      changed(to, writer)
    },
    truncate(path, writer) {
      const inode = names.get(path)
      if (!inode) return
      inode.stream = newStream()
      inode.history = []
      grow(inode, 0, writer)
      changed(path, writer)
    },
    onChange(given) {
      listener = given
    },
  }
}
