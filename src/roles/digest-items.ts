/** Objects of the archive → what a digest says of them, and which of them there are. */

import { readBoundary } from '../core/boundary.ts'
import type { DigestItems } from '../core/digest.ts'
import { digestKind } from '../core/digest.ts'
import { sha256 } from '../core/hash.ts'
import type { SegmentHeader } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { Listed, Store } from '../ports/store.ts'
import { headerAt } from './ledger.ts'

const readAtOnce = 16
const pageKeys = 10_000
/** In the order of their keys. */
const listedPrefixes = ['boundaries', 'journal', 'revisions', 'segments'].map((name) => `evidence/${name}/`)

export function segmentItem(key: string, header: SegmentHeader): DigestItems['segments'][number] {
  const { family, path, start, end, lines, firstTime, lastTime, sha256: hash, chain } = header
  return { key, family, path, start, end, lines, firstTime, lastTime, sha256: hash, chain }
}

/**
 * The items of these keys, by key. What is not there (any more) is left out; so is what is damaged, which is given as `damaged`: it must not keep
 * the others from being signed, and `verify` tells of it.
 */
export async function digestItems(
  store: Store,
  keys: string[],
): Promise<DigestItems & { damaged: { key: string; error: Error }[] }> {
  const items: DigestItems = { segments: [], revisions: [], anomalies: [], expired: [] }
  const damaged: { key: string; error: Error }[] = []
  const sorted = [...keys].sort()
  for (let at = 0; at < sorted.length; at += readAtOnce) {
    const some = sorted.slice(at, at + readAtOnce).map(async (key) => {
      try {
        return await addItem(store, key)
      } catch (error) {
        if (!isGleanerError(error, 'store-damaged')) throw error
        damaged.push({ key, error })
        return null
      }
    })
    for (const add of await Promise.all(some)) add?.(items)
  }
  return { ...items, damaged }
}

/** Reads one, and gives what puts it in its place. */
async function addItem(store: Store, key: string): Promise<((items: DigestItems) => void) | null> {
  const kind = digestKind(key)
  if (kind === 'segments' || kind === 'revisions') {
    const header = await headerAt(store, key)
    if (header === null) return null
    const { start, end, sha256: hash } = header
    if (kind === 'segments') return ({ segments }) => void segments.push(segmentItem(key, header))
    return ({ revisions }) => void revisions.push({ key, start, end, sha256: hash })
  }
  const body = (await store.get(key))?.body
  if (body === undefined) return null
  if (kind === 'anomalies') return ({ anomalies }) => void anomalies.push({ key, sha256: sha256(body) })
  const { end, chain } = readBoundary(body, key)
  return ({ expired }) => void expired.push({ key, end, chain, sha256: sha256(body) })
}

/** Everything that may stand in a digest, in the order of keys, after a key; null: from the beginning. */
export async function* digestObjects(store: Store, after: string | null): AsyncGenerator<Listed> {
  for (const prefix of listedPrefixes) {
    if (after !== null && after >= prefix && !after.startsWith(prefix)) continue
    let from = after?.startsWith(prefix) ? after : undefined
    for (;;) {
      const page = await store.list(prefix, from === undefined ? { limit: pageKeys } : { after: from, limit: pageKeys })
      yield* page.objects.filter(({ key }) => digestKind(key) !== null)
      from = page.objects.at(-1)?.key
      if (!page.more || from === undefined) break
    }
  }
}
