/** What remains of expired segments, checked against itself, and against segments that an interrupted expiry has left. */

import type { Boundary } from '../core/boundary.ts'
import { parseBoundaryKey, readBoundary } from '../core/boundary.ts'
import { chainOf } from '../core/chain.ts'
import type { Damage } from '../core/findings.ts'
import { sha256 } from '../core/hash.ts'
import { isGleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'
import { boundaryKeys } from '../roles/boundaries.ts'
import { mapInOrder } from './concurrent.ts'
import type { Checked } from './segment-check.ts'

const objectsAtOnce = 4

/**
 * Checks the boundary that counts of each source of a root, and adds to `report`. Gives where each ends: their bodies are read again when the walk
 * comes to the source, so that memory holds none of them.
 */
export async function verifyBoundaries(
  store: Store,
  root: string,
  report: { expired: number; damaged: Damage[] },
): Promise<Map<string, { key: string; end: number }>> {
  const places = await boundaryKeys(store, root)
  for await (const damaged of mapInOrder(places.values(), objectsAtOnce, ({ key }) => boundaryDamage(store, key)))
    report.damaged.push(...damaged)
  for (const { end } of places.values()) report.expired += end
  return places
}

/** Null where it cannot be read; `verifyBoundaries` told of that. */
export async function readBoundaryAt(store: Store, key: string): Promise<Boundary | null> {
  const object = await store.get(key)
  try {
    return object && readBoundary(object.body, key)
  } catch (error) {
    if (isGleanerError(error, 'store-damaged')) return null
    throw error
  }
}

async function boundaryDamage(store: Store, key: string): Promise<Damage[]> {
  const boundary = await readBoundaryAt(store, key)
  if (boundary === null) return [{ key, problem: 'boundary', expected: 'a boundary', found: null }]
  const damaged: Damage[] = []
  const say = (problem: string, expected: string | number, found: string | number): void => {
    if (expected !== found) damaged.push({ key, problem, expected, found })
  }
  const place = parseBoundaryKey(key) as { root: string; source: string; end: number }
  for (const name of ['root', 'source', 'end'] as const) say(name, place[name], boundary[name])
  let [end, chain] = [0, place.source]
  for (const segment of boundary.segments) {
    say('segments', end, segment.start)
    chain = chainOf(chain, segment)
    end = segment.end
  }
  say('segments', boundary.end, end)
  say('chain', chain, boundary.chain)
  say('beginning', sha256(Buffer.from(boundary.beginning.bytes, 'base64')), boundary.beginning.sha256)
  return damaged
}

/** A segment before a boundary's end: it is what the boundary says of it. */
export function leftoverDamage({ key, header }: Checked, boundary: Boundary | null): Damage[] {
  if (header === null || boundary === null) return []
  const expected = boundary.segments.find(({ start }) => start === header.start)?.sha256 ?? null
  return expected === header.sha256 ? [] : [{ key, problem: 'sha256 in its boundary', expected, found: header.sha256 }]
}
