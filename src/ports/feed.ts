/**
 * The records stream of one Redis, and the positions that make it exactly-once.
 *
 * Contract:
 *  - `publish` is one atomic step: if the root's epoch and floor are the expected ones and the source's position is the expected text,
 *    all entries are appended with consecutive `seq`, the announcements are appended, and the position becomes `next`. Otherwise nothing
 *    changes, and the outcome says what stands.
 *  - A position is opaque text here (`core/position.ts`); null is "absent".
 *  - Errors are GleanerError `redis-*`. After an error the outcome is unknown: the caller reads the position again.
 */
export interface Feed {
  /** The root's epoch, or null when Redis has none (empty or wiped). */
  epoch(root: string): Promise<Epoch | null>
  /** Sets the epoch if there is none; gives the one that stands. */
  begin(root: string, epoch: Epoch): Promise<Epoch>
  /** Marks a `starting` epoch as `open`, if it is still the one with this id. */
  open(root: string, id: string): Promise<void>
  positions(root: string, sources: string[]): Promise<(string | null)[]>
  /** Sets a position that is absent; nothing happens if it is there. Used before an epoch is open. */
  positionIfAbsent(root: string, id: string, place: { source: string; position: string }): Promise<void>
  publish(root: string, batch: Batch): Promise<PublishOutcome>
  /**
   * Moves the floor from `from` to `to` and drops each position that still equals the given text, if epoch `id` still has
   * floor `from`. Gives whether it did.
   */
  raiseFloor(root: string, change: FloorChange): Promise<boolean>
  proven(root: string, sources: string[]): Promise<(string | null)[]>
  setProven(root: string, marks: { source: string; mark: string }[]): Promise<void>
  /** The number of the last entry (0: none); going back means Redis lost writes. */
  lastSeq(root: string): Promise<number>
  /** Removes stream entries that are older than `maxAgeMs`, and the oldest above `maxBytes` (estimated). Gives how many went that some group
   *  had not read. */
  trim(root: string, bounds: { maxAgeMs: number; maxBytes: number }): Promise<{ removed: number; unread: number }>
  /** Entries after `after` (a stream id, '0' for all, '$' for new ones only); waits up to about a second when there are none. */
  read(root: string, after: string, limit: number): Promise<{ id: string; fields: Record<string, Buffer> }[]>
  /** What was announced of segments after `after` (a stream id, or store time in ms), oldest first; does not wait. */
  announced(root: string, after: string, limit: number): Promise<{ id: string; fields: Record<string, Buffer> }[]>
  /** A lease of `ttlMs` on the root's pass: true if `holder` has it now (taken or renewed). */
  lease(root: string, holder: string, ttlMs: number): Promise<boolean>
  release(root: string, holder: string): Promise<void>
  /** How many nodes have made a full pass lately. With `passed`, notes that one has, whose pass counts for `countsMs` from now. */
  reconcilers(root: string, passed?: { node: string; countsMs: number }): Promise<number>
  /** How many entries each consumer group of the records stream has not been given yet; of 50 groups at most. */
  lags(root: string): Promise<GroupLag[]>
  close(): Promise<void>
}

export interface GroupLag {
  /** As whoever made the group named it: any text. */
  group: string
  records: number
}

export interface Epoch {
  id: string
  /** The URL of the archive whose positions these are. */
  archive: string
  /** Store time, ms: a source without position counts as published up to the end of its last segment stored by then. */
  floorMs: number
  /** `starting`: a first full pass still sets positions (`feed.since: now` in a new archive); nothing is published. */
  state: 'starting' | 'open'
}

export interface Batch {
  epoch: string
  floorMs: number
  source: string
  /** The position this batch continues from. */
  expected: string | null
  next: string
  /** Stream entries, in order, without `epoch` and `seq`, which the script adds. */
  entries: Record<string, string | Buffer>[]
  /** For the segments stream. */
  announcements: Record<string, string>[]
}

export type PublishOutcome =
  | { outcome: 'published'; firstSeq: number }
  | { outcome: 'moved'; position: string | null }
  | { outcome: 'stale' }

export interface FloorChange {
  id: string
  from: number
  to: number
  drops: { source: string; position: string }[]
}
