/** How far the archive of a root reaches, told by listing it. */

import { parseSegmentKey, segmentPrefix } from '../core/segment.ts'
import type { Listed } from '../ports/store.ts'
import { boundaryKeys } from './boundaries.ts'
import type { RootContext } from './context.ts'

const page = 10_000

export interface Reach {
  last: Listed
  /** The last one that was stored by the time asked for; what has expired was. A boundary's key stands for its last segment. */
  stored: Listed | null
}

/** How far the archive of each source reaches, by one listing of the root's segments and one of its boundaries. */
export async function reachOf(context: Pick<RootContext, 'root' | 'store'>, byMs: number): Promise<Map<string, Reach>> {
  const sources = new Map<string, Reach>()
  const prefix = segmentPrefix(context.root.name)
  for (let after: string | undefined; ; ) {
    const { objects, more } = await context.store.list(
      prefix,
      after === undefined ? { limit: page } : { after, limit: page },
    )
    for (const listed of objects) {
      const source = parseSegmentKey(listed.key)?.source
      if (!source) continue
      const stored = listed.storedAtMs <= byMs ? listed : (sources.get(source)?.stored ?? null)
      sources.set(source, { last: listed, stored })
    }
    after = objects.at(-1)?.key
    if (!more || after === undefined) break
  }
  // After the segments: a boundary is there before the first of its segments goes.
  for (const [source, { key }] of await boundaryKeys(context.store, context.root.name)) {
    const boundary: Listed = { key, size: 0, storedAtMs: 0 }
    const reach = sources.get(source)
    if (!reach?.stored) sources.set(source, { last: reach?.last ?? boundary, stored: boundary })
  }
  return sources
}
