import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import { answerError, answerListing } from './s3-xml.ts'

/**
 * A strict S3 server in this process, for tests: one bucket or more, path style, objects in memory.
 *
 * It does what a good store does (a conditional PUT is atomic, lists are in byte order, bodies are checked) and refuses what a
 * strict one refuses: unsigned requests, unknown buckets, chunked bodies, bodies that do not match their checksum, locked
 * objects without one, and every operation that Gleaner does not use. `fault` decides per request what goes wrong.
 */
export type Fault =
  /** Does it, then drops the connection. */
  | 'lost-response'
  /** Drops the connection and does nothing. */
  | 'lost-request'
  /** Answers with half of the body it announced, then drops the connection. */
  | 'cut-body'
  /** Does it, then answers 500. */
  | 'error-after'
  /** 503 SlowDown, 409 ConditionalRequestConflict, 501 NotImplemented, 507, 403: not done. */
  | 'error-before'
  | 'conflict'
  | 'not-implemented'
  | 'full'
  | 'denied'
  /** Never answers. */
  | 'hang'
  /** Ignores the condition of a create: 200, and the object is replaced. */
  | 'overwrites'
  | { slowMs: number }

export interface S3Request {
  operation: 'put' | 'get' | 'head' | 'delete' | 'list'
  bucket: string
  key: string
  headers: IncomingMessage['headers']
  /** 1 for the first request that the server was sent, and so on. */
  number: number
}

export interface StoredS3Object {
  body: Buffer
  storedAtMs: number
  /** The request headers it was stored with. */
  headers: IncomingMessage['headers']
}

export interface S3Server {
  /** By `bucket/key`. */
  readonly objects: Map<string, StoredS3Object>
  /** Requests so far, by operation. */
  readonly counts: Record<S3Request['operation'], number>
  fault: (request: S3Request) => Fault | undefined
  /** Listens at any free port of 127.0.0.1 by default. */
  start(port?: number, host?: string): Promise<{ endpoint: string; close: () => Promise<void> }>
}

export interface S3ServerOptions {
  buckets?: string[]
  fault?: (request: S3Request) => Fault | undefined
  /** How far this server's clock is ahead. */
  clockOffsetMs?: number
  /** Most keys in one page of a list. */
  pageMax?: number
}

interface Exchange extends S3Request {
  query: URLSearchParams
  body: Buffer
  response: ServerResponse
  fault: Fault | undefined
}

export function s3Server(options: S3ServerOptions = {}): S3Server {
  const { buckets = ['archive'], clockOffsetMs = 0, pageMax = 1000 } = options
  const objects: S3Server['objects'] = new Map()
  const counts = { put: 0, get: 0, head: 0, delete: 0, list: 0 }
  const hanging = new Set<NodeJS.Timeout>()
  const nowMs = () => Date.now() + clockOffsetMs
  let number = 0

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Date', new Date(nowMs()).toUTCString())
    const exchange = await received(request, response)
    if (exchange === undefined) return answerError(response, 501, 'NotImplemented')
    counts[exchange.operation]++
    exchange.number = ++number
    exchange.fault = self.fault(exchange)
    if (typeof exchange.fault === 'object') await slow(exchange.fault.slowMs)
    if (exchange.fault === 'lost-request') return void response.socket?.destroy()
    if (exchange.fault === 'hang') return
    const refused = refusalOf(exchange.fault) ?? refusal(exchange)
    if (refused !== undefined) return answerError(response, ...refused)
    perform(exchange)
  }

  function refusal({ headers, bucket, operation, body, key, fault }: Exchange): [number, string] | undefined {
    if (!/^AWS4-HMAC-SHA256 Credential=\S+, ?SignedHeaders=\S+, ?Signature=/.test(headers.authorization ?? '')) {
      return [403, 'AccessDenied']
    }
    if (!buckets.includes(bucket)) return [404, 'NoSuchBucket']
    if (operation !== 'put') return undefined
    if (headers['content-length'] === undefined) return [411, 'MissingContentLength']
    const there = objects.has(`${bucket}/${key}`) && fault !== 'overwrites'
    if (headers['if-none-match'] !== undefined && headers['if-none-match'] !== '*') return [501, 'NotImplemented']
    return (
      badBody(headers, body) ?? (headers['if-none-match'] === '*' && there ? [412, 'PreconditionFailed'] : undefined)
    )
  }

  function perform(exchange: Exchange): void {
    const { operation, bucket, key, body, headers, response, query } = exchange
    const name = `${bucket}/${key}`
    if (operation === 'list') return answerListing(response, { bucket, query, objects, pageMax })
    if (operation === 'put') objects.set(name, { body, storedAtMs: nowMs(), headers })
    if (operation === 'delete') objects.delete(name)
    if (exchange.fault === 'lost-response') return void response.socket?.destroy()
    if (exchange.fault === 'error-after') return answerError(response, 500, 'InternalError')
    if (operation === 'put') return void response.setHeader('ETag', etagOf(body)).end()
    if (operation === 'delete') return void response.writeHead(204).end()
    const object = objects.get(name)
    if (object === undefined) return answerError(response, 404, 'NoSuchKey')
    answerObject(exchange, object)
  }

  const self: S3Server = {
    objects,
    counts,
    fault: options.fault ?? (() => undefined),
    async start(port = 0, host = '127.0.0.1') {
      const server = createServer((request, response) => {
        answer(request, response).catch((error: unknown) => response.destroy(error as Error))
      })
      await new Promise<void>((resolve) => server.listen(port, host, resolve))
      return {
        endpoint: `http://${host}:${(server.address() as AddressInfo).port}`,
        close: async () => {
          const closed = new Promise((resolve) => server.close(resolve))
          for (const timer of hanging) clearTimeout(timer)
          server.closeAllConnections()
          await closed
        },
      }
    },
  }
  return self

  async function slow(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        hanging.delete(timer)
        resolve()
      }, ms)
      hanging.add(timer)
    })
  }
}

/** Reads the whole request; undefined for an operation that is not one of ours. */
async function received(request: IncomingMessage, response: ServerResponse): Promise<Exchange | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const url = new URL(request.url ?? '/', 'http://server')
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? []
  const query = url.searchParams
  const operation = operationOf(request.method ?? '', key, query)
  if (operation === undefined) return undefined
  const { headers } = request
  return { operation, bucket, key, headers, number: 0, query, body: Buffer.concat(chunks), response, fault: undefined }
}

function operationOf(method: string, key: string, query: URLSearchParams): S3Request['operation'] | undefined {
  if (key === '') return method === 'GET' && query.get('list-type') === '2' ? 'list' : undefined
  const others = [...query.keys()].filter((name) => name !== 'x-id')
  if (others.length > 0) return undefined
  const operations = { PUT: 'put', GET: 'get', HEAD: 'head', DELETE: 'delete' } as const
  return operations[method as keyof typeof operations]
}

function refusalOf(fault: Fault | undefined): [number, string] | undefined {
  const refusals: Record<string, [number, string]> = {
    'error-before': [503, 'SlowDown'],
    conflict: [409, 'ConditionalRequestConflict'],
    'not-implemented': [501, 'NotImplemented'],
    full: [507, 'XMinioStorageFull'],
    denied: [403, 'AccessDenied'],
  }
  return typeof fault === 'string' ? refusals[fault] : undefined
}

/** What is wrong with a body, by its headers. */
function badBody(headers: IncomingMessage['headers'], body: Buffer): [number, string] | undefined {
  const sha256 = headers['x-amz-content-sha256']
  if (sha256 === undefined) return [400, 'MissingContentSHA256']
  if (String(sha256).startsWith('STREAMING-')) return [411, 'MissingContentLength']
  if (sha256 !== 'UNSIGNED-PAYLOAD' && sha256 !== createHash('sha256').update(body).digest('hex')) {
    return [400, 'XAmzContentSHA256Mismatch']
  }
  const md5 = headers['content-md5']
  if (md5 !== undefined && md5 !== createHash('md5').update(body).digest('base64')) return [400, 'BadDigest']
  const crc = headers['x-amz-checksum-crc32']
  if (crc !== undefined && crc !== crc32Text(body)) return [400, 'BadDigest']
  const locked = headers['x-amz-object-lock-mode'] !== undefined
  return locked && md5 === undefined && crc === undefined ? [400, 'InvalidRequest'] : undefined
}

function answerObject({ headers, operation, response, fault }: Exchange, object: StoredS3Object): void {
  const size = object.body.length
  response.setHeader('Last-Modified', new Date(object.storedAtMs).toUTCString())
  response.setHeader('ETag', etagOf(object.body))
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? []
  const start = first === '' ? (last === '' ? 0 : Math.max(0, size - Number(last))) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
  const partial = first !== '' || last !== ''
  if (partial && (start >= size || (first === '' && Number(last) === 0))) {
    response.setHeader('Content-Range', `bytes */${size}`)
    return answerError(response, 416, 'InvalidRange')
  }
  const body = object.body.subarray(start, end)
  if (partial) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${size}`)
  response.writeHead(partial ? 206 : 200, { 'Content-Length': body.length })
  if (operation === 'head') return void response.end()
  if (fault !== 'cut-body') return void response.end(body)
  response.write(body.subarray(0, body.length >> 1), () => response.socket?.destroy())
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}

function crc32Text(body: Buffer): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(body))
  return bytes.toString('base64')
}
