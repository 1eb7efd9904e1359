/**
 * One digest against the archive that it speaks of: every object that it names is there and is what it says, or has expired by command and
 * was that. Needs no Redis and no files. `verify` asks it of every digest, and a worker before it signs what another made.
 */

import type { Boundary } from '../core/boundary.ts'
import { parseBoundaryKey } from '../core/boundary.ts'
import type { Digest, DigestSegment, ReadDigest } from '../core/digest.ts'
import { digestKey } from '../core/digest.ts'
import type { Damage, Findings } from '../core/findings.ts'
import { sha256 } from '../core/hash.ts'
import { LruMap } from '../core/lru.ts'
import { parseRevisionKey, parseSegmentKey } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'
import { boundaryOf } from './boundaries.ts'
import { segmentItem } from './digest-items.ts'
import { headerAt } from './ledger.ts'

/** The boundary of a source, or null; one that is damaged throws `store-damaged`. */
export type BoundaryOf = (root: string, source: string) => Promise<Boundary | null>

const readAtOnce = 16
const boundariesKept = 64

/** Boundaries are read once, and the last few kept. */
export function openBoundaries(store: Store): BoundaryOf {
  const kept = new LruMap<string, Promise<Boundary | null>>(boundariesKept)
  return (root, source) => {
    const id = `${root}/${source}`
    const boundary = kept.get(id) ?? boundaryOf(store, root, source)
    kept.set(id, boundary)
    return boundary
  }
}

export interface Checking {
  store: Store
  boundaryOf: BoundaryOf
  /** Only objects of this root; null: all. */
  root: string | null
}

/** `previous`: the digest before; null: there is none that could be read. Throws `store-*` where the archive cannot be read. */
export async function checkDigest(
  checking: Checking,
  { digest }: ReadDigest,
  place: { n: number; previous: ReadDigest | null },
): Promise<Findings> {
  const findings: Findings = { damaged: [...placeDamage(digest, place), ...headDamage(digest, place.n)], missing: [] }
  const isWanted = ({ key }: { key: string }): boolean => checking.root === null || key.split('/')[2] === checking.root
  const checks: (() => Promise<void>)[] = [
    ...digest.segments.filter(isWanted).map((one) => () => checkSegment(checking, one, findings)),
    ...digest.revisions.filter(isWanted).map((one) => () => checkRevision(checking, one, findings)),
    ...digest.anomalies.filter(isWanted).map((one) => () => checkObject(checking, one, findings)),
    ...digest.expired.filter(isWanted).map((one) => () => checkBoundary(checking, one, findings)),
  ]
  for (let at = 0; at < checks.length; at += readAtOnce)
    await Promise.all(checks.slice(at, at + readAtOnce).map((check) => check()))
  return findings
}

/** Its number, and how it joins the one before. */
function placeDamage(digest: Digest, { n, previous }: { n: number; previous: ReadDigest | null }): Damage[] {
  const key = digestKey(n)
  const damaged: Damage[] = []
  if (digest.n !== n) damaged.push({ key, problem: 'n', expected: n, found: digest.n })
  if (n === 1 && digest.previous !== null)
    damaged.push({ key, problem: 'previous', expected: null, found: digest.previous })
  if (previous === null) return damaged
  if (digest.previous !== previous.sha256)
    damaged.push({ key, problem: 'previous', expected: previous.sha256, found: digest.previous })
  if (digest.from !== previous.digest.to)
    damaged.push({ key, problem: 'from', expected: previous.digest.to, found: digest.from })
  return damaged
}

/** The heads are those of the segments in the same digest. */
function headDamage({ heads, segments }: Digest, n: number): Damage[] {
  const chains = new Map(segments.map(({ key, end, chain }) => [`${parseSegmentKey(key)?.source} ${end}`, chain]))
  return heads.flatMap(({ source, end, chain }) => {
    const expected = chains.get(`${source} ${end}`) ?? null
    return expected === chain ? [] : [{ key: digestKey(n), problem: `head of ${source}`, expected, found: chain }]
  })
}

async function checkSegment({ store, boundaryOf }: Checking, item: DigestSegment, findings: Findings): Promise<void> {
  const { key } = item
  const place = parseSegmentKey(key)
  if (place === null) {
    findings.damaged.push({ key, problem: 'key in a digest', expected: 'a segment', found: null })
    return
  }
  const header = await orDamage(findings, key, () => headerAt(store, key))
  if (header === undefined) return
  if (header !== null) {
    const found = segmentItem(key, header)
    for (const name of Object.keys(found) as (keyof DigestSegment)[])
      if (item[name] !== found[name])
        findings.damaged.push({
          key,
          problem: `${name} in its digest`,
          expected: item[name] ?? null,
          found: found[name],
        })
    return
  }
  const boundary = await orDamage(findings, key, () => boundaryOf(place.root, place.source))
  if (boundary === undefined) return
  if (boundary === null || item.end > boundary.end) {
    findings.missing.push({ root: place.root, source: place.source, at: place.start, upTo: item.end })
    return
  }
  const was = boundary.segments.find(({ start }) => start === place.start)
  if (was?.sha256 !== item.sha256)
    findings.damaged.push({ key, problem: 'sha256 in its boundary', expected: item.sha256, found: was?.sha256 ?? null })
}

/** A revision may go with the segment that it stands beside. */
async function checkRevision(
  { store, boundaryOf }: Checking,
  item: Digest['revisions'][number],
  findings: Findings,
): Promise<void> {
  const { key } = item
  const header = await orDamage(findings, key, () => headerAt(store, key))
  if (header === undefined) return
  const place = parseRevisionKey(key)
  if (header === null) {
    const boundary = place && (await orDamage(findings, key, () => boundaryOf(place.root, place.source)))
    if (item.end > (boundary?.end ?? 0))
      findings.damaged.push({ key, problem: 'missing', expected: item.sha256, found: null })
  } else if (header.sha256 !== item.sha256)
    findings.damaged.push({ key, problem: 'sha256 in its digest', expected: item.sha256, found: header.sha256 })
}

async function checkObject(
  { store }: Checking,
  { key, sha256: expected }: { key: string; sha256: string },
  findings: Findings,
): Promise<void> {
  const object = await store.get(key)
  const found = object && sha256(object.body)
  if (found !== expected)
    findings.damaged.push({ key, problem: found === null ? 'missing' : 'sha256 in its digest', expected, found })
}

/** A boundary holds all before it, so one with a larger end stands for it. */
async function checkBoundary(checking: Checking, item: Digest['expired'][number], findings: Findings): Promise<void> {
  const { key, end } = item
  const place = parseBoundaryKey(key)
  const last = place && (await orDamage(findings, key, () => checking.boundaryOf(place.root, place.source)))
  const isHeld = last !== null && last !== undefined && last.end > end
  if (isHeld && (await checking.store.get(key)) === null) return
  await checkObject(checking, item, findings)
}

/** Undefined where the object is damaged; that is then told. */
async function orDamage<T>(findings: Findings, key: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isGleanerError(error, 'store-damaged')) throw error
    findings.damaged.push({ key, problem: 'unreadable', expected: 'what its digest says', found: error.message })
    return undefined
  }
}
