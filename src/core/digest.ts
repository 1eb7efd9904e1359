/**
 * A digest: what was committed to the archive since the digest before it, bound to it by its hash, and signed. The chain within a source shows
 * that nothing in it was changed; only a digest shows that a source's last segments, or whole sources, are still there.
 *
 *     evidence/digests/<n>.json   created once; n in 16 digits counts up from 1 in the whole archive, without a gap
 *     evidence/digests/<n>.sig    an SSH signature of exactly those bytes, namespace `gleaner-digest`
 *
 * `previous` is the SHA-256 of the bytes of digest n - 1, null in the first. `from` and `to` are times of the store's clock; `from` is the `to` before.
 * At most `digestItemsMax` objects stand in one digest; what is more stands in the next. An object may stand in several.
 *
 * A list of the whole archive finds, once a day, what nobody told of. `listed` says how far that is: all that was stored before `to` stands in
 * this digest or one before it; `began` and `after` belong to a list that goes on in the next digest, at the key after `after`.
 */

import { GleanerError } from '../errors.ts'
import { parseBoundaryKey } from './boundary.ts'
import { sha256 } from './hash.ts'
import { parseRevisionKey, parseSegmentKey } from './segment.ts'
import type { SigningKey } from './ssh-key.ts'
import { sshSignature } from './ssh-signature.ts'

export const digestNamespace = 'gleaner-digest'
export const digestPrefix = 'evidence/digests/'
export const digestItemsMax = 10_000

/** As a store takes it. */
const plainName = /^[\x21-\x2d\x30-\x7e][\x21-\x2e\x30-\x7e]{0,254}$/

export interface DigestSegment {
  key: string
  family: string
  path: string
  start: number
  end: number
  lines: number
  firstTime: string | null
  lastTime: string | null
  sha256: string
  chain: string
}

export interface DigestProof {
  source: string
  path: string
  end: number
  at: string
  node: string
}

export interface Digest {
  v: 1
  n: number
  previous: string | null
  from: string | null
  to: string
  segments: DigestSegment[]
  /** Where each source of `segments` ends, and its chain there. */
  heads: { source: string; path: string; end: number; chain: string }[]
  proven: DigestProof[]
  /** `sha256` is of the raw bytes, as the header says. */
  revisions: { key: string; start: number; end: number; sha256: string }[]
  /** Anomalies and acknowledgements; `sha256` is of the object. */
  anomalies: { key: string; sha256: string }[]
  /** Boundaries; `chain` is that at `end`, `sha256` is of the object. */
  expired: { key: string; end: number; chain: string; sha256: string }[]
  listed: Listed
  node: string
  /** The public key of who made it, to be compared with one that is known from elsewhere. */
  signer: string
}

export interface Listed {
  to: string | null
  began: string | null
  after: string | null
}

/** Objects of the archive that stand in a digest. */
export type DigestItems = Pick<Digest, 'segments' | 'revisions' | 'anomalies' | 'expired'>

export function digestKey(n: number): string {
  return `${digestPrefix}${String(n).padStart(16, '0')}.json`
}

export function signatureKey(n: number): string {
  return digestKey(n).replace(/json$/, 'sig')
}

/** Key of a digest or of its signature → n, or null for anything else. */
export function parseDigestKey(key: string): { n: number; kind: 'json' | 'sig' } | null {
  const match = /^evidence\/digests\/(\d{16})\.(json|sig)$/.exec(key)
  return match ? { n: Number(match[1]), kind: match[2] as 'json' | 'sig' } : null
}

/** What kind of object a digest takes this key for; null: it stands in none, or no store could hold it. Keys may come from outside. */
export function digestKind(key: string): keyof DigestItems | null {
  if (key.length > 900 || !key.split('/').every((name) => plainName.test(name))) return null
  if (parseSegmentKey(key)) return 'segments'
  if (parseRevisionKey(key)) return 'revisions'
  if (parseBoundaryKey(key)) return 'expired'
  return /^evidence\/journal\/[^/]+\/(?!pass-)[^/]+\.json$/.test(key) ? 'anomalies' : null
}

export function headsOf(segments: DigestSegment[]): Digest['heads'] {
  const heads = new Map<string, Digest['heads'][number]>()
  for (const { key, path, end, chain } of segments) {
    const source = parseSegmentKey(key)?.source as string
    if (end >= (heads.get(source)?.end ?? 0)) heads.set(source, { source, path, end, chain })
  }
  return [...heads.values()]
}

export function digestBytes(digest: Digest): Buffer {
  return Buffer.from(`${JSON.stringify(digest)}\n`)
}

export function digestSignature(bytes: Buffer, key: SigningKey): Buffer {
  return Buffer.from(sshSignature(bytes, digestNamespace, key))
}

/** A digest as it was read, with the hash that the next one carries. */
export interface ReadDigest {
  digest: Digest
  bytes: Buffer
  sha256: string
}

/** Throws `store-damaged` for anything that is not a whole digest, `archive-newer`. */
export function readDigest(bytes: Buffer, key: string): ReadDigest {
  const damaged = (message: string): GleanerError =>
    new GleanerError('store-damaged', { operation: 'read', subject: key, message })
  let digest: Digest
  try {
    digest = JSON.parse(bytes.toString('utf8')) as Digest
  } catch {
    throw damaged('it is not the JSON that was written')
  }
  if (digest === null || typeof digest !== 'object') throw damaged('it is not the JSON that was written')
  if (digest.v !== 1) {
    const message = `digest version ${String(digest.v)}, this Gleaner knows 1`
    throw new GleanerError('archive-newer', { operation: 'read', subject: key, message })
  }
  const lists = [digest.segments, digest.heads, digest.proven, digest.revisions, digest.anomalies, digest.expired]
  const isOfKind = (kind: keyof DigestItems): boolean =>
    digest[kind].every(({ key }) => typeof key === 'string' && digestKind(key) === kind)
  const isWhole =
    Number.isSafeInteger(digest.n) &&
    typeof digest.to === 'string' &&
    typeof digest.listed === 'object' &&
    digest.listed !== null &&
    lists.every((list) => Array.isArray(list) && list.every((item) => item !== null && typeof item === 'object')) &&
    (['segments', 'revisions', 'anomalies', 'expired'] as const).every(isOfKind)
  if (!isWhole) throw damaged('it lacks fields')
  return { digest, bytes, sha256: sha256(bytes) }
}
