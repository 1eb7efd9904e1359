import { setTimeout as delay } from 'node:timers/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  type PutObjectCommandInput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import type { ByteRange, CreateOutcome, Listed, Listing, Store, StoredObject } from '../ports/store.ts'
import { headerClock, type HeaderClock } from './s3-clock.ts'
import { bucketLock } from './s3-lock.ts'
import { meaningOf, statusOf, storeError } from './s3-errors.ts'
import { checkedKey, isKey, rangeWithin, replaceableKey } from './store-rules.ts'

/**
 * The store as a prefix of an S3 bucket.
 *
 * Create: one PutObject of one Buffer with `If-None-Match: *`, sent once. The SDK's own retries are off: after a lost answer they
 * would report our own object as somebody else's. 200 is `created`, 412 is `exists`; what 409, 5xx, a reset or a time-out did
 * is `unknown`, and the caller reads the key back. Reads are tried three times, their bodies included.
 *
 * A request is given up when its connection is idle for `timeoutMs`, or when `timeoutMs` and two seconds per MiB sent have passed without
 * an answer. Credentials come from the SDK's chain and from nowhere else.
 *
 * With `objectLock` each object of evidence is stored with its mode and a retention of `days` from the store's now, and with a CRC32
 * (AWS refuses a locked object without a checksum). What is derived is never locked.
 */
export interface S3StoreOptions {
  bucket: string
  /** Without slashes at its ends; empty for the whole bucket. */
  prefix: string
  endpoint?: string
  /** Default: the SDK's own chain, and `us-east-1` where an endpoint is given and the chain names none. */
  region?: string
  forcePathStyle?: boolean
  objectLock?: { mode: 'COMPLIANCE' | 'GOVERNANCE'; days: number }
  /** Default 30,000. */
  timeoutMs?: number
}

/** One bucket, as the calls below need it. */
interface Bucket {
  client: S3Client
  bucket: string
  /** What stands before every key: empty, or ending with a slash. */
  before: string
  timeoutMs: number
  clock: HeaderClock
}

type Lock = Pick<PutObjectCommandInput, 'ObjectLockMode' | 'ObjectLockRetainUntilDate' | 'ChecksumAlgorithm'>

const dayMs = 86_400_000
const readAttemptsMax = 3

export function openS3Store(options: S3StoreOptions): Store {
  const { timeoutMs = 30_000, objectLock } = options
  const prefix = options.prefix.replace(/^\/+|\/+$/g, '')
  const client = new S3Client(clientConfig(options, timeoutMs))
  const clock = headerClock(() => performance.now())
  watchDates(client, clock)
  const store: Bucket = { client, bucket: options.bucket, before: prefix === '' ? '' : `${prefix}/`, timeoutMs, clock }

  async function lockOf(key: string): Promise<Lock> {
    if (objectLock === undefined || !key.startsWith('evidence/')) return {}
    const until = new Date((await nowMs(store)) + objectLock.days * dayMs)
    return { ObjectLockMode: objectLock.mode, ObjectLockRetainUntilDate: until, ChecksumAlgorithm: 'CRC32' }
  }

  return {
    url: prefix === '' ? `s3://${options.bucket}` : `s3://${options.bucket}/${prefix}`,
    clockStepMs: 1000,
    async create(key, body) {
      const lock = await lockOf(checkedKey('create', key))
      // One Buffer: anything else the SDK takes for a stream.
      const Body = Buffer.isBuffer(body) ? body : Buffer.concat(body)
      return await create(store, key, { Body, IfNoneMatch: '*', ...lock })
    },
    get: (key, range) => read('get', key, () => get(store, checkedKey('get', key), range)),
    list: (listPrefix, listOptions = {}) => list(store, listPrefix, listOptions),
    put: (key, body) => once('put', key, () => send(store, replaceableKey('put', key), { Body: body })),
    remove: (key) => once('remove', key, () => remove(store, checkedKey('remove', key))),
    nowMs: () => nowMs(store),
    bucketLock: () => bucketLock(client, options.bucket),
    async close() {
      client.destroy()
    },
  }
}

function clientConfig(options: S3StoreOptions, timeoutMs: number): S3ClientConfig {
  const { endpoint, forcePathStyle } = options
  const chain = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION']
  const region = options.region ?? (endpoint === undefined ? undefined : (chain ?? 'us-east-1'))
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(forcePathStyle !== undefined && { forcePathStyle }),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false, // it takes a new connection for each large object
    requestHandler: {
      connectionTimeout: Math.min(timeoutMs, 10_000),
      requestTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: 128 },
      httpsAgent: { keepAlive: true, maxSockets: 128 },
    },
  }
}

/** Shows the clock every answer's Date header, of refusals as well. */
function watchDates(client: S3Client, clock: HeaderClock): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = result.response as { headers?: Record<string, string> }
      clock.saw(headers?.['date'])
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'watchDates' },
  )
}

async function create(
  store: Bucket,
  key: string,
  request: Lock & { Body: Buffer; IfNoneMatch?: '*' },
): Promise<CreateOutcome> {
  try {
    await send(store, key, request)
    return { outcome: 'created', storedAtMs: wholeSecond(await nowMs(store)) }
  } catch (cause) {
    const meaning = meaningOf(cause)
    if (meaning === 'exists') return { outcome: 'exists' }
    if (meaning === 'unknown') return { outcome: 'unknown', cause }
    throw storeError('create', key, cause)
  }
}

async function send(
  { client, bucket, before, timeoutMs }: Bucket,
  key: string,
  request: Lock & { Body: Buffer; IfNoneMatch?: '*' },
): Promise<void> {
  const requestTimeout = timeoutMs + Math.ceil(request.Body.length / 512)
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: before + key, ...request }), { requestTimeout })
}

async function remove({ client, bucket, before }: Bucket, key: string): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: before + key }))
}

async function get(store: Bucket, key: string, range: ByteRange | undefined): Promise<StoredObject | null> {
  const target = { Bucket: store.bucket, Key: store.before + key }
  const header = rangeHeader(range)
  try {
    if (header === 'empty') return await emptyPart(store, target)
    const answer = await store.client.send(
      new GetObjectCommand({ ...target, ...(header !== undefined && { Range: header }) }),
    )
    return await objectOf(answer, range)
  } catch (error) {
    if (statusOf(error) === 416) return await emptyPart(store, target)
    if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return null
    throw error
  }
}

/** A range that names no byte cannot be asked for: S3 takes it for none and answers with everything. */
function rangeHeader(range: ByteRange | undefined): string | undefined {
  if (range === undefined) return undefined
  if ('suffix' in range) return range.suffix > 0 ? `bytes=-${range.suffix}` : 'empty'
  const { start, end } = range
  if (end === undefined) return `bytes=${start}-`
  return end > start ? `bytes=${start}-${end - 1}` : 'empty'
}

async function emptyPart(store: Bucket, target: { Bucket: string; Key: string }): Promise<StoredObject | null> {
  const { ContentLength = 0, LastModified } = await store.client.send(new HeadObjectCommand(target))
  return { body: Buffer.alloc(0), size: ContentLength, storedAtMs: LastModified?.getTime() ?? 0 }
}

async function objectOf(answer: GetObjectCommandOutput, range: ByteRange | undefined): Promise<StoredObject> {
  const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array()
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const storedAtMs = answer.LastModified?.getTime() ?? 0
  const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1]
  if (total !== undefined) return { body, size: Number(total), storedAtMs }
  // No Content-Range: the store has sent everything, whatever was asked for.
  const { start, end } = rangeWithin(body.length, range)
  return { body: body.subarray(start, end), size: body.length, storedAtMs }
}

/** Page by page until there are enough. Keys that no archive has (markers of empty folders, foreign objects) are left out. */
async function list(store: Bucket, prefix: string, options: { after?: string; limit?: number }): Promise<Listing> {
  const { after = '', limit = 1000 } = options
  const objects: Listed[] = []
  let startAfter = after === '' ? undefined : store.before + after
  for (;;) {
    const MaxKeys = Math.min(1000, limit - objects.length)
    const request = { Bucket: store.bucket, Prefix: store.before + prefix, MaxKeys, StartAfter: startAfter }
    const page = await read('list', prefix, () => store.client.send(new ListObjectsV2Command(request)))
    const contents = page.Contents ?? []
    for (const { Key = '', Size = 0, LastModified } of contents) {
      const key = Key.slice(store.before.length)
      if (isKey(key)) objects.push({ key, size: Size, storedAtMs: LastModified?.getTime() ?? 0 })
    }
    const last = contents.at(-1)?.Key
    const more = page.IsTruncated === true && last !== undefined
    if (!more || objects.length >= limit) return { objects, more }
    startAfter = last
  }
}

/** Where no answer was seen yet, asks for one: any will do, a refusal too. */
async function nowMs({ client, bucket, before, clock }: Bucket): Promise<number> {
  const known = clock.nowMs()
  if (known !== null) return known
  const asked = client.send(new HeadObjectCommand({ Bucket: bucket, Key: `${before}evidence/store.json` }))
  const failure = await asked.then(
    () => new Error('the store sends no Date header'),
    (error: unknown) => error,
  )
  const now = clock.nowMs()
  if (now === null) throw storeError('clock', bucket, failure)
  return now
}

function wholeSecond(ms: number): number {
  return ms - (ms % 1000)
}

async function once(operation: string, subject: string, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (cause) {
    throw storeError(operation, subject, cause)
  }
}

/** Runs a read again while its outcome is unknown. */
async function read<T>(operation: string, subject: string, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (cause) {
      if (meaningOf(cause) !== 'unknown' || attempt === readAttemptsMax) throw storeError(operation, subject, cause)
      await delay(100 * 2 ** attempt * (0.5 + Math.random()))
    }
  }
}
