/**
 * Gives back to the system what a process has taken and needs no more:
 *
 *   the heap      what the start, or a pass, left behind in it, by one collection; not of a large heap, since that would be a pause to notice
 *   malloc        what was freed, and kept for the next who asks (glibc alone can be asked for it)
 *   the program   pages of its file that only the start has used: some 40 MB that are mapped and not looked at again
 *
 * The last takes nothing away: the pages stay in the page cache, and one that is used again is mapped again at once. Only what was never
 * written is let go, which is seen from the kernel's own account of each mapping.
 */

import { readFileSync, readlinkSync } from 'node:fs'
import koffi from 'koffi'

// MADV_DONTNEED, the same on every Linux architecture but alpha.
const dontNeed = 4
const heapBytesMax = 128 * 1024 ** 2

const libc = koffi.load(null)
const madvise = libc.func('int madvise(uintptr_t, size_t, int)') as (...args: [bigint, bigint, number]) => number
const trim = mallocTrim()

/** `collect` is V8's own, where the process was started with `--expose-gc`. */
export function giveBackMemory(collect: (() => unknown) | undefined = globalThis.gc): void {
  if (process.memoryUsage().heapUsed <= heapBytesMax) void collect?.()
  trim?.(0)
  for (const { start, end } of cleanProgram(readFileSync('/proc/self/smaps', 'latin1'), readlinkSync('/proc/self/exe')))
    madvise(start, end - start, dontNeed)
}

/** Null where the C library has none: musl. */
function mallocTrim(): ((keep: number) => number) | null {
  try {
    return libc.func('int malloc_trim(size_t)') as (keep: number) => number
  } catch {
    return null
  }
}

interface Mapping {
  start: bigint
  end: bigint
}

const mappingLine = /^([0-9a-f]+)-([0-9a-f]+) (r-[x-]p) ([0-9a-f]+) \S+ \S+ +(.*)$/

/**
 * Mappings of the program itself, as it was loaded, that cannot be written and in which nothing has been: from /proc/self/smaps. V8 maps some of the
 * program a second time, amid memory of its own that may be another's by the time this is used: so what counts is the first run of neighbours
 * whose offsets in the file go up.
 */
export function cleanProgram(smaps: string, program: string): Mapping[] {
  const found: Mapping[] = []
  let offset = -1n
  for (const part of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const [line = ''] = part.split('\n', 1)
    if (!line.endsWith(` ${program}`)) {
      if (offset >= 0n) break
      continue
    }
    const at = BigInt(`0x${line.split(' ')[2] ?? '0'}`)
    if (at <= offset) break
    offset = at
    const [, start, end] = mappingLine.exec(line) ?? []
    if (start === undefined || end === undefined || !/^Anonymous: +0 kB$/m.test(part)) continue
    found.push({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) })
  }
  return found
}
