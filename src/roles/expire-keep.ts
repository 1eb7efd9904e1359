/** What is kept of segments that expire, beside their headers: the source's first bytes, and what is known of revisions. */

import type { Boundary } from '../core/boundary.ts'
import { sha256 } from '../core/hash.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { framesOf } from '../core/segment.ts'
import type { Store } from '../ports/store.ts'
import { openLedger } from './ledger.ts'
import { headerAt } from './ledger-segments.ts'

export interface Revision {
  key: string
  start: number
  n: number
}

type Kept = NonNullable<Boundary['revisions']>

/** Every revision of what begins before `end`, as the boundary before tells it or its object; null: one is gone that no boundary names. */
export async function revisionFacts(
  store: Store,
  { stock, previous, end }: { stock: { revisions: Revision[] }; previous: Boundary | null; end: number },
): Promise<Kept | null> {
  const kept: Kept = [...(previous?.revisions ?? [])]
  const isKept = ({ start, n }: Revision): boolean => kept.some((one) => one.start === start && one.n === n)
  for (const revision of stock.revisions.filter((one) => one.start < end && !isKept(one))) {
    const header = await headerAt(store, revision.key)
    if (header === null) return null
    const { start, end: to, sha256: hash, witness } = header
    kept.push({ start, end: to, n: revision.n, sha256: hash, witness })
  }
  return kept.sort((a, b) => a.start - b.start || a.n - b.n)
}

/**
 * The first bytes as the files had them when the last of these segments was made: those that are archived, or where they were archived wrong,
 * with the revisions laid over them. Null: neither is what its header says.
 */
export async function beginningFor(
  store: Store,
  { last, revisions }: { last: SegmentHeader; revisions: Revision[] },
): Promise<Boundary['beginning'] | null> {
  const { length, sha256: expected } = last.beginning
  const archived = await openLedger(store, last.root).firstBytes(last.source, length)
  const kept = (bytes: Buffer): Boundary['beginning'] => ({ length, sha256: expected, bytes: bytes.toString('base64') })
  if (sha256(archived) === expected) return kept(archived)
  for (const { key } of revisions.filter(({ start }) => start < length)) {
    const object = await store.get(key)
    if (!object) continue
    for (const { offset, bytes } of framesOf(object.body, key, { start: 0, end: length }))
      bytes.copy(archived, offset, 0, Math.max(0, length - offset))
    if (sha256(archived) === expected) return kept(archived)
  }
  return null
}
