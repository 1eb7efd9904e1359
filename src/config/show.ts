import { z } from 'zod'
import type { Config, Every, RedisConfig, RootConfig } from './model.ts'
import { schema } from './schema.ts'
import { formatDuration, formatSize } from './units.ts'

/**
 * The configuration in force in a file's own words: what is shown can be written to a file again, but for secrets, which
 * appear as `[secret]` under the key that their file is named by.
 */
export function showConfig(config: Config): Record<string, unknown> {
  const { seal, settle, limits, reconcile, feed, sign, serve } = config
  return shown({
    archive: config.archive.url,
    derived: config.derived.url,
    s3: shown({ ...config.s3, objectLock: config.s3.objectLock ?? undefined }),
    redis: config.redis === null ? undefined : showRedis(config.redis),
    node: config.node,
    roles: [...config.roles],
    roots: config.roots.map(showRoot),
    seal: { bytes: formatSize(seal.bytes), age: formatDuration(seal.ageMs) },
    settle: {
      read: formatDuration(settle.readMs),
      tail: formatDuration(settle.tailMs),
      final: formatDuration(settle.finalMs),
    },
    limits: {
      lineBytesMax: formatSize(limits.lineBytesMax),
      storeBytesInFlight: formatSize(limits.storeBytesInFlight),
      proveBytesPerSecond: formatSize(limits.proveBytesPerSecond),
    },
    reconcile: {
      every: showEvery(reconcile.every),
      fullEvery: formatDuration(reconcile.fullEveryMs),
      metadataPerSecondMax: reconcile.metadataPerSecondMax,
      deadline: formatDuration(reconcile.deadlineMs),
    },
    feed: {
      since: feed.since,
      maxAge: formatDuration(feed.maxAgeMs),
      maxBytes: formatSize(feed.maxBytes),
      recordBytesMax: formatSize(feed.recordBytesMax),
    },
    tables: config.tables === null ? undefined : { every: showEvery(config.tables.every) },
    sign: sign === null ? undefined : { keyFile: String(sign.key), every: formatDuration(sign.everyMs) },
    serve: shown({
      host: serve.host,
      port: serve.port,
      tokenFile: serve.token === null ? undefined : String(serve.token),
      showRecords: serve.showRecords,
    }),
    log: { ...config.log },
  })
}

/** The JSON Schema of a configuration file, for editors. */
export function configSchema(): Record<string, unknown> {
  return { title: 'Gleaner configuration', ...z.toJSONSchema(schema, { io: 'input' }) }
}

function showEvery(every: Every): string {
  return every.kind === 'cron' ? every.expression : formatDuration(every.ms)
}

function showRoot(root: RootConfig): Record<string, unknown> {
  const { name, mounts, path: _path, ...rest } = root
  return { name, path: mounts.path, paths: { ...mounts.paths }, ...rest }
}

function showRedis(redis: RedisConfig): Record<string, unknown> {
  const { ca, cert, key } = redis.tls ?? {}
  return shown({
    url: redis.url,
    username: redis.username,
    passwordFile: redis.password === null ? undefined : String(redis.password),
    tls:
      redis.tls === null ? undefined : shown({ ca: ca && '[read]', cert: cert && '[read]', key: key && String(key) }),
    sentinels: redis.sentinels.length === 0 ? undefined : [...redis.sentinels],
    sentinelName: redis.sentinelName,
    cluster: redis.cluster,
  })
}

function shown(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined))
}
