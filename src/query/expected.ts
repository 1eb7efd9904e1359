/** How much there is to do, for those who wait: told apart from the work itself, and never a reason to fail. */

import { parseSegmentKey, segmentPrefix } from '../core/segment.ts'
import type { Store } from '../ports/store.ts'

/** How many segments a root has, by listing them. Throws `store-*`. */
export async function countSegments(store: Store, root: string): Promise<number> {
  let count = 0
  for (let after: string | undefined; ; ) {
    const { objects, more } = await store.list(segmentPrefix(root), after === undefined ? {} : { after })
    count += objects.filter(({ key }) => parseSegmentKey(key) !== null).length
    after = objects.at(-1)?.key
    if (!more || after === undefined) return count
  }
}

/** Raw bytes of stretches that are only read from what is covered. */
export function bytesIn(
  stretches: readonly { source: string; floor: number; end: number }[],
  covered: ReadonlyMap<string, number>,
): number {
  return stretches.reduce(
    (sum, { source, floor, end }) => sum + Math.max(0, end - Math.max(floor, covered.get(source) ?? 0)),
    0,
  )
}
