import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { GleanerError } from '../errors.ts'

/** How to reach Redis: `redis` in the configuration, with the files that it names already read. */
export interface RedisSettings {
  /** `redis://` or `rediss://` (TLS): host, port, and optionally user, password and database. */
  url: string
  /** Wins over the URL's. */
  username?: string
  password?: string
  /** PEM texts. Given, even empty, it means TLS. */
  tls?: { ca?: string; cert?: string; key?: string }
  /** `host:port` of each sentinel; then the URL's host is not used. */
  sentinels?: string[]
  /** The name of the master, as the sentinels know it; default `mymaster`. */
  sentinelName?: string
  cluster?: boolean
}

type Options = Omit<RedisOptions, 'replyMapping'>

/** Starts connecting. Throws `config-invalid` for a URL that is none, without repeating it: it may hold a password. */
export function clientOf(settings: RedisSettings): Redis | Cluster {
  const { host, port, options } = parse(settings)
  if (settings.cluster === true) return new Cluster([{ host, port }], clusterOptions(options))
  if (settings.sentinels === undefined || settings.sentinels.length === 0) return new Redis({ ...options, host, port })
  return new Redis({
    ...options,
    sentinels: settings.sentinels.map(address),
    name: settings.sentinelName ?? 'mymaster',
    // Only here: asks whether the server that a sentinel named is a master (yet, still).
    enableReadyCheck: true,
    maxLoadingRetryTime: 1000,
    enableTLSForSentinelMode: options.tls !== undefined,
    ...(options.tls === undefined ? {} : { sentinelTLS: options.tls }),
    sentinelRetryStrategy: backoff,
    sentinelCommandTimeout: 2000,
  })
}

/** `host:port`, for messages. */
export function addressOf(settings: RedisSettings): string {
  if (settings.sentinels !== undefined && settings.sentinels.length > 0) return settings.sentinels.join(',')
  const { host, port } = parse(settings)
  return `${host}:${port}`
}

function parse(settings: RedisSettings): { host: string; port: number; options: Options } {
  const url = URL.canParse(settings.url) ? new URL(settings.url) : undefined
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || !/^\/?\d*$/.test(url.pathname)) {
    throw new GleanerError('config-invalid', {
      operation: 'open',
      subject: 'redis.url',
      message: 'expected redis://HOST:PORT or rediss://HOST:PORT',
    })
  }
  const username = settings.username ?? decodeURIComponent(url.username)
  const password = settings.password ?? decodeURIComponent(url.password)
  const tls = settings.tls ?? (url.protocol === 'rediss:' ? {} : undefined)
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: url.port === '' ? 6379 : Number(url.port),
    options: {
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
      db: Number(url.pathname.slice(1)),
      // RESP3 would bring nothing that is used here.
      protocol: 2,
      disableClientInfo: true,
      enableReadyCheck: false,
      enableOfflineQueue: false,
      // What was in flight when a connection ended is rejected, never sent again.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      connectTimeout: 2000,
      disconnectTimeout: 100,
      retryStrategy: backoff,
      // A master that was demoted in place: connect again, to whatever is master now.
      reconnectOnError: (error) => error.message.startsWith('READONLY'),
    },
  }
}

function clusterOptions({ retryStrategy: _retry, enableOfflineQueue: _queue, ...redisOptions }: Options) {
  return {
    // A node that is silent this long, with calls under way, is given up; the others are not.
    redisOptions: { ...redisOptions, socketTimeout: 10_000 },
    enableOfflineQueue: false,
    clusterRetryStrategy: backoff,
    slotsRefreshTimeout: 2000,
  }
}

function backoff(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), 1900) + Math.random() * 100
}

function address(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  if (colon < 1 || !Number.isInteger(port)) {
    throw new GleanerError('config-invalid', {
      operation: 'open',
      subject: 'redis.sentinels',
      message: `expected host:port, not ${text}`,
    })
  }
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port }
}
