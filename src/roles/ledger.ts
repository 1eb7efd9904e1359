/**
 * What the archive holds of one root: the segments of each source, read through a cache of headers.
 *
 * Objects under `evidence/` never change, so a header once read is true for ever; only "which is the last one" can be stale. A stale head
 * costs a 412, never a wrong commit: the key of the next segment holds the head's end, and its create is exclusive. Unless what follows a
 * stale head has expired: then the key is free again. So a head is built on only while the store has named it lately (`isCurrent`), and
 * only what was stored long ago expires (expire.ts).
 *
 * A source whose segments have all expired has the head that its boundary tells, and its id stays taken.
 */

import { unfinishedKey } from '../core/anomaly.ts'
import { LruMap } from '../core/lru.ts'
import type { Prefix, Witness } from '../core/identity.ts'
import { sourceId } from '../core/identity.ts'
import type { Clock } from '../ports/clock.ts'
import type { Listed, Store } from '../ports/store.ts'
import { boundaryOf, openBoundaries } from './boundaries.ts'
import type { Piece } from './ledger-read.ts'
import { beginningOf, firstBytes, read } from './ledger-read.ts'
import type { Known, Mark } from './ledger-segments.ts'
import { headerOf, lastSegment, learn, segmentsFrom } from './ledger-segments.ts'
import { earlierWitnesses, prefixOf, revisionsOf } from './ledger-witness.ts'

export type { Mark } from './ledger-segments.ts'
export { candidateOf, headerAt, listAll, markOf } from './ledger-segments.ts'

/** Of files that are left alone no more is needed than an entry holds (entries.ts). */
const headsMax = 20_000
const headersMax = 2000

export interface Ledger {
  /**
   * The last segment of every source `<c0>-n`, in order of n; none is missing between. The store is listed for those that are not
   * known here, one at a time: in a directory, listing `<c0>-` would read the names of all sources.
   */
  candidates(c0: string, sizeHint: number): Promise<Mark[]>
  /** The last segment as far as known here; null: none known. */
  known(source: string): Mark | null
  /** The last segment, from the store. */
  last(source: string, sizeHint?: number): Promise<Mark | null>
  /** Whether nothing was archived beyond this head, as far as the store said within the time that a head is trusted. */
  isCurrent(head: Mark): Promise<boolean>
  /** Learns of a segment that was created or met. */
  learn(mark: Mark): void
  forget(c0: string): void
  /** All segments with `start` ≥ from that are there, in order. */
  segmentsFrom(source: string, from: number): Promise<Listed[]>
  /** Of a segment, there or expired; of a boundary's key, the last segment that it holds. */
  header(key: string, storedAtMs: number): Promise<Mark>
  /** Witnesses of earlier segments and of revisions, longest first. */
  earlierWitnesses(source: string): Promise<Witness[]>
  /** What a file of `size` bytes, shorter than the head, must hold to be a prefix. */
  prefix(source: string, size: number): Promise<Prefix>
  /** The archived bytes of [start, end), piece by piece (at most 1 MiB each), with the segment that each came from. Throws `expired`. */
  read(source: string, range: { start: number; end: number }): AsyncGenerator<Piece>
  /** The first bytes of a source, at most so many, as its first segment or its boundary holds them; empty where it has neither. */
  beginning(source: string, bytesMax: number): Promise<Buffer>
  /** The bytes [0, end), end ≤ 4096, some of which may have expired. Throws `expired` where that is under way, `store-damaged`. */
  firstBytes(source: string, end: number): Promise<Buffer>
  /** Revisions of a source by the segment's start. */
  revisions(source: string): Promise<{ key: string; start: number; n: number }[]>
  /** Whether the source was found to have ended inside of a record there. */
  endsUnfinished(source: string, end: number): Promise<boolean>
  /** Up to where a source has expired; 0: nothing of it has. */
  expiredTo(source: string): Promise<number>
}

/** For how long a head is built on after the store has named it. What was stored within four times as long does not expire. */
export const headTrustedMs = 30 * 60_000

/** Without a clock no head is trusted: each that is built on is asked for. */
export function openLedger(store: Store, root: string, trust?: { clock: Clock; headTrustedMs: number }): Ledger {
  const known: Known = {
    store,
    root,
    heads: new LruMap(headsMax),
    headers: new LruMap(headersMax),
    whole: null,
    nowMs: () => trust?.clock.monotonicMs() ?? 0,
    boundaryAfter: openBoundaries(store, root),
  }
  return {
    async candidates(c0, sizeHint) {
      const marks = knownCandidates(known, c0)
      for (let n = marks.length; ; n++) {
        const mark = await lastSegment(known, sourceId(c0, n), sizeHint)
        if (!mark) return marks
        marks.push(mark)
      }
    },
    known: (source) => known.heads.get(source)?.mark ?? null,
    last: (source, sizeHint = 0) => lastSegment(known, source, sizeHint),
    async isCurrent(head) {
      const now = known.heads.get(head.source)
      if (now && now.mark.end > head.end) return false
      if (now && trust && known.nowMs() - now.atMs <= trust.headTrustedMs) return true
      return ((await lastSegment(known, head.source, head.end))?.end ?? 0) <= head.end
    },
    learn: (mark) => learn(known, mark),
    forget(c0) {
      for (const mark of knownCandidates(known, c0)) known.heads.delete(mark.source)
    },
    segmentsFrom: (source, from) => segmentsFrom(known, source, from),
    header: (key, storedAtMs) => headerOf(known, key, storedAtMs),
    earlierWitnesses: (source) => earlierWitnesses(known, source),
    prefix: (source, size) => prefixOf(known, source, size),
    read: (source, range) => read(known, source, range),
    beginning: (source, bytesMax) => beginningOf(known, source, bytesMax),
    firstBytes: (source, end) => firstBytes(known, source, end),
    revisions: (source) => revisionsOf(known, source),
    endsUnfinished: async (source, end) => (await store.get(unfinishedKey(root, source, end))) !== null,
    expiredTo: async (source) => (await boundaryOf(store, root, source))?.end ?? 0,
  }
}

function knownCandidates({ heads }: Known, c0: string): Mark[] {
  const marks: Mark[] = []
  for (let n = 0; ; n++) {
    const mark = heads.get(sourceId(c0, n))?.mark
    if (!mark) return marks
    marks.push(mark)
  }
}
