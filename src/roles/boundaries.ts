/** What was expired by command, as the archive tells it. */

import type { Boundary } from '../core/boundary.ts'
import { boundaryPrefix, parseBoundaryKey, readBoundary } from '../core/boundary.ts'
import { GleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'

/** A smaller boundary goes once a larger one is there: so many may come between a listing and its read. */
const attemptsMax = 5

/** The key of each source's boundary with the largest end. Throws `store-*`. */
export async function boundaryKeys(store: Store, root: string): Promise<Map<string, { key: string; end: number }>> {
  const found = new Map<string, { key: string; end: number }>()
  const prefix = boundaryPrefix(root)
  for (let after: string | undefined; ; ) {
    const page = await store.list(prefix, after === undefined ? {} : { after })
    for (const { key } of page.objects) {
      const parsed = parseBoundaryKey(key)
      if (parsed && parsed.end >= (found.get(parsed.source)?.end ?? 0))
        found.set(parsed.source, { key, end: parsed.end })
    }
    after = page.objects.at(-1)?.key
    if (!page.more || after === undefined) return found
  }
}

/** A source's boundary, or null where nothing of it has expired. Throws `store-*`, `archive-newer`. */
export async function boundaryOf(store: Store, root: string, source: string): Promise<Boundary | null> {
  for (let attempt = 1; ; attempt++) {
    const key = (await store.list(boundaryPrefix(root, source))).objects.at(-1)?.key
    if (key === undefined) return null
    const object = await store.get(key)
    if (object) return readBoundary(object.body, key)
    if (attempt === attemptsMax) {
      const message = 'it was listed and is missing'
      throw new GleanerError('store-damaged', { operation: 'read', subject: key, message })
    }
  }
}

/**
 * `boundaryOf`, where most sources have none: one listing tells that nothing of the whole root has expired, and is shared by all who asked
 * before it began. No answer is older than its question: a source's segments go only after its boundary has come, so whoever missed
 * them before asking finds the boundary. Once the root has any, each source is asked for by itself.
 */
export function openBoundaries(store: Store, root: string): (source: string) => Promise<Boundary | null> {
  let some = false
  const ask = shared(async () => {
    some ||= await hasExpired(store, root)
  })
  return async (source) => {
    if (!some) await ask()
    return some ? boundaryOf(store, root, source) : null
  }
}

/** Whether anything of the root has expired. One request. */
export async function hasExpired(store: Store, root: string): Promise<boolean> {
  return (await store.list(boundaryPrefix(root), { limit: 1 })).objects.length > 0
}

/** Runs one call at a time, for all who asked before it began. */
function shared(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve()
  let next: Promise<void> | null = null
  const begin = (): Promise<void> => {
    next = null
    const call = run()
    running = call.catch(() => undefined)
    return call
  }
  return () => (next ??= running.then(begin))
}
