/**
 * Every error that Gleaner raises on purpose: a code from a closed list, the operation, its subject and its cause.
 * A code says whether trying again later can help, and what a person can do about it.
 */

const codes = {
  // configuration and usage: exit status 2
  'config-invalid': { retry: false, remedy: 'correct the configuration; `gleaner config check` names the line' },
  'config-missing': {
    retry: false,
    remedy: 'pass --config FILE, set GLEANER_CONFIG, or use --path, --format and --archive',
  },
  usage: { retry: false, remedy: 'see `gleaner --help`' },
  'rules-frozen': {
    retry: false,
    remedy: 'restore the rules that the archive was begun with, or collect into a new archive',
  },
  'archive-newer': { retry: false, remedy: 'use a Gleaner at least as new as the one that wrote this archive' },

  // files
  'file-gone': { retry: true, remedy: 'nothing: the next pass looks again' },
  'file-changed': { retry: true, remedy: 'nothing: the next pass looks again' },
  'file-unreadable': { retry: true, remedy: 'give the collector read permission on the file' },
  'file-not-regular': { retry: false, remedy: 'only regular files are collected; move it or exclude it' },
  'file-outside': {
    retry: false,
    remedy: 'the path leaves its root; remove the symlink or configure its target as a root',
  },
  'file-torn': {
    retry: true,
    remedy: 'a compressed file ends too early or is damaged; it is tried again, then restore it from a copy',
  },
  'file-io': { retry: true, remedy: 'check the mount and the kernel log' },
  'root-unavailable': {
    retry: true,
    remedy: 'mount the root, renew its token or permissions; nothing is taken for deleted meanwhile',
  },
  'root-stalled': { retry: true, remedy: 'the mount does not answer; check its server. Other roots go on' },
  'watch-limit': {
    retry: false,
    remedy: 'raise fs.inotify.max_user_watches (sysctl); until then the reconciler finds changes',
  },
  'watch-failed': { retry: true, remedy: 'check the inotify limits; until then the reconciler finds changes' },

  // object store
  'store-unreachable': {
    retry: true,
    remedy: 'check the endpoint, the network and the store; nothing is lost meanwhile',
  },
  'store-denied': { retry: true, remedy: 'check the credentials and the policy of the bucket or directory' },
  'store-missing': { retry: true, remedy: 'create the bucket or directory, or correct `archive`' },
  'store-full': { retry: true, remedy: 'free space in the store; collecting goes on by itself' },
  'store-unfit': {
    retry: false,
    remedy: 'this store cannot hold an archive safely; use one that honours If-None-Match on PUT',
  },
  'store-damaged': { retry: false, remedy: 'run `gleaner verify`; an object does not hold what its header says' },

  // Redis
  'redis-unreachable': { retry: true, remedy: 'check redis.url and the server; archiving goes on meanwhile' },
  'redis-denied': { retry: true, remedy: 'check redis.username, redis.passwordFile and the ACL' },
  'redis-unfit': { retry: false, remedy: 'use Redis 6.2 or newer with maxmemory-policy noeviction' },
  'redis-wrong-type': {
    retry: true,
    remedy: 'another program uses a key of this root; remove that key or rename the root',
  },
  'redis-other-archive': {
    retry: false,
    remedy: 'this Redis publishes another archive; use another Redis or the same archive',
  },

  // records
  'record-malformed': { retry: false, remedy: 'the raw bytes are kept; see the entry' },
  expired: {
    retry: false,
    remedy: 'ask for what was collected later; `verify` and the boundary tell what there was',
  },
  'not-found': { retry: false, remedy: 'list what there is: `gleaner sources`, `gleaner anomalies`' },

  // tables and queries
  'query-failed': {
    retry: false,
    remedy: 'correct the SQL; `gleaner query "DESCRIBE jobs"` and `"DESCRIBE records"` show the columns',
  },
  'table-missing': {
    retry: true,
    remedy: 'run `gleaner tables build`: it makes again, from the archive, what is missing',
  },
  'duckdb-missing': {
    retry: false,
    remedy: 'run it where Gleaner is installed whole (`npm ci`), or in the image that has DuckDB, not in `collector`',
  },
  internal: { retry: false, remedy: 'report this with the log' },
} as const

export type ErrorCode = keyof typeof codes

export interface ErrorFacts {
  /** What was being done: `look`, `create`, `publish`. */
  operation: string
  /** What it was done to: a path, a key, a root. Never a secret, never a record's content. */
  subject: string
  /** What was seen and what was expected, in one sentence. */
  message?: string
  cause?: unknown
}

export class GleanerError extends Error {
  readonly code: ErrorCode
  readonly operation: string
  readonly subject: string

  constructor(code: ErrorCode, facts: ErrorFacts) {
    super(`${facts.operation} ${facts.subject}: ${facts.message ?? messageOf(facts.cause) ?? code}`, {
      cause: facts.cause,
    })
    this.name = 'GleanerError'
    this.code = code
    this.operation = facts.operation
    this.subject = facts.subject
  }

  /** Whether the same call may succeed later with nobody doing anything about it. */
  get retry(): boolean {
    return codes[this.code].retry
  }

  /** What a person can do about it. */
  get remedy(): string {
    return codes[this.code].remedy
  }
}

/** True for a GleanerError, of one of `wanted` where any are named. */
export function isGleanerError(error: unknown, ...wanted: ErrorCode[]): error is GleanerError {
  return error instanceof GleanerError && (wanted.length === 0 || wanted.includes(error.code))
}

/** The text of any thrown value. */
export function messageOf(error: unknown): string | undefined {
  if (error === undefined || error === null) return undefined
  if (error instanceof Error) return error.message
  return typeof error === 'string' ? error : 'an error that is no Error'
}
