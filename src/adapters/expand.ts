/**
 * The content of a compressed file, as a temporary file without a name.
 *
 * The compressed bytes are read here, synchronously, like everything on a root (libuv's pool is shared, and must not hang on a
 * dead mount), and fed to zlib, or to `bzip2` or `xz` as a child process. A file that ends too early, is damaged, or goes on
 * with something else after its last member is `file-torn`. The last two contents are kept, by (path, inode, size, mtime), so
 * that a long one can be read in ranges.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants as zlib, createGunzip, createZstdDecompress, zstdCompressSync } from 'node:zlib'
import { frameBytesMax } from '../core/segment.ts'
import { type ErrorCode, GleanerError } from '../errors.ts'
import { errnoOf } from './files-errors.ts'

const contentBytesMax = 64 * 1024 ** 3
const keptMax = 2

export type Compression = 'gz' | 'zst' | 'bz2' | 'xz'

interface Compressed {
  fd: number
  stat: BigIntStats
  path: string
  /** For errors. */
  subject: string
  compression: Compression
  /** Called between pieces. */
  tick: () => void
}

export interface Expansions {
  /** The content; its descriptor belongs to this object. Rejects with `file-torn`, `file-io`, or the kernel's error on reading. */
  open(file: Compressed): Promise<{ fd: number; size: number }>
  close(): void
}

/** By its suffix, how a file is compressed. */
export function compressionOf(path: string): Compression | null {
  const suffix = /\.(gz|zst|bz2|xz)$/.exec(path)?.[1]
  return suffix === undefined ? null : (suffix as Compression)
}

export function openExpansions(): Expansions {
  const kept: { key: string; fd: number; size: number }[] = []
  return {
    async open(file) {
      const { ino, size, mtimeNs } = file.stat
      const key = `${file.path} ${ino} ${size} ${mtimeNs}`
      const known = kept.find((content) => content.key === key)
      if (known !== undefined) return known
      const content = { key, ...(await expand(file)) }
      kept.push(content)
      if (kept.length > keptMax) closeSync((kept.shift() as typeof content).fd)
      return content
    },
    close() {
      for (const { fd } of kept.splice(0)) closeSync(fd)
    },
  }
}

async function expand(file: Compressed): Promise<{ fd: number; size: number }> {
  const target = openTarget(file)
  try {
    if (file.stat.size === 0n) throw failed('file-torn', file, { message: 'it is empty' })
    await engines[file.compression](file, target)
    return { fd: target.fd, size: target.size }
  } catch (error) {
    closeSync(target.fd)
    throw error
  }
}

interface Target {
  fd: number
  size: number
  write(bytes: Buffer): void
}

function openTarget(file: Compressed): Target {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
  let fd: number
  try {
    const name = join(tmpdir(), `gleaner-${randomBytes(8).toString('hex')}`)
    fd = openSync(name, flags, 0o600)
    unlinkSync(name)
  } catch (cause) {
    throw failed('file-io', file, { message: `no temporary file for its content in ${tmpdir()}`, cause })
  }
  return {
    fd,
    size: 0,
    write(bytes) {
      file.tick()
      if (this.size + bytes.length > contentBytesMax)
        throw failed('file-io', file, { message: 'its content is larger than 64 GiB' })
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
      } catch (cause) {
        throw failed('file-io', file, { message: `no room for its content in ${tmpdir()} (TMPDIR)`, cause })
      }
      this.size += bytes.length
    },
  }
}

const engines: Record<Compression, (file: Compressed, target: Target) => Promise<void>> = {
  gz: (file, target) => throughZlib(file, target, { engine: createGunzip(), end: Buffer.alloc(0) }),
  zst: async (file, target) => {
    await throughZlib(file, target, { engine: createZstdDecompress(), end: endFrame })
    cutEndMark(file, target)
  },
  bz2: (file, target) => throughProgram(file, target, 'bzip2'),
  xz: (file, target) => throughProgram(file, target, 'xz'),
}

// zlib takes a zstd file that ends within the first bytes of a further frame for whole. So a frame of our own is put after it,
// which comes out again only if the frame before it was whole.
const endMark = randomBytes(16)
const endFrame = zstdCompressSync(endMark, { params: { [zlib.ZSTD_c_checksumFlag]: 1 } })

function cutEndMark(file: Compressed, target: Target): void {
  const size = target.size - endMark.length
  const found = Buffer.alloc(endMark.length)
  if (size < 0 || readSync(target.fd, found, 0, found.length, size) !== found.length || !found.equals(endMark)) {
    throw failed('file-torn', file, { message: 'it ends within a frame' })
  }
  ftruncateSync(target.fd, size)
  target.size = size
}

interface Zlib {
  engine: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>
  /**
   * Fed after the file, in one write with the last of it. In a write of its own it came out whole even after the first five bytes of
   * a frame's header, as if they were not there (seen with Node 26.10; the cause was not looked for).
   */
  end: Buffer
}

async function throughZlib(file: Compressed, target: Target, { engine, end }: Zlib): Promise<void> {
  let fed = 0
  const pieces = function* () {
    let held: Buffer = Buffer.alloc(0)
    for (const piece of readPieces(file)) {
      if (held.length > 0) yield held
      fed += held.length
      held = piece
    }
    fed += held.length + end.length
    yield Buffer.concat([held, end])
  }
  try {
    await pipeline(Readable.from(pieces()), engine, async (output: AsyncIterable<Buffer>) => {
      for await (const bytes of output) target.write(bytes)
    })
  } catch (cause) {
    const code = String((cause as NodeJS.ErrnoException).code)
    // A premature close is an engine that found its end before ours.
    throw /^(Z_|ZSTD_|ERR_STREAM_PREMATURE_CLOSE)/.test(code) ? failed('file-torn', file, { cause }) : cause
  }
  // What follows the last member is silently left out by zlib, if it does not look like a member.
  if (engine.bytesWritten !== fed)
    throw failed('file-torn', file, { message: 'something else follows its last member' })
}

async function throughProgram(file: Compressed, target: Target, program: string): Promise<void> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text: Buffer) => {
    complaint = (complaint + text.toString('latin1')).slice(0, 500)
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (cause) => reject(failed('file-io', file, { message: `${program} cannot be run`, cause })))
    child.on('close', resolve)
  })
  const fed = pipeline(Readable.from(readPieces(file)), child.stdin).catch((error: unknown) => {
    // The program ended before its input did: its exit status says why.
    if (!isBrokenPipe(error)) throw error
  })
  const drained = pipeline(child.stdout, async (output: AsyncIterable<Buffer>) => {
    for await (const bytes of output) target.write(bytes)
  })
  try {
    const [status] = await Promise.all([ended, fed, drained])
    // bzip2 only warns of garbage after its last stream.
    if (status !== 0 || complaint !== '')
      throw failed('file-torn', file, { message: complaint.trim() || `${program} failed` })
  } finally {
    child.kill('SIGKILL')
  }
}

function isBrokenPipe(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || errnoOf(error) === 32
}

function* readPieces(file: Compressed): Generator<Buffer> {
  for (let at = 0; at < Number(file.stat.size); ) {
    file.tick()
    const piece = Buffer.allocUnsafeSlow(frameBytesMax)
    const got = readSync(file.fd, piece, 0, Math.min(piece.length, Number(file.stat.size) - at), at)
    if (got === 0) return
    at += got
    yield piece.subarray(0, got)
  }
}

function failed(code: ErrorCode, file: Compressed, why: { message?: string; cause?: unknown }): GleanerError {
  return new GleanerError(code, { operation: 'expand', subject: file.subject, ...why })
}
