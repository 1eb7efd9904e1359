/**
 * What this process remembers of each path: a cache that proposes and never decides. All of it can be lost at any moment.
 */

import type { Aged } from '../core/settle.ts'
import { unseen } from '../core/settle.ts'
import type { FileStat } from '../ports/files.ts'

export interface Entry {
  path: string
  family: string
  stat: FileStat | null
  /** Monotonic ms since when the stat has been the same. */
  unchangedSinceMs: number
  /** Monotonic ms of the last look, and of the last change seen. */
  lookedMs: number
  changedMs: number
  aged: Aged
  /** The source this path was last found to be, with its content id. */
  source: string | null
  c0: string
  /** Shorter than the source's head, and equal so far, since when (monotonic ms). */
  behindSinceMs: number | null
  /** When the known source was first found not to fit any more. */
  turningSinceMs: number | null
  /** Since when only an earlier witness of its source fits. */
  weakSinceMs: number | null
  /** Since when the file has not held what was published of its source up to an offset, though the archive says that it is that source. */
  doubt: { sinceMs: number; published: number } | null
  /** The first look at what would become a new source. */
  believing: { beginning: Buffer; atMs: number } | null
  /** Where reading stopped at a NUL, since when, and how long the file was then. */
  hole: { at: number; sinceMs: number; size: number } | null
  /** NULs in what identifies the file, since when. */
  blurredSinceMs: number | null
  /** The last window held no whole record: read a larger one. */
  wide: boolean
  /** Largest size seen while it was this source. */
  seen: number
  /** Nothing is left to do until the stat changes or `revisitMs` (monotonic) comes. */
  quiet: boolean
  revisitMs: number
  /** A signal said that the file is at least this long; kept until `untilMs`. */
  expected: { size: number; untilMs: number } | null
  /** How many full passes in a row did not list it. */
  missed: number
  /** How far the source is archived and published, as last seen from here. */
  archived: number
  published: number
  state: 'growing' | 'behind' | 'rotated' | 'final' | 'truncated'
}

export interface Entries {
  get(path: string): Entry | undefined
  /** The entry, made if there is none. */
  at(path: string): Entry
  delete(path: string): void
  all(): IterableIterator<Entry>
  readonly size: number
  /** Binds a path to a source (null: to none). */
  bind(entry: Entry, source: string | null, c0: string): void
  /** Paths last found to be this source. */
  holders(source: string): string[]
  /** Known paths of a family. */
  members(family: string): string[]
}

/** `left` is told of a source that a path turns away from, though more of it was seen than is archived. */
export function openEntries(
  familyOf: (path: string) => string,
  left: (source: string, seen: { path: string; seen: number }) => void = () => undefined,
): Entries {
  const byPath = new Map<string, Entry>()
  const bySource = new Map<string, Set<string>>()
  const byFamily = new Map<string, Set<string>>()

  const unbind = (entry: Entry): void => {
    if (entry.source !== null) remove(bySource, entry.source, entry.path)
  }

  return {
    get: (path) => byPath.get(path),
    at(path) {
      const known = byPath.get(path)
      if (known) return known
      const entry = newEntry(path, familyOf(path))
      byPath.set(path, entry)
      add(byFamily, entry.family, path)
      return entry
    },
    delete(path) {
      const entry = byPath.get(path)
      if (!entry) return
      unbind(entry)
      remove(byFamily, entry.family, path)
      byPath.delete(path)
    },
    all: () => byPath.values(),
    get size() {
      return byPath.size
    },
    bind(entry, source, c0) {
      if (entry.source !== source) {
        if (entry.source !== null && entry.seen > entry.archived) left(entry.source, entry)
        unbind(entry)
        entry.seen = 0
        entry.hole = null
        entry.doubt = null
        if (source !== null) add(bySource, source, entry.path)
      }
      entry.source = source
      entry.c0 = c0
    },
    holders: (source) => [...(bySource.get(source) ?? [])],
    members: (family) => [...(byFamily.get(family) ?? [])],
  }
}

function newEntry(path: string, family: string): Entry {
  return {
    path,
    family,
    stat: null,
    unchangedSinceMs: 0,
    lookedMs: 0,
    changedMs: 0,
    aged: unseen,
    source: null,
    c0: '',
    behindSinceMs: null,
    turningSinceMs: null,
    weakSinceMs: null,
    doubt: null,
    believing: null,
    hole: null,
    blurredSinceMs: null,
    wide: false,
    seen: 0,
    quiet: false,
    revisitMs: Number.POSITIVE_INFINITY,
    expected: null,
    missed: 0,
    archived: 0,
    published: 0,
    state: 'growing',
  }
}

export function isSameStat(a: FileStat | null, b: FileStat | null): boolean {
  return (
    a !== null &&
    b !== null &&
    (a.storedSize ?? a.size) === (b.storedSize ?? b.size) &&
    a.mtimeNs === b.mtimeNs &&
    a.ino === b.ino
  )
}

function add(map: Map<string, Set<string>>, key: string, path: string): void {
  const set = map.get(key)
  if (set) set.add(path)
  else map.set(key, new Set([path]))
}

function remove(map: Map<string, Set<string>>, key: string, path: string): void {
  const set = map.get(key)
  set?.delete(path)
  if (set?.size === 0) map.delete(key)
}
