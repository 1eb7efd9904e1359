import { zstdCompressSync } from 'node:zlib'
import type { Boundary } from '../../src/core/boundary.ts'
import { chainOf } from '../../src/core/chain.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { SegmentHeader } from '../../src/core/segment.ts'
import { buildSegment, framesOf, readHeader, segmentKey } from '../../src/core/segment.ts'
import type { Store } from '../../src/ports/store.ts'

/** Segments made by hand, without the collector, so that a reader can be tested against the format alone. */
export interface SegmentFacts {
  root?: string
  source?: string
  start?: number
  /** The source's bytes before this segment. */
  before?: Buffer
  previousChain?: string
  path?: string
  family?: string
  /** The last record's time of each segment. */
  times?: string[]
}

/** The header of a segment that holds `raw`. */
export function headerFor(raw: Buffer, facts: SegmentFacts = {}): SegmentHeader {
  const {
    root = 'r',
    source = 's-0',
    start = facts.before?.length ?? 0,
    before = Buffer.alloc(start),
    path = 'acct',
  } = facts
  const whole = Buffer.concat([before, raw])
  const end = start + raw.length
  const link = { start, end, sha256: sha256(raw) }
  const previousChain = facts.previousChain ?? source
  const last = raw.at(-1)
  const newlines = raw.filter((byte) => byte === 10).length
  const isComplete = last === 10 || last === undefined
  return {
    v: 1,
    root,
    source,
    family: facts.family ?? path,
    path,
    start,
    end,
    lines: newlines + (isComplete ? 0 : 1),
    sha256: link.sha256,
    chain: chainOf(previousChain, link),
    previousChain,
    witness: { length: Math.min(4096, end), sha256: sha256(whole.subarray(Math.max(0, end - 4096))) },
    beginning: { length: Math.min(4096, end), sha256: sha256(whole.subarray(0, 4096)) },
    firstTime: null,
    lastTime: null,
    format: 'lines',
    tail: isComplete ? 'complete' : 'incomplete',
    node: 'test',
    writeId: '00',
    writtenAt: '2026-03-01T00:00:00Z',
  }
}

/** The object: each piece is a frame. */
export function segmentObject(
  pieces: Buffer[],
  facts: SegmentFacts & { header?: Partial<SegmentHeader> } = {},
): { object: Buffer; header: SegmentHeader } {
  const raw = Buffer.concat(pieces)
  const header = { ...headerFor(raw, facts), ...facts.header }
  const frames = pieces.map((piece) => ({ bytes: zstdCompressSync(piece), raw: piece.length }))
  return { object: Buffer.concat(buildSegment(header, frames)), header }
}

/** Archives a source as these segments; gives their keys. */
export async function archiveSource(store: Store, segments: string[], facts: SegmentFacts = {}): Promise<string[]> {
  const keys: string[] = []
  let before = Buffer.alloc(0)
  let previousChain = facts.source ?? 's-0'
  for (const text of segments) {
    const raw = Buffer.from(text, 'latin1')
    const lastTime = facts.times?.[keys.length] ?? null
    const { object, header } = segmentObject([raw], { ...facts, before, previousChain, header: { lastTime } })
    const key = segmentKey(header.root, header.source, header.start)
    await store.create(key, object)
    keys.push(key)
    before = Buffer.concat([before, raw])
    previousChain = header.chain
  }
  return keys
}

/** What an expiry of these segments, the first ones of a source, leaves. */
export async function boundaryFor(store: Store, keys: string[]): Promise<Boundary> {
  const headers: SegmentHeader[] = []
  let beginning = Buffer.alloc(0)
  for (const key of keys) {
    const body = (await store.get(key))?.body as Buffer
    headers.push(readHeader(body, key) as SegmentHeader)
    for (const { bytes } of framesOf(body, key)) beginning = Buffer.concat([beginning, bytes]).subarray(0, 4096)
  }
  const { root, source, family, path, format, end, chain } = headers.at(-1) as SegmentHeader
  const first = { length: beginning.length, sha256: sha256(beginning), bytes: beginning.toString('base64') }
  const segments = headers.map(({ start, end, sha256, witness }) => ({ start, end, sha256, witness }))
  return { v: 1, root, source, family, path, format, end, lines: 0, chain, beginning: first, segments }
}
