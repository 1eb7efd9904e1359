/** Digests of an archive in memory or in a directory, made without a collector, at a time that the test says. */

import type { Digest } from '../../src/core/digest.ts'
import type { SigningKey } from '../../src/core/ssh-key.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Feed } from '../../src/ports/feed.ts'
import type { Store } from '../../src/ports/store.ts'
import { digestNumbers, linkAt } from '../../src/roles/digest-chain.ts'
import type { Digester } from '../../src/roles/digest.ts'
import { openDigester } from '../../src/roles/digest.ts'
import type { DigestNews } from '../../src/roles/digest-news.ts'
import { noticingStore, openDigestNews } from '../../src/roles/digest-news.ts'
import { newSigningKey } from './signing.ts'

export const hourMs = 3_600_000

export interface TestProcess extends Digester {
  news: DigestNews
  /** What is created through it is this process's news. */
  store: Store
  key: SigningKey
  troubles: unknown[]
  seen: { n: number; toMs: number; sha256: string }[]
}

/** A process that makes digests hourly. `time` moves its clock and the store's. */
export function digestProcess(
  store: Store,
  {
    time = { nowMs: Date.now() },
    feed = null,
    key = newSigningKey().key,
    node = 'test',
  }: { time?: { nowMs: number }; feed?: Feed | null; key?: SigningKey; node?: string } = {},
): TestProcess {
  const clock: Clock = { monotonicMs: () => time.nowMs, wallMs: () => time.nowMs, delay: async () => undefined }
  const news = openDigestNews(clock)
  const troubles: unknown[] = []
  const seen: { n: number; toMs: number; sha256: string }[] = []
  const telemetry = {
    digest: (one: { n: number; toMs: number; sha256: string }) => seen.push(one),
    trouble: (error: unknown) => troubles.push(error),
  }
  const timed: Store = { ...store, nowMs: async () => time.nowMs }
  const parts = { store: timed, clock, node, key, everyMs: hourMs, news, feed, roots: () => ['r'], telemetry }
  return { ...openDigester(parts), news, store: noticingStore(store, news), key, troubles, seen }
}

/** All digests of an archive, in order; each must be readable. */
export async function digestsOf(store: Store): Promise<Digest[]> {
  const digests: Digest[] = []
  for await (const { n } of digestNumbers(store)) {
    const { read, problem } = await linkAt(store, n)
    if (read === null) throw problem
    digests.push(read.digest)
  }
  return digests
}
