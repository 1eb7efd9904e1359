/** The chain of digests, as the archive holds it. */

import type { ReadDigest } from '../core/digest.ts'
import { digestKey, digestPrefix, parseDigestKey, readDigest, signatureKey } from '../core/digest.ts'
import { sha256 } from '../core/hash.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'

/** A digest by its number. `read` is null where it is missing or damaged: the chain goes on all the same, and `verify` tells. */
export interface ChainLink {
  n: number
  /** Of the bytes that are there; null: none are. */
  sha256: string | null
  read: ReadDigest | null
  problem: GleanerError | null
}

/** Throws `store-*` where the archive cannot be read, `archive-newer`. */
export async function linkAt(store: Store, n: number): Promise<ChainLink> {
  const key = digestKey(n)
  const body = (await store.get(key))?.body ?? null
  if (body === null) {
    const problem = new GleanerError('store-damaged', { operation: 'read', subject: key, message: 'it is missing' })
    return { n, sha256: null, read: null, problem }
  }
  try {
    const read = readDigest(body, key)
    return { n, sha256: read.sha256, read, problem: null }
  } catch (error) {
    if (!isGleanerError(error, 'store-damaged')) throw error
    return { n, sha256: sha256(body), read: null, problem: error }
  }
}

/** The greatest number that a digest or a signature has; 0: there is none. Some 2 log2(n) list requests. */
export async function lastDigestNumber(store: Store): Promise<number> {
  const isAfter = async (n: number): Promise<boolean> =>
    (await store.list(digestPrefix, { after: signatureKey(n), limit: 1 })).objects.some(({ key }) =>
      parseDigestKey(key),
    )
  if (!(await isAfter(0))) return 0
  let low = 0
  let high = 1
  for (; await isAfter(high); high *= 2) low = high
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await isAfter(middle)) low = middle
    else high = middle
  }
  return high
}

export interface ListedDigest {
  n: number
  hasDigest: boolean
  hasSignature: boolean
  /** When the newer of both was stored. */
  storedAtMs: number
}

/** All numbers after `after` that a digest or a signature has, in order. */
export async function* digestNumbers(store: Store, after = 0): AsyncGenerator<ListedDigest> {
  let one: ListedDigest | null = null
  for (let from = signatureKey(after); ; ) {
    const { objects, more } = await store.list(digestPrefix, { after: from })
    for (const { key, storedAtMs } of objects) {
      const parsed = parseDigestKey(key)
      if (parsed === null) continue
      if (one !== null && one.n !== parsed.n) yield one
      if (one === null || one.n !== parsed.n) one = { n: parsed.n, hasDigest: false, hasSignature: false, storedAtMs }
      if (parsed.kind === 'json') one.hasDigest = true
      else one.hasSignature = true
      one.storedAtMs = Math.max(one.storedAtMs, storedAtMs)
    }
    const last = objects.at(-1)?.key
    if (!more || last === undefined) break
    from = last
  }
  if (one !== null) yield one
}
