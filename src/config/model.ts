import type { Location } from './location.ts'
import type { Secret } from './secret.ts'

/**
 * The configuration in force: deeply frozen, defaults filled in, durations as ms, sizes as bytes, secrets read and
 * wrapped. What depends on a root's format (header, rotation, old directories) is left as it was given.
 */
export interface Config {
  /** The file it came from, or null where flags replaced it. */
  readonly file: string | null
  readonly node: string
  readonly roles: readonly Role[]
  readonly archive: Location
  /** Where `derived/` goes; the archive itself unless another place is named. */
  readonly derived: Location
  readonly s3: S3Config
  readonly redis: RedisConfig | null
  readonly roots: readonly RootConfig[]
  readonly seal: { readonly bytes: number; readonly ageMs: number }
  readonly settle: { readonly readMs: number; readonly tailMs: number; readonly finalMs: number }
  readonly limits: {
    readonly lineBytesMax: number
    readonly storeBytesInFlight: number
    readonly proveBytesPerSecond: number
  }
  readonly reconcile: {
    readonly every: Every
    readonly fullEveryMs: number
    readonly metadataPerSecondMax: number
    readonly deadlineMs: number
  }
  readonly feed: {
    readonly since: 'now' | 'all'
    readonly maxAgeMs: number
    readonly maxBytes: number
    readonly recordBytesMax: number
  }
  /** How often a process with the role `work` builds tables; null: it builds none. */
  readonly tables: { readonly every: Every } | null
  /** The private key as its file holds it, or null: no digests are signed. */
  readonly sign: { readonly key: Secret; readonly everyMs: number } | null
  readonly serve: {
    readonly host: string
    readonly port: number
    readonly token: Secret | null
    readonly showRecords: boolean
  }
  readonly log: { readonly level: LogLevel }
}

export type Role = 'listen' | 'reconcile' | 'work' | 'serve'
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
export type FormatName = 'lsf' | 'pbs' | 'slurm' | 'gridengine' | 'htcondor' | 'jsonl' | 'csv' | 'lines'
export type Every =
  | { readonly kind: 'interval'; readonly ms: number }
  | { readonly kind: 'cron'; readonly expression: string }

interface S3Config {
  readonly endpoint?: string
  readonly region?: string
  readonly forcePathStyle: boolean
  readonly objectLock: { readonly mode: 'COMPLIANCE' | 'GOVERNANCE'; readonly days: number } | null
}

export interface RedisConfig {
  /** `redis://` or `rediss://` (TLS) with host, port and database; without credentials. */
  readonly url: string
  readonly username?: string
  readonly password: Secret | null
  /** Null: plain TCP. PEM texts; without `ca` the system's authorities count. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: Secret } | null
  /** `host:port` of each; empty: no Sentinel. With sentinels the URL's host is not used. */
  readonly sentinels: readonly string[]
  /** The name that the sentinels know the master by. */
  readonly sentinelName: string
  readonly cluster: boolean
}

export interface RootConfig {
  readonly name: string
  /** Where this node mounts it: absolute, normalized. */
  readonly path: string
  /** `path` and `paths` as given, for showing. */
  readonly mounts: { readonly path: string; readonly paths: Readonly<Record<string, string>> }
  readonly include: readonly string[]
  /** Without `alwaysExcluded`, which the reader of this adds. */
  readonly exclude: readonly string[]
  readonly format: FormatName
  readonly timezone?: string
  readonly rotation?: 'none' | readonly { readonly match: string }[]
  /** Each ends with `/`. */
  readonly oldDirectories?: readonly string[]
  readonly remote: 'auto' | boolean
  readonly header?: 'none' | { readonly lines: number } | { readonly prefix: string }
  readonly files: 'appended' | 'whole'
}

/** Left out of every root, whatever it includes: what NFS and editors leave behind. Matched against the file's name. */
export const alwaysExcluded: readonly string[] = ['.nfs*', '*.swp', '*~', '*.tmp']

export const roleNames: readonly Role[] = ['listen', 'reconcile', 'work', 'serve']
export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export const formatNames: readonly FormatName[] = [
  'lsf',
  'pbs',
  'slurm',
  'gridengine',
  'htcondor',
  'jsonl',
  'csv',
  'lines',
]
export const formatsWithoutZone: readonly FormatName[] = ['pbs', 'slurm']
