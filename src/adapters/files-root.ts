/**
 * The root as its I/O thread knows it: where it really is, what is mounted there, and how a path in it is opened.
 *
 * Gone is not deleted. A dead sshfs mount leaves its bare directory, where every file is ENOENT and every listing is empty.
 * So the mount seen at the first call is remembered, and whatever would be concluded from an absence is concluded only after
 * `checkRoot` has found the same mount, with a top that opens, afterwards.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  opendirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { isLocal, type MountPoint, mountOf } from '../core/mountinfo.ts'
import { decodePath, isInside } from '../core/path.ts'
import { type ErrorFacts, GleanerError } from '../errors.ts'
import type { Mount } from '../ports/files.ts'

export interface Root {
  readonly name: string
  /** As configured; may be a symlink. */
  readonly path: string
  readonly remote: 'auto' | boolean
  /** Called between system calls: shows progress, and throws when the call was abandoned. */
  readonly tick: () => void
  /** Where it really is, from the first use on, and anew after it was unavailable. */
  real: Buffer | null
  mount: MountPoint | null
  /** The device number of its top: equal means the same mount, different means look closer. */
  device: bigint
}

export function openRoot(facts: Pick<Root, 'name' | 'path' | 'remote' | 'tick'>): Root {
  return { ...facts, real: null, mount: null, device: -1n }
}

/** What is mounted now. Throws `root-unavailable` if that is not what it was, or the top cannot be opened. */
export function checkRoot(root: Root): Mount {
  const seen = topOf(root)
  const known = root.mount ?? seen
  if (seen.source !== known.source || seen.filesystem !== known.filesystem) {
    const message = `${root.path} is on ${seen.source} (${seen.filesystem}), was on ${known.source} (${known.filesystem})`
    throw unavailable(root, { message })
  }
  root.mount = known
  const remote = root.remote === 'auto' ? !isLocal(known.filesystem) : root.remote
  return { source: known.source, filesystem: known.filesystem, remote }
}

/** Before the first use of the root, and the first after it was unavailable. */
export function readyRoot(root: Root): void {
  if (root.real === null || root.mount === null) checkRoot(root)
}

function topOf(root: Root): MountPoint {
  try {
    const real = root.real ?? realpathSync.native(root.path, 'buffer')
    // Opened before mountinfo is read: that is what makes an automounter mount it, and what an expired token refuses.
    opendirSync(real).closeSync()
    root.tick()
    const device = statSync(real, { bigint: true }).dev
    const mount = mountOf(readFileSync('/proc/self/mountinfo', 'latin1'), real.toString('latin1'))
    root.real = real
    root.device = device
    if (mount !== null) return mount
  } catch (cause) {
    throw unavailable(root, { cause })
  }
  throw unavailable(root, { message: `mountinfo names nothing for ${root.path}` })
}

export function unavailable(root: Root, why: Pick<ErrorFacts, 'message' | 'cause'>): GleanerError {
  root.real = null
  return new GleanerError('root-unavailable', { operation: 'mount', subject: root.name, ...why })
}

/** The real root's name with a slash, for what must lie beneath it. */
function prefixOf(root: Root): Buffer {
  const real = root.real as Buffer
  return real.length === 1 ? real : Buffer.concat([real, Buffer.from('/')])
}

/** A path for a system call: text where that is the same, since it is faster than bytes. `''` is the root itself. */
export function locate(root: Root, path: string): string | Buffer {
  const prefix = prefixOf(root)
  return plainPath.test(path) && prefix.every((byte) => byte < 0x80)
    ? prefix.toString('latin1') + path
    : Buffer.concat([prefix, decodePath(path)])
}

const plainPath = /^[\x21-\x24\x26-\x7e]*$/

/**
 * Gives a function that locates many paths of a root. It throws `file-outside` for a path that is not inside, or whose directory
 * leads out of the root by a symlink; directories are checked once each.
 */
export function locator(root: Root): (path: string) => string | Buffer {
  const prefix = prefixOf(root)
  const text = prefix.every((byte) => byte < 0x80) ? prefix.toString('latin1') : null
  const inside = new Map<string, boolean>()
  return (path) => {
    const directory = path.slice(0, Math.max(path.lastIndexOf('/'), 0))
    let good = inside.get(directory)
    if (good === undefined) {
      good = directory === '' || (isInside(directory) && isBeneath(root, locate(root, directory)))
      inside.set(directory, good)
    }
    const plain = plainPath.test(path)
    const named = plain ? !emptyOrDots.test(path) : isInside(path)
    if (!good || !named) throw outside(root, path)
    return plain && text !== null ? text + path : Buffer.concat([prefix, decodePath(path)])
  }
}

// A name that is empty, `.` or `..`.
const emptyOrDots = /(?:^|\/)\.{0,2}(?:\/|$)/

/** Whether a directory, all symlinks followed, is the root or beneath it. */
export function isBeneath(root: Root, directory: string | Buffer): boolean {
  const real = realpathSync.native(directory, 'buffer')
  return real.equals(root.real as Buffer) || startsWith(real, prefixOf(root))
}

function outside(root: Root, path: string): GleanerError {
  return new GleanerError('file-outside', { operation: 'open', subject: `${root.name}/${path}` })
}

export const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

/**
 * Opens a regular file beneath the root; the caller closes it. (libuv adds O_CLOEXEC.) The check is made on the descriptor, so
 * that nothing can be exchanged between check and use. A deleted file's link ends in " (deleted)", which the prefix does not mind.
 */
export function openInside(root: Root, path: string): { fd: number; stat: BigIntStats } {
  if (!isInside(path)) throw outside(root, path)
  const fd = openSync(locate(root, path), openFlags)
  try {
    const stat = fstatSync(fd, { bigint: true })
    if (!stat.isFile()) {
      throw new GleanerError('file-not-regular', { operation: 'open', subject: `${root.name}/${path}` })
    }
    checkPlace(root, path, readlinkSync(`/proc/self/fd/${fd}`, 'buffer'))
    return { fd, stat }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/**
 * The descriptor's own path must be the one that was asked for: another directory means a symlink on the way (inside the root, too: the
 * file would be collected under two names), another name that it was renamed meanwhile.
 */
function checkPlace(root: Root, path: string, link: Buffer): void {
  const wanted = Buffer.from(locate(root, path))
  const found = link.toString('latin1').replace(/ \(deleted\)$/, '')
  if (found === wanted.toString('latin1') || link.equals(wanted)) return
  const directory = (name: string): string => name.slice(0, name.lastIndexOf('/'))
  if (!startsWith(link, prefixOf(root)) || directory(found) !== directory(wanted.toString('latin1')))
    throw outside(root, path)
  throw new GleanerError('file-changed', {
    operation: 'open',
    subject: `${root.name}/${path}`,
    message: 'it was renamed meanwhile',
  })
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length > prefix.length && bytes.subarray(0, prefix.length).equals(prefix)
}
