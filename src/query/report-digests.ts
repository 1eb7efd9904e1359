/**
 * Which digests vouch for some segments, and how far their sources are proven as digests tell.
 *
 * A digest names what was stored since the one before, or, after a list, since a day before. So reading begins at the first digest of a
 * time not long before the first of these segments was stored, and ends where nothing is left to find; each is read once, one at a time.
 */

import { digestKey, digestNamespace, signatureKey } from '../core/digest.ts'
import type { Digest } from '../core/digest.ts'
import type { Damage } from '../core/findings.ts'
import { parseSegmentKey } from '../core/segment.ts'
import { signerOf } from '../core/ssh-signature.ts'
import type { Store } from '../ports/store.ts'
import type { ChainLink } from '../roles/digest-chain.ts'
import { lastDigestNumber, linkAt } from '../roles/digest-chain.ts'

/** Store times may lie a little before the create was answered. */
const marginMs = 3_600_000

export interface ToCover {
  key: string
  sha256: string
  end: number
  storedAtMs: number
}

export interface UsedDigest {
  n: number
  to: string
  sha256: string
  signed: boolean
  /** The public key that it says it was signed with. */
  signer: string
}

export interface Covering {
  /** Those that name one of the segments, in order. */
  used: UsedDigest[]
  /** Segment key → the digest that names it. */
  digestOf: ReadonlyMap<string, number>
  /** Source → how far it is proven; where no digest says so, it is missing. */
  provenTo: ReadonlyMap<string, number>
  newest: { n: number; to: string; sha256: string } | null
  damaged: Damage[]
}

/** Throws `store-*` where the archive cannot be read, `archive-newer`. */
export async function coveringDigests(store: Store, segments: readonly ToCover[]): Promise<Covering> {
  const found = { used: [] as UsedDigest[], digestOf: new Map<string, number>(), damaged: [] as Damage[] }
  const provenTo = new Map<string, number>()
  const last = await lastDigestNumber(store)
  const open = { segments: new Map(segments.map((one) => [one.key, one])), sources: endsOf(segments) }
  const newest = last === 0 ? null : (await linkAt(store, last)).read
  const fromMs = segments.reduce((least, { storedAtMs }) => Math.min(least, storedAtMs), Number.POSITIVE_INFINITY)
  const isOpen = (): boolean => open.segments.size + open.sources.size > 0
  const first = last === 0 || !isOpen() ? last + 1 : await firstSince(store, last, fromMs - marginMs)
  for (let n = first; n <= last && isOpen(); n++) {
    const { read, problem } = await linkAt(store, n)
    if (read === null) {
      const damage = { key: digestKey(n), problem: 'digest', expected: 'a digest', found: problem?.message ?? null }
      found.damaged.push(damage)
      continue
    }
    takeProofs(read.digest, provenTo, open.sources)
    if (takeSegments(read.digest, open.segments, found) === 0) continue
    const { signed, damage } = await signature(store, n, read.bytes)
    found.damaged.push(...damage)
    found.used.push({ n, to: read.digest.to, sha256: read.sha256, signed, signer: read.digest.signer })
  }
  const ending = newest && { n: newest.digest.n, to: newest.digest.to, sha256: newest.sha256 }
  return { ...found, provenTo, newest: ending }
}

/** Up to where each source must be proven for all of these to be. */
function endsOf(segments: readonly ToCover[]): Map<string, number> {
  const ends = new Map<string, number>()
  for (const { key, end } of segments) {
    const source = parseSegmentKey(key)?.source ?? ''
    ends.set(source, Math.max(end, ends.get(source) ?? 0))
  }
  return ends
}

/** The first digest that was made then or later; one that cannot be read counts as later. */
async function firstSince(store: Store, last: number, ms: number): Promise<number> {
  let [before, from] = [0, last]
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2)
    const { read }: ChainLink = await linkAt(store, middle)
    if (read !== null && Date.parse(read.digest.to) < ms) before = middle
    else from = middle
  }
  return from
}

function takeProofs({ proven }: Digest, provenTo: Map<string, number>, open: Map<string, number>): void {
  for (const { source, end } of proven) {
    const wanted = open.get(source)
    if (wanted === undefined) continue
    provenTo.set(source, Math.max(end, provenTo.get(source) ?? 0))
    if (end >= wanted) open.delete(source)
  }
}

/** How many it names that none before did. */
function takeSegments(
  { n, segments }: Digest,
  open: Map<string, ToCover>,
  { digestOf, damaged }: { digestOf: Map<string, number>; damaged: Damage[] },
): number {
  let taken = 0
  for (const { key, sha256 } of segments) {
    const one = open.get(key)
    if (one === undefined) continue
    if (one.sha256 !== sha256)
      damaged.push({ key, problem: 'sha256 in its digest', expected: sha256, found: one.sha256 })
    digestOf.set(key, n)
    open.delete(key)
    taken++
  }
  return taken
}

async function signature(store: Store, n: number, bytes: Buffer): Promise<{ signed: boolean; damage: Damage[] }> {
  const key = signatureKey(n)
  const armored = (await store.get(key))?.body.toString('latin1')
  const signer = armored === undefined ? null : signerOf(bytes, digestNamespace, armored)
  if (signer !== null && typeof signer !== 'string') return { signed: true, damage: [] }
  return { signed: false, damage: [{ key, problem: 'signature', expected: 'a signature', found: signer }] }
}
