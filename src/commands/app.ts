/**
 * What a command is given. Commands import no adapters: everything with I/O comes from here, opened when it is first asked for, so that
 * `gleaner decode` touches neither configuration nor archive. `compose.ts` makes it; `main.ts` closes it after the command.
 *
 * A command is a function `xxxCommand(program, app)` that registers itself on the commander program. Its action returns when it is
 * done, throws GleanerError where it failed (main turns that into `gleaner: ...` and an exit status), and calls `exit` for a status
 * other than 0. A process is kept alive while the action runs, whatever its timers.
 */

import type { ConfigFlags } from '../config.ts'
import type { Config, RootConfig } from '../config/model.ts'
import type { StatusSeen } from '../core/status.ts'
import type { Clock } from '../ports/clock.ts'
import type { Feed } from '../ports/feed.ts'
import type { Notify } from '../ports/notify.ts'
import type { Store } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import type { Watch } from '../ports/watch.ts'
import type { AccessFacts } from '../roles/diagnose-node.ts'
import type { RootContext } from '../roles/context.ts'

/** 0 done, 1 failed, 2 usage or configuration, 3 damage or new anomalies found. */
export type ExitStatus = 0 | 1 | 2 | 3 | 130

export interface App {
  /** `--json` was given: one JSON document (or NDJSON) on stdout. */
  readonly json: boolean
  readonly version: string
  readonly clock: Clock
  readonly env: NodeJS.ProcessEnv

  /** The configuration in force, read at the first call. Throws `config-*`, `usage`. */
  config(): Promise<Config>
  /** Flags that replace a configuration file or go over it, or another file to read; before the first `config`. */
  useFlags(flags: ConfigFlags & { file?: string }): void
  /** Reads the configuration again (SIGHUP) and takes it if it is good, else throws and the old one stays. What is open stays open. */
  reload(): Promise<Config>
  /** The configured roots, or the named one. Throws `not-found`, listing the names. */
  roots(name?: string): Promise<readonly RootConfig[]>

  /** The archive, opened (not probed), its requests counted. */
  store(): Promise<Store>
  /** Where `derived/` goes: the archive itself unless another place is configured. */
  derived(): Promise<Store>
  /** Null where no Redis is configured. Not connected yet: calls throw `redis-unreachable` until it is. */
  feed(): Promise<Feed | null>
  /** Whether Redis will do; null where none is configured. Throws `redis-unreachable`, `redis-denied`. */
  checkRedis(): Promise<{ ok: boolean; version: string; policy: string; problems: string[] } | null>
  /** What this user may do at Redis with a root's keys, how long a call takes, and what time it is there; null where none is configured. */
  redisAccess(root: string): Promise<AccessFacts | null>
  /**
   * All ports of one root, with the rules that its archive has frozen (those of the configuration where the archive has none yet;
   * nothing is written). Throws `rules-frozen` where the two differ, `archive-newer`, `store-*`. Every call opens files anew:
   * `closeContext` ends them.
   */
  context(root: RootConfig): Promise<RootContext>
  /** Starts what the next context of this root will need, so that it is there by then. Reads nothing but what is mounted. */
  prepare(root: RootConfig): Promise<void>
  /** Ends a context's threads before the process does. Resolves false if one is stuck in the kernel. */
  closeContext(context: RootContext): Promise<boolean>
  telemetry(): Promise<Telemetry & { metrics(): Promise<string>; readonly contentType: string }>
  /** What was told to telemetry lately, of the named roots; null where nobody can look at it. */
  seen(): Promise<((roots: readonly string[]) => StatusSeen) | null>
  /** A new watch on a root each time. */
  openWatch(root: RootConfig): Promise<() => Watch>
  schedule(): Promise<Schedule>
  /** The service manager, where one wants to be told. */
  notify(): Promise<Notify>
  log(): Promise<Log>
  /** What gives back to the system the memory that this process needs no more; a call takes some 10 to 100 ms. */
  givingBackMemory(): Promise<() => void>

  /** One line (or several) to stdout; the last newline is added. */
  out(text: string): void
  /** Bytes to stdout, resolved when there is room for more. Resolves false when the reader is gone (`| head`): stop then. */
  write(bytes: Buffer | string): Promise<boolean>
  /** The status the process will end with. The greatest of several counts. */
  exit(status: ExitStatus): void
  /** Closes what was opened. Resolves false if a thread is stuck in the kernel, so that only SIGKILL ends the process. */
  close(): Promise<boolean>
}

export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface Schedule {
  repeat: (
    every: Config['reconcile']['every'],
    repeated: { run: () => Promise<void>; failed: (error: unknown) => void },
  ) => { stop(): Promise<void> }
  /** The longest time between two starts, ms. */
  longestGapMs: (every: Config['reconcile']['every']) => number
}
