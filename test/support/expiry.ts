import { zstdCompressSync } from 'node:zlib'
import { systemClock } from '../../src/adapters/system-clock.ts'
import type { Store } from '../../src/ports/store.ts'
import type { ExpireContext, ExpiredSource, ExpireOptions } from '../../src/roles/expire.ts'
import { expire } from '../../src/roles/expire.ts'
import { settingsOf } from './root-context.ts'

/** The catalog of a pass that saw these files just now, or kept them and began when it is said: path, source, proven. */
export async function putCatalog(
  store: Store,
  files: [string, string, number][] = [],
  atMs: number = Date.now() + 60_000,
  fromMs: number = atMs,
): Promise<void> {
  const rows = files.map(([path, source, proven]) => [path, 0, '0', '0', 0, source, proven, null])
  const catalog = { v: 2, root: 'r', archive: store.url, fromMs, atMs, files: rows }
  await store.put('derived/catalog/r.json.zst', zstdCompressSync(Buffer.from(JSON.stringify(catalog))))
}

/** Expires what is older than `before` of root `r`, whenever it was stored. */
export async function expireBefore(
  store: Store,
  before: string,
  more: Partial<ExpireContext & ExpireOptions> = {},
): Promise<ExpiredSource[]> {
  const context = { root: settingsOf(), store, derived: store, feed: null, clock: systemClock, ...more }
  const options = { beforeMs: Date.parse(before), dryRun: false, settledMs: -60_000, ...more }
  const all: ExpiredSource[] = []
  for await (const one of expire(context, options)) all.push(one)
  return all
}
