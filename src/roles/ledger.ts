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
/** Of files that are left alone no more is needed than an entry holds (entries.ts). */
const headsMax = 20_000
const headersMax = 2000
const wholeBytesMax = 24 * 1024 * 1024

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
  /** The first bytes of a source, at most so many, as its first segment holds them; empty where it has none. */
  beginning(source: string, bytesMax: number): Promise<Buffer>
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

/** What the ledger remembers of the store. */
interface Known {
  store: Store
  root: string
  /** The last segment of each source. */
  heads: LruMap<string, Mark>
  headers: LruMap<string, Mark>
  /** The last object that was read whole, if it was not too large: records are published from it batch by batch. */
  whole: { key: string; object: StoredObject } | null
}

export function openLedger(store: Store, root: string): Ledger {
  const known: Known = { store, root, heads: new LruMap(headsMax), headers: new LruMap(headersMax), whole: null }
  return {
    async candidates(c0, sizeHint) {
      const marks = knownCandidates(known, c0)
      for (let n = marks.length; ; n++) {
        const mark = await lastSegment(known, sourceId(c0, n), sizeHint)
        if (!mark) return marks
        marks.push(mark)
      }
    },
    known: (source) => known.heads.get(source) ?? null,
    last: (source, sizeHint = 0) => lastSegment(known, source, sizeHint),
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
    revisions: (source) => revisionsOf(known, source),
  }
}

function learn({ heads }: Known, mark: Mark): void {
  const before = heads.get(mark.source)
  if (!before || before.end <= mark.end) heads.set(mark.source, mark)
}

async function headerOf({ store, headers }: Known, key: string, storedAtMs: number): Promise<Mark> {
  const cached = headers.get(key)
  if (cached) return cached
  const mark = markOf(await fetchHeader(store, key), key, storedAtMs)
  headers.set(key, mark)
  return mark
}

function segmentsFrom({ store, root }: Known, source: string, from: number): Promise<Listed[]> {
  return listAll(store, `${segmentPrefix(root)}${source}/`, from > 0 ? segmentKey(root, source, from - 1) : undefined)
}

/** List from size − 64 MiB, then gallop backwards: a source's last segment starts within 64 MiB of its end. */
async function lastSegment(known: Known, source: string, sizeHint: number): Promise<Mark | null> {
  const near = Math.max(sizeHint, known.heads.get(source)?.end ?? 0)
  for (let back = segmentBytesMax; ; back *= 8) {
    const from = Math.max(0, near - back)
    const object = (await segmentsFrom(known, source, from)).at(-1)
    if (object) {
      const mark = await headerOf(known, object.key, object.storedAtMs)
      learn(known, mark)
      return mark
    }
    if (from === 0) return null
  }
}

async function revisionsOf(
  { store, root }: Known,
  source: string,
): Promise<{ key: string; start: number; n: number }[]> {
  const listed = await listAll(store, revisionPrefix(root, source))
  return listed.flatMap(({ key }) => {
    const match = /\/(\d{16})-(\d+)\.zst$/.exec(key)
    return match ? [{ key, start: Number(match[1]), n: Number(match[2]) }] : []
  })
}

async function earlierWitnesses(known: Known, source: string): Promise<Witness[]> {
  const head = known.heads.get(source) ?? (await lastSegment(known, source, 0))
  if (!head) return []
  const recent = await segmentsFrom(known, source, Math.max(0, head.start - 4 * segmentBytesMax))
  const revisions = (await revisionsOf(known, source)).map(({ key }) => ({ key, storedAtMs: 0 }))
  const objects = [...recent.slice(-earlierMax), ...revisions.slice(-earlierMax)]
  const marks = await Promise.all(objects.map(({ key, storedAtMs }) => headerOf(known, key, storedAtMs)))
  return marks.map((mark) => mark.witness).sort((a, b) => b.end - a.end)
}

async function* read(known: Known, source: string, range: { start: number; end: number }): AsyncGenerator<Piece> {
  if (range.end <= range.start) return
  let at = range.start
  for (const listed of await segmentsFrom(known, source, Math.max(0, range.start - segmentBytesMax))) {
    const start = parseSegmentKey(listed.key)?.start ?? 0
    if (start >= range.end) break
    const mark = await headerOf(known, listed.key, listed.storedAtMs)
    if (mark.end <= at) continue
    if (start > at) throw missing(known.root, source, at)
    const object = await fetchWhole(known, listed.key)
    for (const piece of framesOf(object.body, listed.key, { start: at, end: range.end })) {
      const from = Math.max(at, piece.offset)
      const to = Math.min(range.end, piece.offset + piece.bytes.length)
      yield {
        offset: from,
        bytes: piece.bytes.subarray(from - piece.offset, to - piece.offset),
        mark,
        last: to === mark.end,
      }
      at = to
    }
  }
  if (at < range.end) throw missing(known.root, source, at)
}

async function beginningOf({ store, root }: Known, source: string, bytesMax: number): Promise<Buffer> {
  const key = segmentKey(root, source, 0)
  const object = await store.get(key)
  if (!object) return Buffer.alloc(0)
  for (const { bytes } of framesOf(object.body, key, { start: 0, end: bytesMax })) return bytes.subarray(0, bytesMax)
  return Buffer.alloc(0)
}

async function prefixOf(known: Known, source: string, size: number): Promise<Prefix> {
  const listed = await segmentsFrom(known, source, Math.max(0, size - segmentBytesMax))
  const marks: Mark[] = []
  for (const { key, storedAtMs } of listed.filter((one) => (parseSegmentKey(one.key)?.start ?? 0) <= size)) {
    marks.push(await headerOf(known, key, storedAtMs))
  }
  const fits = marks.filter((mark) => mark.end <= size).at(-1)
  const start = fits?.end ?? 0
  const hash = createHash('sha256')
  for await (const piece of read(known, source, { start, end: size })) hash.update(piece.bytes)
  const beginning: Buffer[] = []
  for await (const piece of read(known, source, { start: 0, end: Math.min(beginningBytes, size) }))
    beginning.push(piece.bytes)
  return {
    size,
    start,
    sha256: hash.digest('hex'),
    witness: fits?.witness ?? null,
    beginning: sha256(Buffer.concat(beginning)),
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
  return {
    key,
    source,
    start,
    end,
    lines,
    sha256: hash,
    chain,
    witness,
    beginning,
    tail,
    path,
    family,
    writeId,
    storedAtMs,
  }
}

function knownCandidates({ heads }: Known, c0: string): Mark[] {
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

async function fetchWhole(known: Known, key: string): Promise<StoredObject> {
  if (known.whole?.key === key) return known.whole.object
  const object = await known.store.get(key)
  if (!object)
    throw new GleanerError('store-damaged', {
      operation: 'read',
      subject: key,
      message: 'it was listed and is missing',
    })
  known.whole = object.size <= wholeBytesMax ? { key, object } : null
  return object
}

function missing(root: string, source: string, at: number): GleanerError {
  const facts = { operation: 'read', subject: `${root}/${source}`, message: `the archive has a gap at offset ${at}` }
  return new GleanerError('store-damaged', facts)
}
