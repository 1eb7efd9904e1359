/** How far the archive of a root reaches, told by one listing. */

import { parseSegmentKey, segmentPrefix } from '../core/segment.ts'
import type { Listed } from '../ports/store.ts'
import type { RootContext } from './context.ts'

const page = 10_000

export interface Reach {
  last: Listed
  /** The last one that was stored by the time asked for. */
  stored: Listed | null
}

/** How far the archive of each source reaches, by one listing of the root's segments. */
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
    if (!more || after === undefined) return sources
  }
}
