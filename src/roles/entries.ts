/**
 * What this process remembers of each path: a cache that proposes and never decides. All of it can be lost at any moment.
 */

import { MultiMap } from '../core/multi-map.ts'
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
  lastLookedMs: number
  lastChangedMs: number
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
  /** The last pass that listed it, and how many in a row have not. */
  listedIn: number
  missed: number
  /** No longer among the entries: what the path is next has another. */
  forgotten: boolean
  /** How far the source is archived and published, as last seen from here; and its last segment. */
  archived: number
  published: number
  head: Head | null
  /** Its last record may not have ended at the head, though a newline stands there. */
  open: boolean
  /** The head at which it was found that no record goes on, where no position tells it. */
  closedAt: number | null
  state: 'growing' | 'behind' | 'rotated' | 'final' | 'truncated'
}

/** What is kept of a source's last segment for long; the rest is asked of the archive again. */
export interface Head {
  start: number
  end: number
  storedAtMs: number
}

export interface Entries {
  get(path: string): Entry | undefined
  /** The entry, made if there is none. */
  at(path: string): Entry
  delete(path: string): void
  all(): IterableIterator<Entry>
  readonly size: number
  /** Goes up with whatever changes what is remembered for long: files, their stats and sources, how far they are archived. */
  readonly changes: number
  /** Counts such a change that was made to an entry directly. */
  changed(): void
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
  left: (source: string, seen: Pick<Entry, 'path' | 'seen' | 'lastLookedMs'>) => void = () => undefined,
): Entries {
  const byPath = new Map<string, Entry>()
  const bySource = new MultiMap<string, string>()
  const byFamily = new MultiMap<string, string>()
  let changes = 0

  const unbind = (entry: Entry): void => {
    if (entry.source !== null) bySource.delete(entry.source, entry.path)
  }

  return {
    get: (path) => byPath.get(path),
    at(path) {
      const known = byPath.get(path)
      if (known) return known
      const entry = newEntry(path, familyOf(path))
      byPath.set(path, entry)
      byFamily.add(entry.family, path)
      return entry
    },
    delete(path) {
      const entry = byPath.get(path)
      if (!entry) return
      unbind(entry)
      byFamily.delete(entry.family, path)
      byPath.delete(path)
      entry.forgotten = true
      changes++
    },
    all: () => byPath.values(),
    get size() {
      return byPath.size
    },
    get changes() {
      return changes
    },
    changed: () => void changes++,
    bind(entry, source, c0) {
      if (entry.source !== source) {
        changes++
        if (entry.source !== null && entry.seen > entry.archived) left(entry.source, entry)
        unbind(entry)
        entry.seen = 0
        entry.hole = null
        entry.doubt = null
        entry.archived = 0
        entry.head = null
        entry.open = false
        entry.closedAt = null
        if (source !== null) bySource.add(source, entry.path)
      }
      entry.source = source
      entry.c0 = c0
    },
    holders: (source) => bySource.get(source),
    members: (family) => byFamily.get(family),
  }
}

function newEntry(path: string, family: string): Entry {
  return {
    path,
    family,
    stat: null,
    unchangedSinceMs: 0,
    lastLookedMs: 0,
    lastChangedMs: 0,
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
    listedIn: 0,
    missed: 0,
    forgotten: false,
    archived: 0,
    published: 0,
    head: null,
    open: false,
    closedAt: null,
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
