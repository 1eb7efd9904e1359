/**
 * Bytes of a file → segments of its source. One segment at a time, each read in one look that is confirmed by the evidence it was
 * resolved with; the next is read and compressed while this one is still being compressed and stored.
 *
 *     created                     the head moves to its end
 *     exists, equal bytes         another worker was first: the head moves to the end of its segment
 *     exists, different, start 0  two files begin alike: this one is the next candidate, resolve again
 *     exists, different, later    the segment stands: resolve again from a fresh look
 *
 * A head that the store has not named lately is asked for first: what follows it may have expired, and then its key is free again.
 */

import { beginningBytes, firstRecordBytes } from '../core/identity.ts'
import { chainOf } from '../core/chain.ts'
import { familyOf } from '../core/family.ts'
import { sha256 } from '../core/hash.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { buildSegment, framesOf, readHeader, segmentBytesMax, segmentKey } from '../core/segment.ts'
import { createHash } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import type { Look, SegmentBody } from '../ports/files.ts'
import { commit } from './commit.ts'
import type { RootContext } from './context.ts'
import { isJudgedAtOnce } from './fit.ts'
import type { Ledger, Mark } from './ledger.ts'
import { markOf } from './ledger.ts'
import type { Evidence } from './resolve.ts'
import { confirm, contentIdOf, evidenceOf, lookRequest, probesOf } from './resolve.ts'
import type { Throttle } from './throttle.ts'

export interface ArchiveRequest {
  path: string
  source: string
  c0: string
  evidence: Evidence
  /** The file's size when it was resolved. */
  size: number
  /** The last segment, or null for a new source. */
  head: Mark | null
  /** Read no further than this. */
  end: number
  /** The file is final: a beginning without a newline counts as a record. */
  whole: boolean
  /** Also what follows the last line end. */
  tail: boolean
  stopAtNul: boolean
  fresh: boolean
  /** Stop after this many segments; the rest is taken up by the next call. */
  segmentsMax: number
}

export interface Archived {
  head: Mark | null
  made: Mark[]
  /** The source's first bytes, where its first segment was made and they are asked for. */
  beginning: Buffer | null
  /** `conflict`: the file must be resolved again. `hole`: a NUL at `holeAt` stops it. `done`: no complete line is left below `end`. */
  outcome: 'done' | 'more' | 'conflict' | 'hole' | 'unsteady'
  holeAt: number | null
}

interface Reading {
  look: Look
  body: SegmentBody
  confirmed: 'same' | 'new' | 'no'
}

export async function archiveFile(
  context: RootContext,
  parts: { ledger: Ledger; inFlight: Throttle },
  request: ArchiveRequest,
): Promise<Archived> {
  const archived: Archived = { head: request.head, made: [], beginning: null, outcome: 'done', holeAt: null }
  let reading: Promise<Reading> | null = readSegment(context, request, { from: request.head?.end ?? 0, ...request })
  for (let count = 1; reading !== null; count++) {
    const read: Reading = await reading
    const { body } = read
    if (read.confirmed !== (archived.head === null ? 'new' : 'same')) return { ...archived, outcome: 'unsteady' }
    archived.holeAt ??= body.nulAt
    if (body.end === body.start)
      return { ...archived, outcome: body.nulAt !== null && request.stopAtNul ? 'hole' : 'done' }
    const header = headerOf(context, request, { ...read, head: archived.head })
    const after = {
      from: body.end,
      size: Number.MAX_SAFE_INTEGER,
      evidence: evidenceOf(request.c0, markOf(header, '', 0)),
    }
    const more = body.end < Math.min(request.end, read.look.stat.size) && body.tail !== 'incomplete'
    reading = more && count < request.segmentsMax ? readSegment(context, request, after) : null
    reading?.catch(() => undefined)
    if (archived.head !== null && !(await parts.ledger.isCurrent(archived.head)))
      return { ...archived, outcome: 'unsteady' }
    const stored = await store(context, parts, { header, body, path: request.path, fresh: request.fresh })
    if (stored.outcome === 'conflict') return { ...archived, outcome: 'conflict' }
    archived.head = stored.mark
    if (stored.outcome === 'ours') archived.made.push(stored.mark)
    if (stored.outcome === 'ours') archived.beginning ??= stored.beginning
    if (stored.mark.end !== body.end) return { ...archived, outcome: 'more' }
    if (more && reading === null) archived.outcome = 'more'
  }
  return archived
}

async function readSegment(
  context: RootContext,
  request: ArchiveRequest,
  place: { from: number; evidence: Evidence; size: number },
): Promise<Reading> {
  const { root } = context
  const probes = probesOf(place.evidence, place.size)
  const isNew = place.evidence.candidates.at(0)?.id !== request.source
  const look = await context.files.look(
    request.path,
    lookRequest({
      beginning: isNew ? firstRecordBytes + beginningBytes : beginningBytes,
      probes,
      fresh: request.fresh,
      read: {
        start: place.from,
        end: Math.min(request.end, place.from + segmentBytesMax),
        as: 'segment',
        lineBytesMax: root.limits.lineBytesMax,
        tail: request.tail && place.from + segmentBytesMax >= request.end,
        stopAtNul: request.stopAtNul && root.format.text,
      },
    }),
  )
  const isOther = isNew && contentIdOf(context, request, look) !== place.evidence.c0
  return { look, body: look.segment as SegmentBody, confirmed: isOther ? 'no' : confirm(place.evidence, probes, look) }
}

function headerOf(
  context: RootContext,
  request: ArchiveRequest,
  { look, body, head }: Reading & { head: Mark | null },
): SegmentHeader {
  const { root, node } = context
  const previousChain = head?.chain ?? request.source
  const beginning = look.beginning.subarray(0, Math.min(beginningBytes, look.stat.size))
  return {
    v: 1,
    root: root.name,
    source: request.source,
    family: familyOf(request.path, root.family),
    path: request.path,
    start: body.start,
    end: body.end,
    lines: body.lines,
    sha256: body.sha256,
    chain: chainOf(previousChain, body),
    previousChain,
    witness: body.witness,
    beginning: { length: Math.min(beginning.length, body.end), sha256: sha256(beginning.subarray(0, body.end)) },
    firstTime: timeOf(context, body.firstLine),
    lastTime: timeOf(context, body.lastLine),
    format: root.format.name,
    tail: body.tail,
    node,
    writeId: context.random(),
    writtenAt: formatRfc3339(context.clock.wallMs()),
  }
}

function timeOf({ root }: RootContext, line: Buffer): string | null {
  return root.format.parse(line, root.parse).time || null
}

interface Storing {
  header: SegmentHeader
  body: SegmentBody
  path: string
  fresh: boolean
}

/** `beginning`: the source's first frame, where this was its first segment and the frame is asked for. */
type Stored =
  | { outcome: 'ours'; mark: Mark; beginning: Buffer | null }
  | { outcome: 'theirs'; mark: Mark }
  | { outcome: 'conflict' }

async function store(
  context: RootContext,
  parts: { ledger: Ledger; inFlight: Throttle },
  storing: Storing,
): Promise<Stored> {
  const { header, body } = storing
  const key = segmentKey(header.root, header.source, header.start)
  const frames = await body.frames
  const object = buildSegment(header, frames)
  const bytes = object.reduce((sum, part) => sum + part.length, 0)
  const committed = await parts.inFlight.hold(bytes, () =>
    commit(context.store, context.clock, {
      key,
      body: object,
      isOurs: (there) => readHeader(there, key)?.writeId === header.writeId,
    }),
  )
  const [first] =
    header.start === 0 && committed.by === 'us' && isJudgedAtOnce(context.root, header.lines) ? frames : []
  const beginning = first ? zstdDecompressSync(first.bytes) : null
  body.release()
  if (committed.by === 'us') {
    const mark = markOf(header, key, committed.storedAtMs)
    parts.ledger.learn(mark)
    context.telemetry.archived(header.root, {
      source: header.source,
      path: header.path,
      start: header.start,
      end: header.end,
      lines: header.lines,
    })
    return { outcome: 'ours', mark, beginning }
  }
  const theirs = markOf(readHeader(committed.object.body, key) as SegmentHeader, key, committed.object.storedAtMs)
  parts.ledger.learn(theirs)
  if (await isEqual(context, storing, { theirs, object: committed.object.body }))
    return { outcome: 'theirs', mark: theirs }
  return { outcome: 'conflict' }
}

/** Whether our bytes equal those of the segment that stands, over the shorter of both ranges. */
async function isEqual(
  context: RootContext,
  { header, path, fresh }: Storing,
  { theirs, object }: { theirs: Mark; object: Buffer },
): Promise<boolean> {
  if (theirs.end === header.end) return theirs.sha256 === header.sha256
  if (theirs.end > header.end) {
    const hash = createHash('sha256')
    for (const { offset, bytes } of framesOf(object, theirs.key, { start: header.start, end: header.end })) {
      hash.update(bytes.subarray(0, header.end - offset))
    }
    return hash.digest('hex') === header.sha256
  }
  const look = await context.files.look(
    path,
    lookRequest({ probes: [{ start: theirs.start, end: theirs.end }], fresh }),
  )
  return look.steady && look.probes[0] === theirs.sha256
}
