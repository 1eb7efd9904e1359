/**
 * An object store: a bucket's prefix or a directory. Keys are relative, `/`-separated printable ASCII.
 *
 * Contract, the same for every adapter:
 *  - `create` is atomic and exclusive: of any number of concurrent creates of one key exactly one answers `created`. A reader
 *    sees the whole object or none. It is durable when `created` is answered. The outcome is one of three: when the adapter
 *    cannot know (lost response, 409, 5xx, time-out) it answers `unknown` with the cause, and the caller reads the key back.
 *    A refusal that is certain (denied, missing bucket, disk full) throws.
 *  - A body may come in parts, which are stored one after the other. It belongs to the caller again once the call is answered.
 *  - `get`, `list` see every object whose create was answered before the call (read-after-write).
 *  - `list` gives keys in byte order, strictly after `after`.
 *  - Objects under `evidence/` are only ever created, and never replaced. `remove` is for `derived/`, for what a probe left, and, of evidence,
 *    for `gleaner expire` alone: segments and revisions that a boundary stands for, and boundaries that a larger one replaces. Nothing else
 *    needs the right to delete evidence. In a versioned bucket a removed object is hidden by a delete marker and stays until a lifecycle
 *    rule for noncurrent versions takes it; under Object Lock not before its retention ends.
 * Errors: GleanerError `store-*`. Calls retry by themselves only reads, at most three times.
 */
export interface Store {
  /** Where it is, without credentials: `file:///var/lib/gleaner`, `s3://bucket/prefix`. Equal strings are one archive. */
  readonly url: string
  create(key: string, body: Body): Promise<CreateOutcome>
  /** The object, or the part of it in `range`; null if there is none. A range past the end gives an empty body. */
  get(key: string, range?: ByteRange): Promise<StoredObject | null>
  /** Up to `limit` (default 1000) objects whose key begins with `prefix` and sorts after `after` (a full key). */
  list(prefix: string, options?: { after?: string; limit?: number }): Promise<Listing>
  /** Creates or replaces, atomically. */
  put(key: string, body: Buffer): Promise<void>
  /** Removes; no error if there is none. */
  remove(key: string): Promise<void>
  /** The store's clock, ms since 1970: its last Date header or the mtime of a fresh file, plus monotonic time since. */
  nowMs(): Promise<number>
  /** The coarsest step of `storedAtMs`: 1000 on S3, 1 in a directory. */
  readonly clockStepMs: number
  /** What the place itself says of locking what it holds; left out where it cannot lock. Throws `store-*`. */
  bucketLock?(): Promise<BucketLock>
  close(): Promise<void>
}

export interface BucketLock {
  enabled: boolean
  /** Mode and time of the bucket's default retention; null: none. */
  byDefault: string | null
}

export type Body = Buffer | readonly Uint8Array[]

export type CreateOutcome =
  | { outcome: 'created'; storedAtMs: number }
  | { outcome: 'exists' }
  | { outcome: 'unknown'; cause: unknown }

/** First `start` bytes skipped, up to but without `end`; or the last `suffix` bytes. */
export type ByteRange = { start: number; end?: number } | { suffix: number }

export interface StoredObject {
  body: Buffer
  /** Size of the whole object in bytes. */
  size: number
  storedAtMs: number
}

export interface Listed {
  key: string
  size: number
  storedAtMs: number
}

export interface Listing {
  objects: Listed[]
  /** Whether more objects follow the last one. */
  more: boolean
}
