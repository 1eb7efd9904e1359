/**
 * The digests of an archive: numbered without a gap, chained, signed, and each as the archive is (roles/digest-check.ts).
 *
 * A chain of digests shows everything but the loss of its own end: who wants to see that, keeps the number and the hash of the newest one
 * elsewhere, where a collector's log or `digest list` shows them.
 */

import type { ReadDigest } from '../core/digest.ts'
import { digestKey, digestNamespace, signatureKey } from '../core/digest.ts'
import type { Damage, Findings, Gap } from '../core/findings.ts'
import type { PublicKey } from '../core/ssh-key.ts'
import { signerOf } from '../core/ssh-signature.ts'
import type { Store } from '../ports/store.ts'
import { digestNumbers, linkAt } from '../roles/digest-chain.ts'
import { checkDigest, openBoundaries } from '../roles/digest-check.ts'

export interface DigestsReport {
  checked: number
  /** With a signature that is good, by one of the keys where any were given. */
  signed: number
  unsigned: number
  /** How many keys were given to trust; 0: signatures were checked only against the keys that they name. */
  trustedKeys: number
  last: { n: number; to: string; sha256: string } | null
}

export interface DigestsToVerify {
  /** Only objects of this root; null: all. The digests themselves are all checked. */
  root: string | null
  keys: PublicKey[]
  report: Findings & { digests: DigestsReport }
}

/** Adds what it finds to the report. Throws `store-*` where the archive cannot be read, `archive-newer`. */
export async function verifyDigests(store: Store, { root, keys, report }: DigestsToVerify): Promise<void> {
  const checking = { store, boundaryOf: openBoundaries(store), root }
  const { digests } = report
  digests.trustedKeys = keys.length
  const told = new Set<string>()
  let previous: ReadDigest | null = null
  let expected = 1
  for await (const { n } of digestNumbers(store)) {
    if (n > expected) {
      const found = `the next is ${n}`
      report.damaged.push({ key: digestKey(expected), problem: 'missing', expected: 'a digest', found })
    }
    const { read, problem }: Awaited<ReturnType<typeof linkAt>> = await linkAt(store, n)
    if (problem)
      report.damaged.push({ key: digestKey(n), problem: 'digest', expected: 'a digest', found: problem.message })
    if (read) {
      const findings = await checkDigest(checking, read, { n, previous: n === expected ? previous : null })
      report.damaged.push(...findings.damaged)
      addGaps(report.missing, findings.missing, told)
      const damaged = await signatureDamage(store, read, { n, keys })
      report.damaged.push(...damaged)
      digests[damaged.length === 0 ? 'signed' : 'unsigned']++
      digests.checked++
      digests.last = { n, to: read.digest.to, sha256: read.sha256 }
    }
    previous = read
    expected = n + 1
  }
}

/** Without those that lie within a gap that was found before, and without those that an earlier digest told of. */
function addGaps(known: Gap[], gaps: Gap[], told: Set<string>): void {
  for (const gap of gaps) {
    const { root, source, at, upTo } = gap
    const id = `${source} ${at}`
    const isWithin = (other: Gap): boolean =>
      other.root === root && other.source === source && other.at <= at && other.upTo >= upTo
    if (!told.has(id) && !known.some(isWithin)) known.push(gap)
    told.add(id)
  }
}

async function signatureDamage(
  store: Store,
  { bytes }: ReadDigest,
  { n, keys }: { n: number; keys: PublicKey[] },
): Promise<Damage[]> {
  const key = signatureKey(n)
  const armored = (await store.get(key))?.body.toString('latin1')
  if (armored === undefined) return [{ key, problem: 'signature', expected: 'a signature', found: null }]
  const signer = signerOf(bytes, digestNamespace, armored)
  if (typeof signer === 'string')
    return [{ key, problem: 'signature', expected: `a signature of ${digestKey(n)}`, found: signer }]
  if (keys.length === 0 || keys.some(({ line }) => line === signer.line)) return []
  const expected = keys.map(({ fingerprint }) => fingerprint).join(' or ')
  return [{ key, problem: 'signed by another key', expected, found: signer.fingerprint }]
}
