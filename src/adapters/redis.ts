import { randomUUID } from 'node:crypto'
import { isGleanerError } from '../errors.ts'
import type { Feed } from '../ports/feed.ts'
import type { Signals } from '../ports/signals.ts'
import { type RedisAccess, redisAccess } from './redis-access.ts'
import { type Connection, openBlocking, openConnection } from './redis-connection.ts'
import { redisFeed } from './redis-feed.ts'
import { addressOf, type RedisSettings } from './redis-settings.ts'
import { redisSignals } from './redis-signals.ts'

export interface RedisAdapters {
  signals: Signals
  feed: Feed
  /** Whether this server will do. Rejects with `redis-unreachable` or `redis-denied` when it cannot be asked. */
  check: () => Promise<RedisCheck>
  /** What this user may do; `root` names keys that it may use. Rejects like `check`. */
  access: (root: string) => Promise<RedisAccess>
  close(): Promise<void>
}

export interface RedisCheck {
  ok: boolean
  /** `7.0.15`, `valkey 8.0.1`, or `unknown` where INFO is not allowed. */
  version: string
  /** maxmemory-policy, or `unknown`. */
  policy: string
  /** One sentence each; `ok` is: none. */
  problems: string[]
}

/**
 * Signals and feed of one Redis 6.2 or newer, or Valkey: single, Sentinel or Cluster. Returns at once and connects in the background;
 * calls reject with `redis-unreachable` until it has. Signals and feed have connections of their own, so a large batch
 * delays no signal. Throws `config-invalid` for a bad URL.
 */
export function openRedis(settings: RedisSettings): RedisAdapters {
  const subject = addressOf(settings)
  const feedConnection = openConnection(settings)
  const signals = redisSignals(openConnection(settings), openBlocking(settings))
  const feed = redisFeed(feedConnection, openBlocking(settings))
  return {
    signals,
    feed,
    check: () => checkRedis(feedConnection, subject),
    access: (root) => redisAccess(feedConnection, `{gleaner:${root}}:doctor-${randomUUID()}`),
    async close() {
      await Promise.all([signals.close(), feed.close()])
    },
  }
}

async function checkRedis(connection: Connection, subject: string): Promise<RedisCheck> {
  await connection.run({ operation: 'check', subject }, (client) => client.call('ping', []))
  const info = await serverInfo(connection, subject)
  const version = info.get('redis_version')
  const valkey = info.get('valkey_version')
  const policy = info.get('maxmemory_policy')
  const problems: string[] = []
  if (version !== undefined && valkey === undefined && !atLeast(version, 6, 2))
    problems.push(`Redis ${version} is older than 6.2`)
  if (policy !== undefined && policy !== 'noeviction')
    problems.push(`maxmemory-policy is ${policy}: Redis may drop what was published; set noeviction`)
  return {
    ok: problems.length === 0,
    version: valkey === undefined ? (version ?? 'unknown') : `valkey ${valkey}`,
    policy: policy ?? 'unknown',
    problems,
  }
}

async function serverInfo(connection: Connection, subject: string): Promise<Map<string, string>> {
  const ask = async (): Promise<string> =>
    String(await connection.run({ operation: 'check', subject }, (client) => client.call('info', [])))
  const text = await ask().catch((error: unknown) => {
    // PING was allowed, INFO is not: an ACL, not a wrong password.
    if (isGleanerError(error, 'redis-denied')) return ''
    throw error
  })
  return new Map(
    text.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [ours = 0, theirs = 0] = version.split('.').map(Number)
  return ours > major || (ours === major && theirs >= minor)
}
