import type { FrameBytes } from '../core/segment.ts'

/**
 * The files of one root, as one node sees them. Paths are as in `core/path.ts`.
 *
 * Contract:
 *  - Calls run in the root's own thread; a call that misses the deadline rejects with `root-stalled`, and so does every
 *    later call until the stuck one returns. At most one thread is ever stuck per root.
 *  - Only regular files beneath the root are opened: no `..`, no symlink on the way or at the end that leaves the root
 *    (`file-outside`), no FIFO, socket or device (`file-not-regular`). Opens never block (O_NONBLOCK) and never follow a
 *    final symlink (O_NOFOLLOW).
 *  - A missing file is `file-gone` (ENOENT, ESTALE, ENOTCONN, EBADFD: the caller resolves again later). A root whose mount is not
 *    there, or that answers EACCES, EPERM, ENOKEY, EKEYEXPIRED, ETIMEDOUT or EHOSTDOWN at its top, is `root-unavailable`:
 *    nothing is ever concluded to be deleted from it. EACCES on one file is `file-unreadable`.
 *  - A compressed file (`.gz .zst .bz2 .xz`) is looked at as its content; a torn one is `file-torn`.
 *  - No descriptor is kept between calls.
 */
export interface Files {
  readonly root: string
  /** What is mounted at the root now. Throws `root-unavailable` when it is not what it was at the first call. */
  mount(): Promise<Mount>
  /** Lists directories, not recursively; `''` is the root itself. One metadata call each. A directory gone meanwhile is listed empty
   *  with `gone: true`; one that may not be read has `error` set, and nothing may be concluded about what is in it. */
  list(directories: string[]): Promise<DirectoryListing[]>
  /**
   * Size, inode and mtime of each path, in order; null where it is gone, not regular, or cannot be told (then `errors` counts).
   * `fresh` opens each file and asks the descriptor, which on a network filesystem is the only current answer. `known`, in the same order, is
   * what was told before: an answer that is equal may be that very object.
   */
  stat(paths: string[], options: { fresh: boolean; known?: (FileStat | null)[] }): Promise<StatResult>
  /** One look: one descriptor, from which a decision is taken. */
  look(path: string, request: LookRequest): Promise<Look>
  /** Ends the threads. Resolves `false` if one is stuck in the kernel (the process must then end itself by SIGKILL). */
  close(): Promise<boolean>
}

export interface Mount {
  /** As mountinfo names them. */
  source: string
  filesystem: string
  /** Whether other machines may write here: true unless the filesystem is known to be local. */
  remote: boolean
}

export interface DirectoryListing {
  directory: string
  /** Paths (not names) of subdirectories and of regular files. Symlinks and special files are in neither. */
  directories: string[]
  files: string[]
  /** Symlinks, where there are any: nothing follows them, but a person may want to know. */
  links?: string[]
  gone?: boolean
  error?: string
}

export interface FileStat {
  /** Of the content. */
  size: number
  /** Of a compressed file as it lies there; left out where that is `size`. A `stat` knows only this one, and gives it as `size`. */
  storedSize?: number
  mtimeNs: bigint
  ino: bigint
}

export interface StatResult {
  stats: (FileStat | null)[]
  /** How many could not be told for a reason other than being gone. */
  errors: number
}

export interface LookRequest {
  /** How many bytes of the beginning to return: 4,096, or 65,536 where a first record is wanted. */
  beginningBytes: number
  /** Ranges to hash from this descriptor. */
  probes: Range[]
  /** What to read; null reads nothing. */
  read: ReadRequest | null
  /** Drop this file's cached pages first (another machine writes it). */
  fresh: boolean
}

export interface Range {
  start: number
  end: number
}

export interface ReadRequest {
  start: number
  /** Read no further than this, nor than the size seen. */
  end: number
  /**
   * `bytes`: the raw bytes [start, end), as they are (bounded by the caller).
   * `segment`: cut and compressed as a segment's body: up to the last line end, see `SegmentBody`.
   */
  as: 'bytes' | 'segment'
  /** segment: longest line; a longer one is cut there. */
  lineBytesMax: number
  /** segment: also take what follows the last line end (a final tail, or an exact range). */
  tail: boolean
  /** segment: stop before the line that holds the first NUL. */
  stopAtNul: boolean
}

export interface Look {
  stat: FileStat
  beginning: Buffer
  /** Hex SHA-256 of each probe; null where the file is too short for it. */
  probes: (string | null)[]
  bytes: Buffer | null
  segment: SegmentBody | null
  /** Whether size had not shrunk and the first 4 KiB were still the same when all was read. False: decide nothing. */
  steady: boolean
}

/** What a segment's frames hold: raw bytes [start, end) of the source. Empty (end == start) when no line ends in the range. */
export interface SegmentBody {
  start: number
  end: number
  /** Newlines in it, plus one for a tail or a cut. */
  lines: number
  sha256: string
  witness: { length: number; sha256: string }
  tail: 'complete' | 'incomplete' | 'cut'
  /**
   * zstd frames of at most 1 MiB raw each, in order. They may come after the look, so that the next one can begin meanwhile. Rejects with
   * `internal` if they cannot be had; no one needs to listen.
   */
  frames: Promise<FrameBytes[]>
  /** Frees the frames' memory, once nobody needs it; left to the collector, it would be what the collector mostly runs for. */
  release(): void
  /** The first and the last line, without newline, at most 64 KiB each (for the header's times). */
  firstLine: Buffer
  lastLine: Buffer
  /** Offset of the first NUL met, if any, whether or not the reading stopped there. */
  nulAt: number | null
}
