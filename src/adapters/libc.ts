/**
 * The C library's functions on files that Node does not offer. Importing this loads koffi, a native module: import it only
 * where it is needed.
 */
import koffi from 'koffi'

// POSIX_FADV_DONTNEED, the same on every Linux architecture but s390.
const dontNeed = process.arch === 's390x' ? 6 : 4

type Fadvise = (...args: [fd: number, offset: number, length: number, advice: number]) => number

// The process's own symbols: right with glibc and musl alike.
const fadvise = koffi.load(null).func('int posix_fadvise(int, int64_t, int64_t, int)') as Fadvise

/** Drops the clean cached pages of the first `length` bytes (0: of all), so that the next read asks the server. Gives 0 or an errno. */
export function dropCachedPages(fd: number, length: number): number {
  return fadvise(fd, 0, length, dontNeed)
}
