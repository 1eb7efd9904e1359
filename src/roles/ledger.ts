/**
 * What the archive holds of one root: the segments of each source, read through a cache of headers.
 *
 * Objects under `evidence/` never change, so a header once read is true for ever; only "which is the last one" can be stale. A stale
 * head costs a 412, never a wrong commit: the key of the next segment holds the head's end, and its create is exclusive.
 */

import { LruMap } from '../core/lru.ts'
import type { Candidate, Prefix, Witness } from '../core/identity.ts'
import { beginningBytes, sourceId } from '../core/identity.ts'
import { sha256 } from '../core/hash.ts'
import type { SegmentHeader } from '../core/segment.ts'
import {
  framesOf,
  headerBytesNeeded,
  parseSegmentKey,
  readHeader,
  revisionPrefix,
  segmentBytesMax,
  segmentKey,
  segmentPrefix,
} from '../core/segment.ts'
import { createHash } from 'node:crypto'
import { GleanerError } from '../errors.ts'
import type { Listed, Store, StoredObject } from '../ports/store.ts'

/** A segment, as its header and the store tell it. */
export interface Mark {
  key: string
  source: string
  start: number
  end: number
  lines: number
  sha256: string
  chain: string
  witness: Witness
  beginning: { length: number; sha256: string }
  tail: 'complete' | 'incomplete' | 'cut'
  path: string
  family: string
  writeId: string
  storedAtMs: number
}

const headerGuessBytes = 4096
/** How many earlier segments are asked for their witness when the last one's does not fit. */
const earlierMax = 64

export interface Ledger {
  /**
   * The last segment of every source `<c0>-n`, in order of n; none is missing between. `fresh` lists the store, one candidate at a
   * time: in a directory, listing `<c0>-` would read the names of all sources.
   */
  candidates(c0: string, options: { fresh: boolean; sizeHint: number }): Promise<Mark[]>
  /** The last segment as far as known here; null: none known. */
  known(source: string): Mark | null
  /** The last segment, from the store. */
  last(source: string, sizeHint?: number): Promise<Mark | null>
  /** Learns of a segment that was created or met. */
  learn(mark: Mark): void
  forget(c0: string): void
  /** All segments with `start` ≥ from, in order. */
  segmentsFrom(source: string, from: number): Promise<Listed[]>
  header(key: string, storedAtMs: number): Promise<Mark>
  /** Witnesses of earlier segments and of revisions, longest first. */
  earlierWitnesses(source: string): Promise<Witness[]>
  /** What a file of `size` bytes, shorter than the head, must hold to be a prefix. */
  prefix(source: string, size: number): Promise<Prefix>
  /** The archived bytes of [start, end), piece by piece (at most 1 MiB each), with the segment that each came from. */
  read(source: string, range: { start: number; end: number }): AsyncGenerator<Piece>
  /** Revisions of a source by the segment's start. */
  revisions(source: string): Promise<{ key: string; start: number; n: number }[]>
}

export interface Piece {
  offset: number
  bytes: Buffer
  mark: Mark
  /** Whether these are the segment's last bytes. */
  last: boolean
}

export function openLedger(store: Store, root: string): Ledger {
  const heads = new LruMap<string, Mark>(200_000)
  const headers = new LruMap<string, Mark>(20_000)
  const prefix = segmentPrefix(root)

  const learn = (mark: Mark): void => {
    const before = heads.get(mark.source)
    if (!before || before.end <= mark.end) heads.set(mark.source, mark)
  }

  const header = async (key: string, storedAtMs: number): Promise<Mark> => {
    const cached = headers.get(key)
    if (cached) return cached
    const mark = markOf(await fetchHeader(store, key), key, storedAtMs)
    headers.set(key, mark)
    return mark
  }

  const lastOf = async (listed: Listed[]): Promise<Mark | null> => {
    const object = listed.at(-1)
    if (!object) return null
    const mark = await header(object.key, object.storedAtMs)
    learn(mark)
    return mark
  }

  const segmentsFrom = (source: string, from: number): Promise<Listed[]> =>
    listAll(store, `${prefix}${source}/`, from > 0 ? segmentKey(root, source, from - 1) : undefined)

  /** List from size − 64 MiB, then gallop backwards: a source's last segment starts within 64 MiB of its end. */
  const last = async (source: string, sizeHint = 0): Promise<Mark | null> => {
    for (let back = segmentBytesMax; ; back *= 8) {
      const from = Math.max(0, Math.max(sizeHint, heads.get(source)?.end ?? 0) - back)
      const mark = await lastOf(await segmentsFrom(source, from))
      if (mark || from === 0) return mark
    }
  }

  const candidates: Ledger['candidates'] = async (c0, { fresh, sizeHint }) => {
    if (!fresh) return knownCandidates(heads, c0)
    const marks: Mark[] = []
    for (let n = 0; ; n++) {
      const mark = await last(sourceId(c0, n), sizeHint)
      if (!mark) return marks
      marks.push(mark)
    }
  }

  const revisions: Ledger['revisions'] = async (source) => {
    const listed = await listAll(store, revisionPrefix(root, source))
    return listed.flatMap(({ key }) => {
      const match = /\/(\d{16})-(\d+)\.zst$/.exec(key)
      return match ? [{ key, start: Number(match[1]), n: Number(match[2]) }] : []
    })
  }

  const earlierWitnesses = async (source: string): Promise<Witness[]> => {
    const head = heads.get(source) ?? (await last(source))
    if (!head) return []
    const recent = await segmentsFrom(source, Math.max(0, head.start - 4 * segmentBytesMax))
    const keys = [...recent.slice(-earlierMax), ...(await revisions(source)).slice(-earlierMax).map(({ key }) => ({ key, storedAtMs: 0 }))]
    const marks = await Promise.all(keys.map(({ key, storedAtMs }) => header(key, storedAtMs)))
    return marks.map((mark) => mark.witness).sort((a, b) => b.end - a.end)
  }

  async function* read(source: string, range: { start: number; end: number }): AsyncGenerator<Piece> {
    if (range.end <= range.start) return
    let at = range.start
    for (const listed of await segmentsFrom(source, Math.max(0, range.start - segmentBytesMax))) {
      const start = parseSegmentKey(listed.key)?.start ?? 0
      if (start >= range.end) break
      const mark = await header(listed.key, listed.storedAtMs)
      if (mark.end <= at) continue
      if (start > at) throw missing(root, source, at)
      const object = await fetchWhole(store, listed.key)
      for (const piece of framesOf(object.body, listed.key, { start: at, end: range.end })) {
        const from = Math.max(at, piece.offset)
        const to = Math.min(range.end, piece.offset + piece.bytes.length)
        yield { offset: from, bytes: piece.bytes.subarray(from - piece.offset, to - piece.offset), mark, last: to === mark.end }
        at = to
      }
    }
    if (at < range.end) throw missing(root, source, at)
  }

  const prefixOf = async (source: string, size: number): Promise<Prefix> => {
    const listed = await segmentsFrom(source, Math.max(0, size - segmentBytesMax))
    const marks: Mark[] = []
    for (const { key, storedAtMs } of listed.filter((one) => (parseSegmentKey(one.key)?.start ?? 0) <= size)) {
      marks.push(await header(key, storedAtMs))
    }
    const fits = marks.filter((mark) => mark.end <= size).at(-1)
    const start = fits?.end ?? 0
    const hash = createHash('sha256')
    for await (const piece of read(source, { start, end: size })) hash.update(piece.bytes)
    const beginning: Buffer[] = []
    for await (const piece of read(source, { start: 0, end: Math.min(beginningBytes, size) })) beginning.push(piece.bytes)
    return {
      size,
      start,
      sha256: hash.digest('hex'),
      witness: fits?.witness ?? null,
      beginning: sha256(Buffer.concat(beginning)),
    }
  }

  return {
    candidates,
    known: (source) => heads.get(source) ?? null,
    last,
    learn,
    forget(c0) {
      for (const mark of knownCandidates(heads, c0)) heads.delete(mark.source)
    },
    segmentsFrom,
    header,
    earlierWitnesses,
    prefix: prefixOf,
    read,
    revisions,
  }
}

/** A candidate's evidence as far as its last segment gives it. */
export function candidateOf(mark: Mark): Candidate {
  return {
    id: mark.source,
    head: mark.end,
    beginning: mark.beginning,
    witness: mark.witness,
    earlier: null,
    heldElsewhere: null,
    prefix: null,
  }
}

export function markOf(header: SegmentHeader, key: string, storedAtMs: number): Mark {
  const { source, start, end, lines, sha256: hash, chain, beginning, tail, path, family, writeId } = header
  const witness = { ...header.witness, end }
  return { key, source, start, end, lines, sha256: hash, chain, witness, beginning, tail, path, family, writeId, storedAtMs }
}

function knownCandidates(heads: LruMap<string, Mark>, c0: string): Mark[] {
  const marks: Mark[] = []
  for (let n = 0; ; n++) {
    const mark = heads.get(sourceId(c0, n))
    if (!mark) return marks
    marks.push(mark)
  }
}

/** All objects below a prefix, page by page. */
export async function listAll(store: Store, prefix: string, after?: string): Promise<Listed[]> {
  const all: Listed[] = []
  for (;;) {
    const page = await store.list(prefix, after === undefined ? {} : { after })
    all.push(...page.objects)
    after = page.objects.at(-1)?.key
    if (!page.more || after === undefined) return all
  }
}

/** One range read for a header of usual length, a second for a long one. */
async function fetchHeader(store: Store, key: string): Promise<SegmentHeader> {
  let bytes = headerGuessBytes
  for (let attempt = 0; attempt < 2; attempt++) {
    const object = await store.get(key, { start: 0, end: bytes })
    if (!object) break
    const header = readHeader(object.body, key)
    if (header) return header
    bytes = headerBytesNeeded(object.body, key) ?? bytes
  }
  throw new GleanerError('store-damaged', { operation: 'read', subject: key, message: 'it is missing or cut short' })
}

async function fetchWhole(store: Store, key: string): Promise<StoredObject> {
  const object = await store.get(key)
  if (object) return object
  throw new GleanerError('store-damaged', { operation: 'read', subject: key, message: 'it was listed and is missing' })
}

function missing(root: string, source: string, at: number): GleanerError {
  const facts = { operation: 'read', subject: `${root}/${source}`, message: `the archive has a gap at offset ${at}` }
  return new GleanerError('store-damaged', facts)
}
