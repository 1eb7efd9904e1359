/**
 * What the next digest should hold: the objects that this process created or heard announced, and what it proved. Kept until a digest holds them,
 * whoever made it. Bounded: what is too much is dropped, and a list of the archive then finds it (`missed`).
 */

import type { Digest, DigestProof } from '../core/digest.ts'
import { digestKind } from '../core/digest.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'

const keysMax = 100_000
const proofsMax = 100_000

export interface Proof {
  source: string
  path: string
  end: number
}

export interface DigestNews {
  /** A key that this process created, or was told of. Any that stands in no digest is left out. */
  created(key: string): void
  proven(proof: Proof): void
  /** The oldest, at most so many. */
  keys(count: number): string[]
  proofs(count: number): Proof[]
  /** How long the oldest has been waiting, ms; null: there is none. */
  oldestAgeMs(): number | null
  /** A digest holds these; `alsoKeys` are those that need to stand in none. */
  settle(digest: Pick<Digest, 'segments' | 'revisions' | 'anomalies' | 'expired' | 'proven'>, alsoKeys?: string[]): void
  /** Whether only a list of the archive tells what else there is. */
  missed: boolean
}

export function openDigestNews(clock: Pick<Clock, 'monotonicMs'>): DigestNews {
  const keys = new Map<string, number>()
  const proofs = new Map<string, Proof & { atMs: number }>()
  const news: DigestNews = {
    missed: false,
    created(key) {
      if (digestKind(key) === null || keys.has(key)) return
      if (keys.size < keysMax) keys.set(key, clock.monotonicMs())
      else news.missed = true
    },
    proven(proof) {
      const before = proofs.get(proof.source)
      if (before === undefined && proofs.size >= proofsMax) return
      proofs.set(proof.source, { ...proof, atMs: before?.atMs ?? clock.monotonicMs() })
    },
    keys: (count) => keys.keys().take(count).toArray(),
    proofs: (count) => proofs.values().take(count).toArray(),
    oldestAgeMs() {
      const firsts = [keys.values().next().value, proofs.values().next().value?.atMs].filter((at) => at !== undefined)
      return firsts.length === 0 ? null : clock.monotonicMs() - Math.min(...firsts)
    },
    settle({ segments, revisions, anomalies, expired, proven }, alsoKeys = []) {
      for (const list of [segments, revisions, anomalies, expired]) for (const { key } of list) keys.delete(key)
      for (const key of alsoKeys) keys.delete(key)
      for (const { source, end } of proven) if ((proofs.get(source)?.end ?? end + 1) <= end) proofs.delete(source)
    },
  }
  return news
}

/** A store whose creations are told. An outcome that is not known counts: what is not there when a digest is made is left out of it. */
export function noticingStore(store: Store, news: Pick<DigestNews, 'created'>): Store {
  return {
    ...store,
    async create(key, body) {
      const outcome = await store.create(key, body)
      news.created(key)
      return outcome
    },
  }
}

/** As a digest shows it. */
export function digestProof(proof: Proof, { at, node }: { at: string; node: string }): DigestProof {
  const { source, path, end } = proof
  return { source, path, end, at, node }
}
