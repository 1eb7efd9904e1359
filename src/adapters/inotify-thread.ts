/**
 * The thread that listens to one root (see `inotify.ts` for the other side).
 *
 * It sits in poll(2) on three descriptors and so receives no messages; it only posts them.
 *
 *   inotify     events: read one buffer, work through it, post the changed paths of that buffer as one message
 *   wake        an eventfd; once written it stays readable: stop. The walk asks it too, before every directory
 *   mountinfo   the mount table changed: is the root still on the device that is watched? Another mount may cover it
 *
 * Which directories stand where. `Watched` is a tree that mirrors the directories of the root, and `byWd` finds a node by its
 * watch. There is one rule for everything that happens to a directory, whatever the event: *cover* its path again, which
 * means
 *
 *   1. add a watch to what stands at the path now. Nothing there: forget the node and its subtree. The same watch as the node
 *      has: it was covered before, done.
 *   2. otherwise forget what the tree had there, list the directory, report its files, cover its subdirectories.
 *
 * The watch comes before the list, so a file made in between is reported twice rather than never. Events are worked through in
 * order, so the last one about a path finds what stands there now; earlier ones may find nothing or too much, which is harmless.
 * A directory that moved keeps its watch in the kernel: MOVED_FROM finds its old path empty, or another directory there, and gives the
 * watch up; MOVED_TO covers it anew where it is, and reports what lies in it. So move cookies need not be paired.
 *
 * After IN_Q_OVERFLOW the tree may be wrong in any way: everything is closed and begun anew, and only then is the overflow told,
 * so that the full pass which follows finds whatever happened before the new watches.
 *
 * Bounds: at most `batchesMax` messages wait for the main thread. Beyond that the thread stops reading, the kernel's queue takes the
 * rest, and when it is full it says so: an overflow.
 *
 * Two flags stay out of the mask. IN_OPEN, IN_ACCESS, IN_CLOSE_NOWRITE: a pass must not wake the listener. IN_EXCL_UNLINK: it
 * silences every file whose directory entry the kernel dropped, and network filesystems drop those of files that still exist.
 */
import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { decodePath, encodePath } from '../core/path.ts'
import { GleanerError, isGleanerError, messageOf, type ErrorCode } from '../errors.ts'
import * as sys from './inotify-libc.ts'

export interface InotifyThreadData {
  /** The root's local path. */
  path: string
  /** The eventfd that asks this thread to stop. */
  wakeFd: number
  /** One Int32: batches posted that the main thread has not taken yet. */
  waiting: SharedArrayBuffer
}

export type InotifyMessage =
  | { kind: 'started' }
  | { kind: 'changed'; paths: string[] }
  | { kind: 'overflow' }
  | { kind: 'blind'; code: ErrorCode; message: string }

interface Watched {
  wd: number
  /** As in core/path.ts; '' is the root. */
  path: string
  parent: Watched | null
  /** By encoded name. */
  children: Map<string, Watched>
}

/** A path that may be a directory: `name` in `parent`, or the root itself. */
interface Place {
  parent: Watched | null
  name: string
}

const mask =
  sys.IN_MODIFY |
  sys.IN_CLOSE_WRITE |
  sys.IN_CREATE |
  sys.IN_MOVED_FROM |
  sys.IN_MOVED_TO |
  sys.IN_DELETE |
  sys.IN_DELETE_SELF |
  sys.IN_MOVE_SELF |
  sys.IN_ONLYDIR
const batchPathsMax = 4096
const batchesMax = 64
/** Nothing depends on it: every reason to wake up has a descriptor. It bounds the harm should that be wrong. */
const pollMs = 5000

const data = workerData as InotifyThreadData
const waiting = new Int32Array(data.waiting)
const rootBytes = Buffer.from(data.path)
const libc = sys.openLibc()
const buffer = Buffer.alloc(64 * 1024)
const byWd = new Map<number, Watched>()
const batch = new Set<string>()
const toldBlind = new Set<ErrorCode>()
let root: Watched | null = null
let rootDevice = 0
let inotifyFd = -1
let mountsFd = -1

try {
  mountsFd = openMounts()
  begin()
  post({ kind: 'started' })
  while (listen());
} catch (error) {
  tellBlind(isGleanerError(error) ? error : failed('', messageOf(error) ?? 'unknown'))
} finally {
  end()
  if (mountsFd >= 0) closeSync(mountsFd)
}

/** Opens inotify and covers the whole root. Throws `watch-*` where the root itself cannot be watched. */
function begin(): void {
  end()
  const fd = libc.inotifyInit()
  if (fd < 0) throw initFailed(fd)
  inotifyFd = fd
  rootDevice = statSync(rootBytes).dev
  cover({ parent: null, name: '' }, () => undefined)
}

function end(): void {
  if (inotifyFd >= 0) libc.close(inotifyFd)
  inotifyFd = -1
  root = null
  byWd.clear()
}

/** Waits for one reason to wake up and deals with it. False: stop. */
function listen(): boolean {
  const [events = 0, wake = 0, mounts = 0] = libc.poll(
    [
      { fd: inotifyFd, events: sys.POLLIN },
      { fd: data.wakeFd, events: sys.POLLIN },
      { fd: mountsFd, events: sys.POLLPRI },
    ],
    pollMs,
  )
  if (wake !== 0) return false
  if (mounts !== 0 && statSync(rootBytes).dev !== rootDevice)
    throw failed('', 'another filesystem is mounted there now')
  if (events !== 0) readEvents()
  return true
}

function readEvents(): void {
  const length = libc.read(inotifyFd, buffer)
  if (length === -constants.errno.EAGAIN || length === -constants.errno.EINTR) return
  if (length < 0) throw failed('', `read of inotify: ${getSystemErrorName(length)}`)
  let overflowed = false
  for (const event of sys.parseEvents(buffer.subarray(0, length))) {
    if ((event.mask & sys.IN_Q_OVERFLOW) !== 0) overflowed = true
    else takeEvent(event)
  }
  flush()
  if (!overflowed) return
  begin()
  post({ kind: 'overflow' })
}

function takeEvent(event: sys.InotifyEvent): void {
  const node = byWd.get(event.wd)
  if (node === undefined) return
  if ((event.mask & (sys.IN_UNMOUNT | sys.IN_DELETE_SELF | sys.IN_MOVE_SELF | sys.IN_IGNORED)) !== 0) {
    takeOwnEvent(node, event.mask)
    return
  }
  const name = encodePath(event.name)
  if ((event.mask & sys.IN_ISDIR) === 0) {
    report(join(node.path, name))
    return
  }
  cover({ parent: node, name }, report)
}

/** What happened to a watched directory itself. Its parent hears of moves and removals too, so only the root's count here. */
function takeOwnEvent(node: Watched, what: number): void {
  if (node.parent === null) throw failed('', 'it was removed, moved or unmounted')
  if ((what & (sys.IN_UNMOUNT | sys.IN_IGNORED)) !== 0) forget(node)
  if ((what & sys.IN_UNMOUNT) !== 0) cover({ parent: node.parent, name: nameOf(node) }, report)
}

/** Watches what stands at a place, and everything below; `found` gets the files of each directory newly watched. */
function cover(first: Place, found: (path: string) => void): void {
  const places = [first]
  for (let place = places.pop(); place !== undefined && !stopAsked(0); place = places.pop()) {
    const node = watch(place)
    if (node === null) continue
    for (const entry of entriesOf(node)) {
      const name = encodePath(entry.name)
      if (entry.isDirectory()) places.push({ parent: node, name })
      else found(join(node.path, name))
    }
  }
}

/** The node of a directory newly watched; null where nothing is there, or where it was watched already. */
function watch(place: Place): Watched | null {
  const path = place.parent === null ? '' : join(place.parent.path, place.name)
  const known = place.parent === null ? root : place.parent.children.get(place.name)
  let wd = addWatch(path)
  if (known && known.wd === wd) return null
  if (known) forget(known)
  // A directory that was moved here during the walk, or that is mounted twice, has its watch already: it gets a new one,
  // unless it is one of its own ancestors.
  const elsewhere = byWd.get(wd)
  if (elsewhere !== undefined) {
    for (let node = place.parent; node !== null; node = node.parent) if (node === elsewhere) return null
    forget(elsewhere)
    wd = addWatch(path)
  }
  if (wd < 0) {
    notWatched(path, wd)
    return null
  }
  const node: Watched = { wd, path, parent: place.parent, children: new Map() }
  byWd.set(wd, node)
  if (place.parent === null) root = node
  else place.parent.children.set(place.name, node)
  return node
}

/** The root may be a symlink; nothing below it is followed. */
function addWatch(path: string): number {
  return libc.addWatch(inotifyFd, absolute(path), path === '' ? mask : mask | sys.IN_DONT_FOLLOW)
}

/** Takes a directory and all below it out of the tree. */
function forget(node: Watched): void {
  node.parent?.children.delete(nameOf(node))
  const nodes = [node]
  for (let next = nodes.pop(); next !== undefined; next = nodes.pop()) {
    libc.removeWatch(inotifyFd, next.wd)
    byWd.delete(next.wd)
    nodes.push(...next.children.values())
  }
}

function entriesOf(node: Watched) {
  try {
    return readdirSync(absolute(node.path), { encoding: 'buffer', withFileTypes: true })
  } catch (error) {
    notWatched(node.path, (error as NodeJS.ErrnoException).errno ?? -constants.errno.EIO)
    return []
  }
}

/** A directory that is gone is normal. Any other leaves the watch incomplete, or, if it is the root, ends it. */
function notWatched(path: string, errno: number): void {
  const gone = [-constants.errno.ENOENT, -constants.errno.ENOTDIR, -constants.errno.ELOOP].includes(errno)
  if (gone && path !== '') return
  const error = errno === -constants.errno.ENOSPC ? limitReached() : failed(path, getSystemErrorName(errno))
  if (path === '') throw error
  if (!toldBlind.has(error.code)) tellBlind(error)
}

function limitReached(): GleanerError {
  return new GleanerError('watch-limit', {
    operation: 'watch',
    subject: data.path,
    message:
      `${limit('max_user_watches', 'max_inotify_watches')}, shared by all processes of this user; ` +
      `${byWd.size} directories of this root are watched, the rest are not`,
  })
}

function initFailed(errno: number): GleanerError {
  const message =
    errno === -constants.errno.EMFILE
      ? `${limit('max_user_instances', 'max_inotify_instances')}, all in use by this user (or this process has no descriptor left)`
      : `inotify_init1: ${getSystemErrorName(errno)}`
  return failed('', message)
}

function failed(path: string, message: string): GleanerError {
  return new GleanerError('watch-failed', { operation: 'watch', subject: join(data.path, path), message })
}

/** The limit in force, named: the machine's, and where it differs that of this user namespace (a container may have its own). */
function limit(name: string, namespaced: string): string {
  const machine = numberIn(`/proc/sys/fs/inotify/${name}`)
  const own = numberIn(`/proc/sys/user/${namespaced}`)
  return `fs.inotify.${name} is ${machine}${own === machine ? '' : ` (user.${namespaced} ${own})`}`
}

function numberIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

/** A descriptor that poll(2) marks when the mount table changes; -1 where there is none. */
function openMounts(): number {
  try {
    return openSync('/proc/self/mountinfo', 'r')
  } catch {
    return -1
  }
}

function stopAsked(waitMs: number): boolean {
  return libc.poll([{ fd: data.wakeFd, events: sys.POLLIN }], waitMs)[0] !== 0
}

function report(path: string): void {
  batch.add(path)
  if (batch.size >= batchPathsMax) flush()
}

function flush(): void {
  if (batch.size === 0) return
  while (Atomics.load(waiting, 0) >= batchesMax && !stopAsked(1));
  Atomics.add(waiting, 0, 1)
  post({ kind: 'changed', paths: [...batch] })
  batch.clear()
}

function tellBlind(error: GleanerError): void {
  toldBlind.add(error.code)
  post({ kind: 'blind', code: error.code, message: error.message })
}

function post(message: InotifyMessage): void {
  parentPort?.postMessage(message, [])
}

function absolute(path: string): Buffer {
  return path === '' ? rootBytes : Buffer.concat([rootBytes, Buffer.from('/'), decodePath(path)])
}

function join(directory: string, name: string): string {
  if (name === '') return directory
  return directory === '' ? name : `${directory}/${name}`
}

function nameOf(node: Watched): string {
  return node.path.slice(node.path.lastIndexOf('/') + 1)
}
