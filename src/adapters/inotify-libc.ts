/**
 * The few libc calls that inotify takes, called in place through koffi.
 *
 * Each answers as the kernel does: zero or more when it worked, else the negated errno, so that a caller decides on the
 * number (`-constants.errno.ENOSPC`) and can print it with `util.getSystemErrorName`. Numbers are Linux's, from <sys/inotify.h>,
 * <poll.h> and <sys/eventfd.h>; all are the same on x86-64 and arm64, and so
 * is the byte order of the structs (little-endian).
 */
import koffi from 'koffi'

export const IN_MODIFY = 0x2
export const IN_CLOSE_WRITE = 0x8
export const IN_MOVED_FROM = 0x40
export const IN_MOVED_TO = 0x80
export const IN_CREATE = 0x100
export const IN_DELETE = 0x200
export const IN_DELETE_SELF = 0x400
export const IN_MOVE_SELF = 0x800
export const IN_UNMOUNT = 0x2000
export const IN_Q_OVERFLOW = 0x4000
export const IN_IGNORED = 0x8000
export const IN_ONLYDIR = 0x1000000
export const IN_DONT_FOLLOW = 0x2000000
export const IN_ISDIR = 0x40000000

export const POLLIN = 1
export const POLLPRI = 2

const closeOnExec = 0o2000000
const nonBlocking = 0o4000

export interface PollEntry {
  /** A negative descriptor is skipped. */
  fd: number
  events: number
}

export interface InotifyEvent {
  wd: number
  mask: number
  /** Name in the watched directory, without the padding; empty for the directory itself. */
  name: Buffer
}

export interface Libc {
  inotifyInit(): number
  /** `path` without the closing NUL. */
  addWatch(fd: number, path: Buffer, mask: number): number
  removeWatch(fd: number, wd: number): number
  read(fd: number, buffer: Buffer): number
  close(fd: number): number
  /** A counter that a write makes readable, from any thread. */
  eventfd(): number
  /** Waits up to `timeoutMs`; gives the returned events of each entry. Interrupted or timed out: all zero. */
  poll(entries: PollEntry[], timeoutMs: number): number[]
}

/** Throws what koffi throws where the C library has no inotify (not Linux). */
export function openLibc(): Libc {
  // The running program is linked with the C library, glibc or musl: no file name to guess.
  const library = koffi.load(null)
  const bind = (definition: string) => {
    const call: (...values: unknown[]) => number = library.func(definition)
    return (...values: unknown[]): number => {
      const result = call(...values)
      return result < 0 ? -koffi.errno() : result
    }
  }
  const init = bind('int inotify_init1(int flags)')
  const add = bind('int inotify_add_watch(int fd, const void *path, uint32_t mask)')
  const remove = bind('int inotify_rm_watch(int fd, int wd)')
  const read = bind('long read(int fd, void *buffer, size_t count)')
  const close = bind('int close(int fd)')
  const eventfd = bind('int eventfd(unsigned int start, int flags)')
  const poll = bind('int poll(void *fds, unsigned long count, int timeout)')
  return {
    inotifyInit: () => init(closeOnExec | nonBlocking),
    addWatch: (fd, path, mask) => add(fd, Buffer.concat([path, Buffer.alloc(1)]), mask),
    removeWatch: (fd, wd) => remove(fd, wd),
    read: (fd, buffer) => read(fd, buffer, buffer.length),
    close: (fd) => close(fd),
    eventfd: () => eventfd(0, closeOnExec | nonBlocking),
    poll(entries, timeoutMs) {
      const fds = pollfds(entries)
      const ready = poll(fds, entries.length, timeoutMs)
      return entries.map((_, index) => (ready > 0 ? fds.readInt16LE(index * 8 + 6) : 0))
    },
  }
}

/** struct pollfd { int fd; short events; short revents; } */
function pollfds(entries: PollEntry[]): Buffer {
  const fds = Buffer.alloc(entries.length * 8)
  for (const [index, { fd, events }] of entries.entries()) {
    fds.writeInt32LE(fd, index * 8)
    fds.writeInt16LE(events, index * 8 + 4)
  }
  return fds
}

/** struct inotify_event { int wd; uint32_t mask, cookie, len; char name[len]; }, one after the other; names are padded with NULs. */
export function* parseEvents(bytes: Buffer): Generator<InotifyEvent> {
  for (let at = 0; at + 16 <= bytes.length; ) {
    const nameEnd = at + 16 + bytes.readUInt32LE(at + 12)
    const padded = bytes.subarray(at + 16, nameEnd)
    const nul = padded.indexOf(0)
    yield {
      wd: bytes.readInt32LE(at),
      mask: bytes.readUInt32LE(at + 4),
      name: nul === -1 ? padded : padded.subarray(0, nul),
    }
    at = nameEnd
  }
}
