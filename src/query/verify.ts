/**
 * Recomputes what the archive claims, from its objects alone: it works on a copy, offline, and needs neither files nor Redis.
 *
 *   every object     checked against itself (segment-check.ts), four fetched at a time, none kept
 *   every source     from 0, or from its boundary, to its end: contiguous, chained, its beginning and witnesses those of its bytes
 *   every boundary   checked against itself; segments that an interrupted expiry has left before its end are no damage
 *   every revision   checked against itself, and bound to the segment it stands beside
 *   every digest     chained, signed, and everything that it names is there and is what it says (roles/digest-check.ts)
 *   the last one     that a source's last segment is missing is seen in a digest; of what no digest holds yet, Redis was told
 *
 * Memory holds one line of state per source under way, and the names of sources with revisions.
 */

import type { Boundary } from '../core/boundary.ts'
import { chainOf } from '../core/chain.ts'
import type { Damage, Findings } from '../core/findings.ts'
import { sha256 } from '../core/hash.ts'
import { beginningBytes, witnessBytes } from '../core/identity.ts'
import type { PublicKey } from '../core/ssh-key.ts'
import { decodePosition } from '../core/position.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { parseRevisionKey, parseSegmentKey, segmentKey, segmentPrefix } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { Feed } from '../ports/feed.ts'
import type { Listed, Store } from '../ports/store.ts'
import type { Ledger } from '../roles/ledger.ts'
import { openLedger } from '../roles/ledger.ts'
import { mapInOrder } from './concurrent.ts'
import type { Checked } from './segment-check.ts'
import { checkObject, lastBytes } from './segment-check.ts'
import { leftoverDamage, readBoundaryAt, verifyBoundaries } from './verify-boundaries.ts'
import type { DigestsReport } from './verify-digests.ts'
import { verifyDigests } from './verify-digests.ts'

export interface VerifyReport extends Findings {
  sources: number
  segments: number
  /** Raw bytes that were read and hashed. */
  bytes: number
  /** Raw bytes that were expired by command. */
  expired: number
  digests: DigestsReport
}

export interface VerifyOptions {
  /** Null: every root that the archive holds. */
  root: string | null
  /** Redis, where it publishes this archive; null: not asked. */
  feed: Feed | null
  /** The keys that digests may be signed with; none: each signature is checked against the key that it names. */
  keys?: PublicKey[]
  progress?: (done: { segments: number; bytes: number }) => void
}

const objectsAtOnce = 4
const positionsAtOnce = 1000

/** Throws `store-*` where the archive cannot be read, `archive-newer`. Damage is reported, never thrown. */
export async function verifyArchive(store: Store, options: VerifyOptions): Promise<VerifyReport> {
  const digests: DigestsReport = { checked: 0, signed: 0, unsigned: 0, trustedKeys: 0, last: null }
  const report: VerifyReport = { sources: 0, segments: 0, bytes: 0, damaged: [], missing: [], expired: 0, digests }
  const roots = options.root === null ? await rootsOf(store) : [options.root]
  for (const root of roots) await verifyRoot(store, { root, options, report })
  await verifyDigests(store, { root: options.root, keys: options.keys ?? [], report })
  return report
}

/** The roots that an archive holds segments of, or what remains of some. One list request each. */
export async function rootsOf(store: Store): Promise<string[]> {
  const roots = new Set<string>()
  for (const prefix of ['evidence/segments/', 'evidence/boundaries/']) {
    for (let after = prefix; ; ) {
      const [first] = (await store.list(prefix, { after, limit: 1 })).objects
      const root = first?.key.slice(prefix.length).split('/')[0]
      if (root === undefined) break
      roots.add(root)
      after = `${prefix}${root}0` // the character after `/`
    }
  }
  return [...roots]
}

interface RootWork {
  root: string
  options: VerifyOptions
  report: VerifyReport
}

/** A source as far as it was walked. */
interface Walk {
  source: string
  /** Null: a segment's header could not be read, so its end is not known. */
  end: number | null
  chain: string | null
  /** Its first bytes, and the last ones so far, at most 4 KiB; null: not known. */
  first: Buffer | null
  last: Buffer | null
}

async function verifyRoot(store: Store, work: RootWork): Promise<void> {
  const { root, report, options } = work
  const ledger = openLedger(store, root)
  const revised = await verifyRevisions(store, ledger, work)
  const expired = await verifyBoundaries(store, root, report)
  let boundary: Boundary | null = null
  let ended: { source: string; end: number }[] = []
  let walk: Walk | null = null
  const finish = async (): Promise<void> => {
    if (walk?.end != null) ended.push({ source: walk.source, end: walk.end })
    if (ended.length < positionsAtOnce && walk !== null) return
    await checkAnnounced(store, ledger, { ...work, ended })
    ended = []
  }
  for await (const { key, checked } of objectsBelow(store, segmentPrefix(root))) {
    const source = parseSegmentKey(key)?.source
    if (source === undefined || checked === null) {
      report.damaged.push({ key, problem: 'key', expected: 'ROOT/SOURCE/START.zst', found: null })
      continue
    }
    if (walk?.source !== source) {
      if (walk !== null) await finish()
      const place = expired.get(source)
      boundary = place === undefined ? null : await readBoundaryAt(store, place.key)
      walk = startWalk(source, { end: place?.end ?? 0, boundary })
      report.sources++
    }
    report.segments++
    report.bytes += checked.bytes
    report.damaged.push(...checked.damaged)
    if (isLeftover(key, expired.get(source)?.end ?? 0)) report.damaged.push(...leftoverDamage(checked, boundary))
    else walk = step(walk, checked, { ...work, isRevised: revised.has(source) })
    options.progress?.(report)
  }
  if (walk !== null) await finish()
  walk = null
  await finish()
}

/** What expired and was not deleted yet: it is bound by its boundary, and the walk goes on behind that. */
function isLeftover(key: string, expired: number): boolean {
  return (parseSegmentKey(key)?.start ?? 0) < expired
}

/** From 0, or from a boundary: one that cannot be read still tells its end. */
function startWalk(source: string, { end, boundary }: { end: number; boundary: Boundary | null }): Walk {
  if (end === 0) return { source, end, chain: source, first: Buffer.alloc(0), last: Buffer.alloc(0) }
  if (boundary === null) return { source, end, chain: null, first: null, last: null }
  const first = Buffer.from(boundary.beginning.bytes, 'base64').subarray(0, Math.min(beginningBytes, end))
  return { source, end, chain: boundary.chain, first, last: null }
}

/** The next segment of the same source, against those before it. */
function step(walk: Walk, checked: Checked, work: RootWork & { isRevised: boolean }): Walk {
  const { key, header } = checked
  const { source } = walk
  if (header === null)
    return { source, end: null, chain: null, first: walk.first?.length === 0 ? null : walk.first, last: null }
  const { start } = parseSegmentKey(key) as { start: number }
  const isNext = walk.end === null || walk.end === start
  if (!isNext && start > (walk.end as number)) {
    work.report.missing.push({ root: work.root, source, at: walk.end as number, upTo: start })
  } else if (!isNext)
    work.report.damaged.push({ key, problem: 'overlaps the segment before', expected: walk.end, found: start })
  const known: Walk = isNext
    ? walk
    : { ...walk, chain: null, last: null, first: walk.first?.length === 0 ? null : walk.first }
  const first = firstBytes(known.first, checked)
  const last = checked.last === null ? null : lastOf(known.last, checked.last)
  work.report.damaged.push(
    ...chainDamage(key, header, known.chain),
    ...boundDamage(checked, { first, last, isRevised: work.isRevised }),
  )
  return { source, end: Math.max(header.end, walk.end ?? 0), chain: header.chain, first, last }
}

function chainDamage(key: string, header: SegmentHeader, previous: string | null): Damage[] {
  const damaged: Damage[] = []
  if (previous !== null && header.previousChain !== previous) {
    damaged.push({ key, problem: 'previous chain', expected: previous, found: header.previousChain })
  }
  const chain = chainOf(header.previousChain, header)
  if (chain !== header.chain) damaged.push({ key, problem: 'chain', expected: chain, found: header.chain })
  return damaged
}

/**
 * The beginning, and a witness that reaches back into earlier segments. Both are of the file as it was read: where a revision tells that it
 * did not hold what is archived, they need not be of the archived bytes.
 */
function boundDamage(
  { key, header, last: own }: Checked,
  bound: { first: Buffer | null; last: Buffer | null; isRevised: boolean },
): Damage[] {
  if (header === null || bound.isRevised) return []
  const damaged: Damage[] = []
  const { beginning, witness } = header
  const length = Math.min(beginningBytes, header.end)
  if (beginning.length !== length)
    damaged.push({ key, problem: 'beginning length', expected: length, found: beginning.length })
  const { first, last } = bound
  if (first !== null && first.length >= beginning.length) {
    const expected = sha256(first.subarray(0, beginning.length))
    if (expected !== beginning.sha256) damaged.push({ key, problem: 'beginning', expected, found: beginning.sha256 })
  }
  const reachesBack = own !== null && own.length < witness.length
  if (reachesBack && last !== null && last.length >= witness.length && witness.length <= witnessBytes) {
    const expected = sha256(last.subarray(last.length - witness.length))
    if (expected !== witness.sha256) damaged.push({ key, problem: 'witness', expected, found: witness.sha256 })
  }
  return damaged
}

function firstBytes(before: Buffer | null, { first }: Checked): Buffer | null {
  if (before === null || before.length >= beginningBytes) return before
  return first === null ? null : Buffer.concat([before, first]).subarray(0, beginningBytes)
}

function lastOf(before: Buffer | null, own: Buffer): Buffer | null {
  return own.length >= witnessBytes ? own : before === null ? own : lastBytes(before, own)
}

/** Redis was told of segments that the archive does not hold. */
async function checkAnnounced(
  store: Store,
  ledger: Ledger,
  work: RootWork & { ended: { source: string; end: number }[] },
): Promise<void> {
  const { root, ended, report } = work
  const { feed } = work.options
  if (feed === null || ended.length === 0 || (await feed.epoch(root))?.archive !== store.url) return
  const sources = ended.map(({ source }) => source)
  const [positions, proven] = await Promise.all([feed.positions(root, sources), feed.proven(root, sources)])
  for (const [index, { source, end }] of ended.entries()) {
    const announced = decodePosition(positions[index] ?? '')?.announced ?? 0
    const upTo = Math.max(announced, Number((proven[index] ?? '0').split(' ')[0]) || 0)
    if (upTo <= end) continue
    // The collector may have gone on since this source was listed.
    const next = await ledger.segmentsFrom(source, end)
    if (next.length === 0) report.missing.push({ root, source, at: end, upTo })
  }
}

/** Gives the sources that have revisions. */
async function verifyRevisions(store: Store, ledger: Ledger, { root, report }: RootWork): Promise<Set<string>> {
  const revised = new Set<string>()
  const prefix = `evidence/revisions/${root}/`
  for await (const { key, checked } of objectsBelow(store, prefix)) {
    const facts = keyFacts(key)
    if (facts === null || checked === null) {
      report.damaged.push({ key, problem: 'key', expected: 'ROOT/SOURCE/START-N.zst', found: null })
      continue
    }
    revised.add(facts.source)
    report.damaged.push(...checked.damaged)
    if (checked.header !== null)
      report.damaged.push(...(await revisionDamage(ledger, { key, header: checked.header, root })))
  }
  return revised
}

/** A revision carries the chain of the segment it stands beside, and covers the same range. */
async function revisionDamage(
  ledger: Ledger,
  { key, header, root }: { key: string; header: SegmentHeader; root: string },
): Promise<Damage[]> {
  try {
    const mark = await ledger.header(segmentKey(root, header.source, header.start), 0)
    if (mark.end !== header.end) return [{ key, problem: 'end', expected: mark.end, found: header.end }]
    return mark.chain === header.chain ? [] : [{ key, problem: 'chain', expected: mark.chain, found: header.chain }]
  } catch (error) {
    // A segment that cannot be read is told of where it is walked; one that expired leaves its revision.
    if (isGleanerError(error, 'store-damaged')) return []
    throw error
  }
}

async function* objectsBelow(store: Store, prefix: string): AsyncGenerator<{ key: string; checked: Checked | null }> {
  yield* mapInOrder(listed(store, prefix), objectsAtOnce, async ({ key }) => {
    const facts = keyFacts(key)
    if (facts === null) return { key, checked: null }
    return { key, checked: checkObject((await store.get(key))?.body ?? null, key, facts) }
  })
}

async function* listed(store: Store, prefix: string): AsyncGenerator<Listed> {
  for (let after: string | undefined; ; ) {
    const { objects, more } = await store.list(prefix, after === undefined ? {} : { after })
    yield* objects
    after = objects.at(-1)?.key
    if (!more || after === undefined) return
  }
}

function keyFacts(key: string): { root: string; source: string; start: number } | null {
  return parseRevisionKey(key) ?? parseSegmentKey(key)
}
