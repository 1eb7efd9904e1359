/**
 * What must hold when all is quiet:
 *
 *  - chains are whole, objects hold what their headers say
 *  - each source's archive is what was written to one file, with a revision wherever a lie was archived
 *  - everything that was written is archived; without lasting lies, once
 *  - nothing is published twice in one Redis history, nor what its floor counts as published; `seq` has no gap
 *  - everything archived is published, as it was written, or a revision entry says what stands
 *  - without lasting lies there is nothing to revise
 *  - all of this counts what has expired; of that, each source's boundary says what there was, and the store holds nothing of it any more
 */

import type { MemoryFeed } from '../../src/adapters/memory-feed.ts'
import type { Boundary } from '../../src/core/boundary.ts'
import { boundaryPrefix, readBoundary } from '../../src/core/boundary.ts'
import { chainOf } from '../../src/core/chain.ts'
import { sha256 } from '../../src/core/hash.ts'
import { framesOf, parseSegmentKey, readHeader, segmentKey } from '../../src/core/segment.ts'
import type { Store } from '../../src/ports/store.ts'
import { listAll } from '../../src/roles/ledger.ts'
import type { Node, Shared } from './node.ts'
import type { Scenario } from './run.ts'
import type { Stream, World } from './world.ts'

interface Parts {
  world: World
  store: Store
  feed: MemoryFeed | null
  nodes: Node[]
  scenario: Scenario
  shared: Shared
}

interface Source {
  id: string
  /** The segments' ends, and when each was stored. */
  stored: { end: number; atMs: number }[]
  bytes: Buffer
  /** What stands: each segment, or the revision of it that holds what was written. */
  revised: Buffer
  stream: Stream | null
}

export async function check(parts: Parts): Promise<{ problems: string[]; archived: number; published: number }> {
  const problems: string[] = []
  const sources = await readArchive(parts, problems)
  checkSources(parts, sources, problems)
  checkWritten(parts, sources, problems)
  await checkBoundaries(parts, problems)
  const published = parts.feed ? await checkFeed(parts, { feed: parts.feed, sources, problems }) : 0
  const archived = sources.reduce((sum, source) => sum + source.bytes.length, 0)
  return { problems, archived, published }
}

async function readArchive(parts: Parts, problems: string[]): Promise<Source[]> {
  const { world } = parts
  const sources = new Map<string, Source & { chain: string; parts: Map<number, Buffer> }>()
  for (const { key, body, storedAtMs } of await everything(parts, 'evidence/segments/r/')) {
    const place = parseSegmentKey(key)
    if (!place) continue
    const source = sources.get(place.source) ?? {
      id: place.source,
      bytes: Buffer.alloc(0),
      revised: Buffer.alloc(0),
      stream: null,
      stored: [],
      chain: place.source,
      parts: new Map<number, Buffer>(),
    }
    sources.set(place.source, source)
    const header = readHeader(body, key)
    const raw = Buffer.concat([...framesOf(body, key)].map((frame) => frame.bytes))
    if (!header || header.start !== source.bytes.length)
      problems.push(`${key}: starts at ${header?.start}, the source ends at ${source.bytes.length}`)
    else if (sha256(raw) !== header.sha256) problems.push(`${key}: sha256`)
    else if (chainOf(source.chain, header) !== header.chain) problems.push(`${key}: chain`)
    source.bytes = Buffer.concat([source.bytes, raw])
    source.parts.set(place.start, raw)
    source.stored.push({ end: source.bytes.length, atMs: storedAtMs })
    source.chain = header?.chain ?? ''
  }
  const revisions: { id: string; start: number; raw: Buffer }[] = []
  for (const { key, body } of await everything(parts, 'evidence/revisions/r/')) {
    const [, , , id, name] = key.split('/')
    if (!id || !name) continue
    revisions.push({
      id,
      start: Number(name.slice(0, 16)),
      raw: Buffer.concat([...framesOf(body, key)].map((frame) => frame.bytes)),
    })
  }
  for (const source of sources.values()) {
    const own = revisions.filter((revision) => revision.id === source.id)
    for (const stream of world.streams) {
      const whole = [...source.parts].map(([start, raw]) => {
        const choices = [raw, ...own.filter((revision) => revision.start === start).map((revision) => revision.raw)]
        return choices.find((choice) => choice.equals(stream.bytes.subarray(start, start + choice.length))) ?? null
      })
      if (whole.includes(null)) continue
      source.stream = stream
      source.revised = Buffer.concat(whole as Buffer[])
      break
    }
    if (!source.stream) source.revised = source.bytes
  }
  return [...sources.values()]
}

/** Objects as if nothing had expired. */
async function everything(
  { store, shared }: Parts,
  prefix: string,
): Promise<{ key: string; body: Buffer; storedAtMs: number }[]> {
  const gone = [...shared.expired].flatMap(([key, object]) => (key.startsWith(prefix) ? [{ key, ...object }] : []))
  const there = await Promise.all(
    (await listAll(store, prefix)).map(async ({ key, storedAtMs }) => {
      const { body } = (await store.get(key)) as { body: Buffer }
      return { key, body, storedAtMs }
    }),
  )
  return [...gone, ...there].sort((a, b) => (a.key < b.key ? -1 : 1))
}

async function checkBoundaries({ store, shared, scenario }: Parts, problems: string[]): Promise<void> {
  const there = new Set((await listAll(store, 'evidence/segments/r/')).map(({ key }) => key))
  const boundaries = new Map<string, Boundary>()
  for (const { key } of await listAll(store, boundaryPrefix('r'))) {
    const { body } = (await store.get(key)) as { body: Buffer }
    const boundary = readBoundary(body, key)
    boundaries.set(boundary.source, boundary)
  }
  const told = new Set<string>()
  for (const { source, segments, beginning, end } of boundaries.values()) {
    if (sha256(Buffer.from(beginning.bytes, 'base64')) !== beginning.sha256)
      problems.push(`${source}: the boundary's beginning`)
    if (segments.at(-1)?.end !== end) problems.push(`${source}: the boundary ends at ${end}, its segments do not`)
    for (const { start, sha256: hash, witness } of segments) {
      const key = segmentKey('r', source, start)
      const object = shared.expired.get(key)
      const header = object && readHeader(object.body, key)
      if (header?.sha256 !== hash || header.witness.sha256 !== witness.sha256)
        problems.push(`${key}: its boundary says otherwise`)
      if (there.has(key)) problems.push(`${key} is still there`)
      told.add(key)
    }
  }
  for (const key of shared.expired.keys())
    if (parseSegmentKey(key) && !told.has(key)) problems.push(`${key} is gone, and no boundary says so`)
  if (!scenario.expires && boundaries.size > 0) problems.push('nothing was to expire')
}

function isPrefix(part: Buffer, whole: Buffer): boolean {
  return part.length <= whole.length && part.equals(whole.subarray(0, part.length))
}

function checkSources({ scenario }: Parts, sources: Source[], problems: string[]): void {
  const lasting = scenario.stickyLies > 0
  for (const source of sources) {
    if (!source.stream && !lasting)
      problems.push(`${source.id} (${source.bytes.length} bytes) is not what was written to any file`)
    if (!lasting && !source.bytes.equals(source.revised))
      problems.push(`${source.id} was revised, and nothing lied for long`)
  }
  if (lasting) return
  for (const [index, one] of sources.entries()) {
    for (const other of sources.slice(index + 1)) {
      if (one.stream && one.stream === other.stream)
        problems.push(`${one.id} and ${other.id} are both stream ${one.stream.id}`)
    }
  }
}

/** Every complete line of every stream is archived. A file that is the beginning of another counts as that one. */
function checkWritten({ world, shared }: Parts, sources: Source[], problems: string[]): void {
  const expired = new Set([...shared.expired.keys()].map((key) => parseSegmentKey(key)?.source))
  for (const stream of world.streams) {
    const whole = stream.bytes.subarray(0, stream.bytes.lastIndexOf(10) + 1)
    if (whole.length === 0 || sources.some((source) => isPrefix(whole, source.revised))) continue
    if (world.streams.some((other) => other !== stream && isPrefix(whole, other.bytes))) continue
    // A lie that expired before it was proven: nothing is left to compare with.
    if (sources.some(({ id, stream: told, bytes }) => !told && expired.has(id) && bytes.length >= whole.length))
      continue
    const best = Math.max(
      0,
      ...sources.filter((source) => source.stream === stream).map((source) => source.revised.length),
    )
    problems.push(`stream ${stream.id}: ${whole.length} bytes were written, ${best} are archived`)
  }
}

interface FeedParts {
  feed: MemoryFeed
  sources: Source[]
  problems: string[]
}

interface Published {
  kind: string
  source: string
  start: number
  end: number
  epoch: string
  seq: number
  revision: string
  raw: Buffer | null
}

async function checkFeed(parts: Parts, { feed, sources, problems }: FeedParts): Promise<number> {
  const { scenario } = parts
  const floorMs = (await feed.epoch('r'))?.floorMs ?? -1
  const entries = feed.records('r').map(({ fields }) => publishedOf(fields))
  const epochs = [...new Set(entries.map((entry) => entry.epoch))]
  if (epochs.length > 1) problems.push(`the stream holds entries of ${epochs.length} epochs`)
  const seen = new Set<string>()
  for (const [index, entry] of entries.entries()) {
    // A Redis that lost writes may repeat entries; it may not lose any for good.
    if (scenario.rollbacks) break
    if (entry.seq !== index + 1) problems.push(`seq ${entry.seq} follows ${index}`)
    const key = `${entry.source} ${entry.start}`
    if (entry.kind !== 'record') continue
    if (seen.has(key)) problems.push(`record ${key} was published twice`)
    seen.add(key)
  }
  for (const source of sources)
    checkSource(source, { scenario, floorMs, entries: entries.filter((entry) => entry.source === source.id), problems })
  for (const entry of entries) {
    if (!sources.some((source) => source.id === entry.source))
      problems.push(`a record of ${entry.source}, which is not in the archive`)
  }
  checkAnnouncements(parts, { feed, sources, problems })
  return entries.length
}

/** Records lie side by side up to the source's end, as archived; or a revision entry covers them. */
function checkSource(
  source: Source,
  {
    scenario,
    floorMs,
    entries,
    problems,
  }: { scenario: Scenario; floorMs: number; entries: Published[]; problems: string[] },
): void {
  const records = entries.filter((entry) => entry.kind === 'record').sort((a, b) => a.start - b.start)
  const revisions = entries.filter((entry) => entry.kind === 'revision')
  // With another floor, what was archived before Redis came counts as published.
  const startsWhole = floorMs === 0
  let at = startsWhole ? 0 : (records[0]?.start ?? source.bytes.length)
  // What was stored by the floor counts as published: a publisher of another epoch would begin before it.
  const floorEnd = source.stored.findLast((segment) => segment.atMs <= floorMs)?.end ?? 0
  if (records[0] && records[0].start < floorEnd)
    problems.push(`${source.id}: published from ${records[0].start}, the floor says ${floorEnd}`)
  for (const record of records) {
    const revised = isCovered(revisions, record)
    const gapRevised = isCovered(revisions, { start: at, end: record.start })
    if (record.start > at && !gapRevised) problems.push(`${source.id}: published to ${at}, then from ${record.start}`)
    at = Math.max(at, record.end)
    const same = record.raw?.equals(source.revised.subarray(record.start, record.end)) ?? false
    if (!same && !revised)
      problems.push(`${source.id} ${record.start}-${record.end}: published other bytes than stand, and nothing says so`)
  }
  const end = Math.max(at, ...revisions.map((one) => one.end))
  if (end < source.bytes.length) problems.push(`${source.id}: archived to ${source.bytes.length}, published to ${at}`)
  // Files that begin alike may be published as one until the archive tells them apart.
  if (scenario.stickyLies === 0 && !scenario.sameHeader && !scenario.rollbacks && revisions.length > 0)
    problems.push(`${source.id}: a revision entry, and nothing lied for long`)
}

/** One revision entry names one segment: a range may need several. */
function isCovered(revisions: Published[], range: { start: number; end: number }): boolean {
  let at = range.start
  for (const { start, end } of [...revisions].sort((a, b) => a.start - b.start)) if (start <= at) at = Math.max(at, end)
  return at >= range.end
}

function checkAnnouncements({ scenario }: Parts, { feed, problems }: FeedParts): void {
  const keys = feed.segments('r').map(({ fields }) => fields['key']?.toString() ?? '')
  if (!scenario.rollbacks && new Set(keys).size !== keys.length) problems.push('a segment was announced twice')
}

function publishedOf(fields: Record<string, Buffer>): Published {
  const text = (name: string): string => fields[name]?.toString() ?? ''
  return {
    kind: text('kind'),
    source: text('source'),
    start: Number(text('start')),
    end: Number(text('end')),
    epoch: text('epoch'),
    seq: Number(text('seq')),
    revision: text('revision'),
    raw: fields['raw'] ?? null,
  }
}
