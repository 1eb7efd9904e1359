import { validate as validCron } from 'node-cron'
import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { locationExpected, parseLocation } from './location.ts'
import { formatNames, logLevels, roleNames } from './model.ts'
import { refusePattern } from './pattern.ts'
import { durationPattern, parseDuration, parseSize, sizePattern } from './units.ts'

/**
 * The shape of a configuration file, in the file's own words: durations and sizes stay texts here, and `resolve.ts` turns
 * them into numbers. Every leaf's error says what was expected, and nothing about what was there. The error of a mapping
 * is the list of its keys, from which `problems.ts` finds a near miss.
 */

/** The longest that a timer of Node can wait is 2^31 - 1 ms. */
const timerMsMax = 24 * 86_400_000
const ageMsMax = 36_500 * 86_400_000
const mib = 1024 ** 2

/** A segment holds at most this much, so a longest line cannot be longer. */
const segmentBytesMax = 64 * mib

function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? Object.keys(shape).join(' ')
        : `expected a mapping of ${Object.keys(shape).join(', ')}`,
  })
}

function text(error: string, lengthMax = 4096) {
  return z
    .string({ error })
    .min(1, { error })
    .max(lengthMax, { error: `${error}, at most ${lengthMax} characters` })
}

function matching(pattern: RegExp, error: string) {
  return z.string({ error }).regex(pattern, { error })
}

function checked(check: (given: string) => boolean, error: string) {
  return text(error).refine(check, { error })
}

function choice<const Names extends readonly string[]>(names: Names) {
  return z.enum(names, { error: `expected one of ${names.join(', ')}` })
}

function duration(minMs: number, maxMs: number) {
  const error = 'expected a duration with its unit, such as 250ms, 60s, 5m, 1h or 7d'
  return matching(durationPattern, error).refine((given) => within(parseDuration(given), minMs, maxMs), {
    error: `expected a duration from ${minMs}ms to ${maxMs / 86_400_000}d`,
  })
}

function size(minBytes: number, maxBytes: number, bounds: string) {
  const error = 'expected a size with its unit, such as 512B, 64MiB, 1MB or 4GiB'
  return matching(sizePattern, error).refine((given) => within(parseSize(given), minBytes, maxBytes), {
    error: `expected a size from ${bounds}`,
  })
}

/**
 * A whole number. A text of digits counts too, since a variable gives no other. Its default is a `prefault`: behind a
 * preprocess the JSON Schema shows no other.
 */
function whole(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`
  const number = z.int({ error }).min(min, { error }).max(max, { error })
  return z.preprocess(
    (given) => (typeof given === 'string' && /^[0-9]{1,15}$/.test(given) ? Number(given) : given),
    number,
  )
}

function flag() {
  return z.preprocess(truth, z.boolean({ error: 'expected true or false' }))
}

function truth(given: unknown): unknown {
  if (given === 'true') return true
  return given === 'false' ? false : given
}

function within(value: number | null, min: number, max: number): boolean {
  return value !== null && value >= min && value <= max
}

const list = (error: string) => ({
  error: (issue: { code?: string }) => (issue.code === 'too_small' ? `${error}, not empty` : error),
})

const absolutePath = checked((given) => isAbsolute(given) && !given.includes('\0'), 'expected an absolute path')
const location = z.string({ error: locationExpected }).refine((given) => typeof parseLocation(given) !== 'string', {
  error: (issue) => locationProblem(String(issue.input)),
})

const relative = (given: string) => {
  const names = given.replace(/\/$/, '').split('/')
  return names.every((name) => name !== '' && name !== '.' && name !== '..')
}
const globs = z.array(
  checked(relative, 'expected a glob relative to the root, without `..`'),
  list('expected a list of globs'),
)

export const nodeName = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/,
  'expected a node name: letters, digits, `.`, `_`, `-`, beginning with a letter or digit',
)
export const level = choice(logLevels)
export const role = choice(roleNames)
const format = choice(formatNames)

const rotation = z.union(
  [
    z.literal('none'),
    z.array(
      mapping({
        match: z.string({ error: 'expected a regular expression' }).refine((given) => refusePattern(given) === null, {
          error: (issue) => refusePattern(String(issue.input)) ?? '',
        }),
      }),
    ),
  ],
  { error: "expected none, or a list of {match: 'REGEX'}" },
)

const header = z.union(
  [
    z.literal('none'),
    mapping({ lines: whole(1, 1000) }),
    mapping({ prefix: text('expected a text that header lines begin with', 64) }),
  ],
  { error: "expected none, {lines: N} or {prefix: '#'}" },
)

const root = mapping({
  name: matching(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'expected a root name: 1 to 63 of a-z, 0-9, `.`, `_`, `-`, beginning with a letter or digit',
  ),
  path: absolutePath,
  paths: z.record(nodeName, absolutePath, { error: 'expected a mapping of node name to absolute path' }).default({}),
  include: globs.min(1).default(['**']),
  exclude: globs.default([]),
  format,
  timezone: checked(knownZone, 'expected an IANA time zone such as Europe/Zurich').optional(),
  rotation: rotation.optional(),
  oldDirectories: z
    .array(
      checked(relative, "expected a directory relative to its file's, such as old/"),
      list('expected a list of directories'),
    )
    .optional(),
  remote: z
    .preprocess(truth, z.union([z.literal('auto'), z.boolean()], { error: 'expected auto, true or false' }))
    .prefault('auto'),
  header: header.optional(),
  files: choice(['appended', 'whole']).default('appended'),
})

const address = checked(
  (given) => /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$/.test(given),
  'expected HOST or HOST:PORT',
)

const file = text('expected the path of a file')

const redisExpected = 'expected redis://HOST[:PORT][/DATABASE], or rediss:// for TLS'
const redisLocation = checked(redisUrl, redisExpected)

const redis = mapping({
  url: redisLocation,
  username: text('expected a user name').optional(),
  passwordFile: file.optional(),
  tls: mapping({ ca: file.optional(), cert: file.optional(), key: file.optional() }).optional(),
  sentinels: z.array(address, list('expected a list of HOST:PORT')).min(1).optional(),
  sentinelName: text("expected the master's name").default('mymaster'),
  cluster: flag().prefault(false),
})

const s3 = mapping({
  endpoint: checked(httpUrl, 'expected http://HOST[:PORT] or https://HOST[:PORT], without credentials').optional(),
  region: matching(/^[A-Za-z0-9-]{1,64}$/, 'expected a region such as eu-central-1').optional(),
  forcePathStyle: flag().prefault(false),
  objectLock: mapping({ mode: choice(['COMPLIANCE', 'GOVERNANCE']), days: whole(1, 36_500) }).optional(),
})

/** A section whose keys all have defaults may be left out whole. */
function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return mapping(shape).prefault({} as never)
}

export const settle = {
  read: duration(0, timerMsMax).default('250ms'),
  tail: duration(0, timerMsMax).default('60s'),
  final: duration(0, timerMsMax).default('1h'),
}

export const schema = mapping({
  archive: location.default('file:///var/lib/gleaner'),
  derived: location.optional(),
  s3: s3.prefault({}),
  redis: z.union([redisLocation, redis], { error: `${redisExpected}, or a mapping` }).optional(),
  node: nodeName.optional(),
  roles: z
    .array(role, list(`expected a list of ${roleNames.join(', ')}`))
    .min(1)
    .default([...roleNames]),
  roots: z.array(root, list('expected a list of roots')).min(1),
  seal: section({
    bytes: size(1, segmentBytesMax, '1B to 64MiB (a segment holds no more)').default('64MiB'),
    age: duration(0, ageMsMax).default('5m'),
  }),
  settle: section(settle),
  limits: section({
    lineBytesMax: size(1024, segmentBytesMax, '1KiB to 64MiB (a segment holds no more)').default('16MiB'),
    storeBytesInFlight: size(mib, 1024 * 1024 * mib, '1MiB to 1TiB').default('128MiB'),
    proveBytesPerSecond: size(1024, 1024 * 1024 * mib, '1KiB to 1TiB').default('50MiB'),
  }),
  reconcile: section({
    every: checked(
      validEvery,
      "expected a duration from 1ms to 24d such as 10s, or a cron expression such as '*/5 * * * *'",
    ).default('10s'),
    fullEvery: duration(1, timerMsMax).default('10m'),
    metadataPerSecondMax: whole(1, 10_000_000).prefault(5000),
    deadline: duration(1, timerMsMax).default('30s'),
  }),
  feed: section({
    since: choice(['now', 'all']).default('now'),
    maxAge: duration(1, ageMsMax).default('7d'),
    maxBytes: size(1, 1024 ** 5, '1B to 1024TiB').default('4GiB'),
    recordBytesMax: size(0, 256 * mib, '0B to 256MiB').default('1MiB'),
  }),
  tables: mapping({
    every: checked(
      validEvery,
      "expected a duration from 1ms to 24d such as 1h, or a cron expression such as '15 * * * *'",
    ),
  }).optional(),
  sign: mapping({ keyFile: file, every: duration(1000, timerMsMax).default('1h') }).optional(),
  serve: section({
    host: checked((given) => /^[A-Za-z0-9.:_-]+$/.test(given), 'expected a host name or address').default('127.0.0.1'),
    port: whole(0, 65_535).prefault(9464),
    tokenFile: file.optional(),
    showRecords: flag().prefault(false),
  }),
  log: section({ level: level.default('info') }),
})

/** A configuration of the right shape, in the file's words, with the defaults filled in. */
export type Given = z.output<typeof schema>

function validEvery(given: string): boolean {
  const ms = parseDuration(given)
  if (ms !== null) return within(ms, 1, timerMsMax)
  return given.trim().split(/\s+/).length >= 5 && validCron(given)
}

function locationProblem(given: string): string {
  const parsed = parseLocation(given)
  return typeof parsed === 'string' ? parsed : locationExpected
}

function knownZone(given: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: given }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

function redisUrl(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : null
  if (/%(?![0-9A-Fa-f]{2})/.test(given)) return false
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) return false
  return url.hostname !== '' && /^\/?[0-9]{0,5}$/.test(url.pathname) && url.search === '' && url.hash === ''
}

function httpUrl(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : null
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}
