import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { KeyPath, Source } from './document.ts'
import { keyText } from './document.ts'
import { parseLocation } from './location.ts'
import type { Location } from './location.ts'
import type { Config, Every, RedisConfig, RootConfig } from './model.ts'
import type { Problem } from './problems.ts'
import type { Given } from './schema.ts'
import { readSigningKey } from '../core/ssh-key.ts'
import { Secret } from './secret.ts'
import { parseDuration, parseSize } from './units.ts'

/** What flags and variables put over the file. */
export interface Overrides {
  file: string | null
  node: string
  roles?: Config['roles'] | undefined
  level?: Config['log']['level'] | undefined
}

const secretBytesMax = 65_536
const oneLine = /^[\x21-\x7e]+(?:\r?\n)?$/

/**
 * A configuration of the right shape and without contradictions → the one in force. Reads the files that keys and
 * passwords are in; one that cannot be read is a problem, and then the Config is not whole.
 */
export function resolveConfig(given: Given, source: Source, over: Overrides): { config: Config; problems: Problem[] } {
  const problems: Problem[] = []
  const read = fileReader({ source, problems, directory: over.file === null ? '.' : dirname(over.file) })
  const archive = location(given.archive)
  const { seal, settle, limits, reconcile, feed, serve } = given
  const config: Config = {
    file: over.file,
    node: over.node,
    roles: over.roles ?? [...new Set(given.roles)],
    archive,
    derived: given.derived === undefined ? archive : location(given.derived),
    s3: { ...defined(given.s3), forcePathStyle: given.s3.forcePathStyle, objectLock: given.s3.objectLock ?? null },
    redis: given.redis === undefined ? null : redis(given.redis, read),
    roots: given.roots.map((root) => resolveRoot(root, over.node)),
    seal: { bytes: bytes(seal.bytes), ageMs: ms(seal.age) },
    settle: { readMs: ms(settle.read), tailMs: ms(settle.tail), finalMs: ms(settle.final) },
    limits: {
      lineBytesMax: bytes(limits.lineBytesMax),
      storeBytesInFlight: bytes(limits.storeBytesInFlight),
      proveBytesPerSecond: bytes(limits.proveBytesPerSecond),
    },
    reconcile: {
      every: every(reconcile.every),
      fullEveryMs: ms(reconcile.fullEvery),
      metadataPerSecondMax: reconcile.metadataPerSecondMax,
      deadlineMs: ms(reconcile.deadline),
    },
    feed: {
      since: feed.since,
      maxAgeMs: ms(feed.maxAge),
      maxBytes: bytes(feed.maxBytes),
      recordBytesMax: bytes(feed.recordBytesMax),
    },
    tables: given.tables === undefined ? null : { every: every(given.tables.every) },
    sign: given.sign
      ? { key: new Secret(read(['sign', 'keyFile'], given.sign.keyFile, noSigningKey)), everyMs: ms(given.sign.every) }
      : null,
    serve: {
      host: serve.host,
      port: serve.port,
      token: serve.tokenFile === undefined ? null : secretLine(read, ['serve', 'tokenFile'], serve.tokenFile),
      showRecords: serve.showRecords,
    },
    log: { level: over.level ?? given.log.level },
  }
  return { config: freeze(config), problems }
}

function resolveRoot(given: Given['roots'][number], node: string): RootConfig {
  const { path, paths, oldDirectories, ...rest } = given
  const own = Object.hasOwn(paths, node) ? paths[node] : undefined
  return {
    ...defined(rest),
    name: rest.name,
    path: resolve(own ?? path),
    mounts: { path, paths },
    include: rest.include,
    exclude: rest.exclude,
    format: rest.format,
    remote: rest.remote,
    files: rest.files,
    ...(oldDirectories && { oldDirectories: oldDirectories.map((name) => (name.endsWith('/') ? name : `${name}/`)) }),
  }
}

function redis(given: NonNullable<Given['redis']>, read: ReadFile): RedisConfig {
  const settings = typeof given === 'string' ? { url: given, sentinelName: 'mymaster', cluster: false } : given
  const { passwordFile, tls, sentinels } = settings
  const url = new URL(settings.url)
  const username = settings.username ?? (decodeURIComponent(url.username) || undefined)
  const inUrl = url.password === '' ? null : new Secret(decodeURIComponent(url.password))
  const cert = tls?.cert === undefined ? undefined : read(['redis', 'tls', 'cert'], tls.cert)
  const ca = tls?.ca === undefined ? undefined : read(['redis', 'tls', 'ca'], tls.ca)
  const key = tls?.key === undefined ? undefined : new Secret(read(['redis', 'tls', 'key'], tls.key))
  return {
    url: `${url.protocol}//${url.host}${url.pathname}`,
    ...defined({ username }),
    password: passwordFile === undefined ? inUrl : secretLine(read, ['redis', 'passwordFile'], passwordFile),
    tls: tls !== undefined || url.protocol === 'rediss:' ? defined({ ca, cert, key }) : null,
    sentinels: (sentinels ?? []).map((address) => (/:[0-9]+$/.test(address) ? address : `${address}:26379`)),
    sentinelName: settings.sentinelName,
    cluster: settings.cluster,
  }
}

/** Gives '' for a file that cannot be read, or whose text `refuse` says something about; the problem is then noted. */
type ReadFile = (key: KeyPath, path: string, refuse?: (text: string) => string | null) => string

/** Relative paths are taken from the configuration file's directory. Problems name the path as written, not as filled in. */
function fileReader(from: { source: Source; problems: Problem[]; directory: string }): ReadFile {
  return (key, path, refuse) => {
    const { text, problem } = readSmall(resolve(from.directory, path))
    const wrong = problem ?? refuse?.(text) ?? null
    if (wrong === null) return text
    const message = `cannot use ${from.source.written(key) ?? path}: ${wrong}`
    from.problems.push({ ...from.source.at(key), key: keyText(key), message })
    return ''
  }
}

function readSmall(path: string): { text: string; problem: string | null } {
  try {
    const text = readFileSync(path)
    if (text.length === 0) return { text: '', problem: 'the file is empty' }
    if (text.length > secretBytesMax) return { text: '', problem: `the file is larger than ${secretBytesMax} bytes` }
    return { text: text.toString('utf8'), problem: null }
  } catch (error) {
    return { text: '', problem: (error as NodeJS.ErrnoException).code ?? 'not a file' }
  }
}

/** A password or token: the file's one line, without the newline that editors add. */
function secretLine(read: ReadFile, key: KeyPath, path: string): Secret {
  const refuse = (text: string): string | null =>
    oneLine.test(text) ? null : 'expected one line of printable ASCII without spaces'
  return new Secret(read(key, path, refuse).replace(/\r?\n$/, ''))
}

function noSigningKey(text: string): string | null {
  const key = readSigningKey(text)
  return typeof key === 'string' ? key : null
}

function location(url: string): Location {
  const parsed = parseLocation(url)
  if (typeof parsed === 'string') throw new TypeError(parsed)
  return parsed
}

function every(given: string): Every {
  const interval = parseDuration(given)
  return interval === null ? { kind: 'cron', expression: given.trim() } : { kind: 'interval', ms: interval }
}

function ms(given: string): number {
  return parseDuration(given) ?? Number.NaN
}

function bytes(given: string): number {
  return parseSize(given) ?? Number.NaN
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the keys that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Defined<T>
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}
