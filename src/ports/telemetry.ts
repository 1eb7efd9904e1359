/**
 * What the roles tell about themselves: one method per fact. Adapters turn facts into Prometheus metrics and log lines.
 * No fact carries the content of a record, a user's name or a secret.
 */
export interface Telemetry {
  archived(root: string, segment: { source: string; start: number; end: number; lines: number }): void
  published(
    root: string,
    facts: { source: string; records: number; types: Record<string, number>; malformed: number },
  ): void
  change(root: string, seenBy: 'inotify' | 'reconcile'): void
  pass(root: string, facts: PassFacts): void
  rootUp(root: string, up: boolean, reason?: string): void
  rootBlind(root: string, blind: boolean): void
  waiting(
    root: string,
    facts: { unarchivedBytes: number; oldestUnarchivedAgeMs: number; oldestUnprovenAgeMs: number },
  ): void
  /** How far the consumer groups of the records stream are behind; null: it cannot be told. */
  feedLags(root: string, groups: { group: string; records: number }[] | null): void
  /** How many nodes have made a full pass lately. */
  reconcilers(root: string, count: number): void
  anomaly(root: string, anomaly: { kind: string; subject: string; detail: string }): void
  /** A digest that is the newest now, whoever made it. Its hash in a log elsewhere shows later that it was there. */
  digest(digest: { n: number; toMs: number; sha256: string }): void
  openAnomalies(counts: Record<string, number>): void
  storeRequest(operation: string, outcome: string, ms: number): void
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
