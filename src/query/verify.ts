/**
 * Recomputes what the archive claims, from its objects alone: it works on a copy, offline, and needs neither files nor Redis.
 *
 *   every object     checked against itself (segment-check.ts), four fetched at a time, none kept
 *   every source     from 0, or from what expired, to its end: contiguous, chained, its beginning and witnesses those of its bytes
 *   every revision   checked against itself, and bound to the segment it stands beside
 *   the last one     that a source's last segment is missing cannot be seen in the archive; Redis, where it is there, was told of it
 *
 * Memory holds one line of state per source under way, and the names of sources with revisions.
 */

import { chainOf } from '../core/chain.ts'
import { sha256 } from '../core/hash.ts'
import { beginningBytes, witnessBytes } from '../core/identity.ts'
import { decodePosition } from '../core/position.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { parseSegmentKey, segmentKey, segmentPrefix } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { Feed } from '../ports/feed.ts'
import type { Listed, Store } from '../ports/store.ts'
import type { Ledger } from '../roles/ledger.ts'
import { openLedger } from '../roles/ledger.ts'
import { mapInOrder } from './concurrent.ts'
import type { Checked, Damage } from './segment-check.ts'
import { checkObject, lastBytes } from './segment-check.ts'

/** Archived bytes that are not there. */
interface Gap {
  root: string
  source: string
  /** From where on, and up to where as far as that is known. */
  at: number
  upTo: number
}

export interface VerifyReport {
  sources: number
  segments: number
  /** Raw bytes that were read and hashed. */
  bytes: number
  damaged: Damage[]
  missing: Gap[]
  /** Raw bytes that were expired by command. */
  expired: number
}

export interface VerifyOptions {
  /** Null: every root that the archive holds. */
  root: string | null
  /** Redis, where it publishes this archive; null: not asked. */
  feed: Feed | null
  progress?: (done: { segments: number; bytes: number }) => void
}

const objectsAtOnce = 4
const positionsAtOnce = 1000

/** Throws `store-*` where the archive cannot be read, `archive-newer`. Damage is reported, never thrown. */
export async function verifyArchive(store: Store, options: VerifyOptions): Promise<VerifyReport> {
  const report: VerifyReport = { sources: 0, segments: 0, bytes: 0, damaged: [], missing: [], expired: 0 }
  const roots = options.root === null ? await rootsOf(store) : [options.root]
  for (const root of roots) await verifyRoot(store, { root, options, report })
  return report
}

/** The roots that an archive holds segments of. One list request each. */
export async function rootsOf(store: Store): Promise<string[]> {
  const prefix = 'evidence/segments/'
  const roots: string[] = []
  for (let after = prefix; ; ) {
    const [first] = (await store.list(prefix, { after, limit: 1 })).objects
    const root = first?.key.slice(prefix.length).split('/')[0]
    if (root === undefined) return roots
    roots.push(root)
    after = `${prefix}${root}0` // the character after `/`
  }
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
  const expired = await expiredOf(store, root)
  for (const end of expired.values()) report.expired += end
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
      walk = startWalk(source, expired.get(source) ?? 0)
      report.sources++
    }
    report.segments++
    report.bytes += checked.bytes
    report.damaged.push(...checked.damaged)
    walk = step(walk, checked, { ...work, isRevised: revised.has(source) })
    options.progress?.(report)
  }
  if (walk !== null) await finish()
  walk = null
  await finish()
}

function startWalk(source: string, expired: number): Walk {
  const empty = expired === 0 ? Buffer.alloc(0) : null
  return { source, end: expired, chain: expired === 0 ? source : null, first: empty, last: empty }
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
  const revision = /^evidence\/revisions\/([^/]+)\/([^/]+)\/(\d{16})-[1-9]\d*\.zst$/.exec(key)
  return revision
    ? { root: revision[1] as string, source: revision[2] as string, start: Number(revision[3]) }
    : parseSegmentKey(key)
}

/** How far each source was expired: its boundary with the largest end counts. */
async function expiredOf(store: Store, root: string): Promise<Map<string, number>> {
  const expired = new Map<string, number>()
  for await (const { key } of listed(store, `evidence/boundaries/${root}/`)) {
    const match = /\/([^/]+)\/(\d+)\.json$/.exec(key)
    if (match) expired.set(match[1] as string, Math.max(expired.get(match[1] as string) ?? 0, Number(match[2])))
  }
  return expired
}
