import type { OpenAnomaly, Waiting } from '../core/status.ts'

/**
 * What the roles tell about themselves: one method per fact. Adapters turn facts into Prometheus metrics and log lines.
 * No fact carries the content of a record, a user's name or a secret; `latest` alone does, for whoever may show records.
 */
export interface Telemetry {
  archived(root: string, segment: { source: string; path: string; start: number; end: number; lines: number }): void
  published(
    root: string,
    facts: {
      source: string
      path: string
      records: number
      types: Record<string, number>
      malformed: number
      /** The last of them, at most `most`, the newest last. Costs nothing unless it is called, at once. Never for a log. */
      latest: (most: number) => PublishedRecord[]
    },
  ): void
  change(root: string, seenBy: 'inotify' | 'reconcile'): void
  pass(root: string, facts: PassFacts): void
  rootUp(root: string, up: boolean, reason?: string): void
  rootBlind(root: string, blind: boolean): void
  waiting(
    root: string,
    /** `longest`: the paths with the most bytes that wait, at most 50. */
    facts: Waiting & { longest: string[] },
  ): void
  /** How far the consumer groups of the records stream are behind; null: it cannot be told. */
  feedLags(root: string, groups: { group: string; records: number }[] | null): void
  /** How many nodes have made a full pass lately. */
  reconcilers(root: string, count: number): void
  /** `id`: under which it is kept, if it is. */
  anomaly(root: string, anomaly: { kind: string; subject: string; detail: string; id?: string; path?: string }): void
  /** A digest that is the newest now, whoever made it. Its hash in a log elsewhere shows later that it was there. */
  digest(digest: { n: number; toMs: number; sha256: string }): void
  /** Counted by kind, and all of them, the newest first. */
  openAnomalies(counts: Record<string, number>, open: OpenAnomaly[]): void
  storeRequest(operation: string, outcome: string, ms: number): void
  redisRequest(operation: string, outcome: string, ms: number): void
  metadataCalls(root: string, count: number): void
  /** Something an operator should know but need not act on. */
  notice(message: string, facts: Record<string, unknown>): void
  /** Something an operator must act on. */
  trouble(error: unknown, facts: Record<string, unknown>): void
}

export interface PassFacts {
  full: boolean
  files: number
  signalled: number
  ms: number
  /** The longest a change can stay unseen by the reconciler with the schedule in force, ms. */
  worstDetectionMs: number
}

export interface PublishedRecord {
  type: string
  bytes: number
  raw: Buffer
}
