import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GleanerError } from '../errors.ts'

/**
 * HTTP for people and probes. Reads only, and holds nothing up: a slow or greedy client is cut off.
 *
 *   /healthz   200 while the event loop turns; asks nothing else, so that no mount or Redis can have a process killed
 *   /readyz    200 or 503, JSON {ok, reasons}
 *   /metrics   Prometheus text
 *   /          a few lines for a person
 *
 * Where a token is set, all but /healthz and /readyz ask for `Authorization: Bearer TOKEN`. Only GET and HEAD.
 */
export interface ServeOptions {
  host: string
  /** 0: any free one; the URL tells which. */
  port: number
  token?: string | undefined
  telemetry: { metrics(): Promise<string>; readonly contentType: string }
  ready: () => Ready
}

interface Ready {
  ok: boolean
  reasons: string[]
}

export interface Serving {
  /** `http://127.0.0.1:9464`, with the port that was taken. */
  url: string
  /** Stops listening and cuts what is still open. */
  close: () => Promise<void>
}

const headersTimeoutMs = 5000
const requestTimeoutMs = 10_000
const connectionsMax = 1024
const headerBytesMax = 8192

/** Resolves once it listens. Throws `config-invalid` where host and port cannot be had. */
export async function startServe(options: ServeOptions): Promise<Serving> {
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // How often the two are looked at; Node's own 30 s would make them so long.
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 5000,
      maxHeaderSize: headerBytesMax,
    },
    (request, response) => void respond(options, request, response),
  )
  server.maxConnections = connectionsMax
  await listen(server, options)
  const { port } = server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return { url: `http://${host}:${port}`, close: () => close(server) }
}

interface Answer {
  status: number
  type: string
  body: string
  headers?: Record<string, string>
}

async function respond(options: ServeOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A body is never read: the connection ends with the answer.
  const bodied = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  const { status, type, body, headers } = await answer(options, request).catch((): Answer => text(500, 'failed'))
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(bodied && { connection: 'close' }),
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answer(options: ServeOptions, request: IncomingMessage): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return text(405, 'only GET and HEAD', { allow: 'GET, HEAD', connection: 'close' })
  }
  const [path] = (request.url ?? '/').split('?')
  if (path === '/healthz') return text(200, 'ok')
  if (path === '/readyz') return readiness(options.ready)
  if (options.token !== undefined && !holds(request.headers.authorization, options.token)) {
    return text(401, 'expected Authorization: Bearer TOKEN', { 'www-authenticate': 'Bearer' })
  }
  if (path === '/metrics') {
    return { status: 200, type: options.telemetry.contentType, body: await options.telemetry.metrics() }
  }
  return path === '/' ? text(200, page(asked(options.ready))) : text(404, 'not found')
}

function readiness(ready: () => Ready): Answer {
  const { ok, reasons } = asked(ready)
  return { status: ok ? 200 : 503, type: 'application/json', body: `${JSON.stringify({ ok, reasons })}\n` }
}

/** A check that fails is an answer: not ready. */
function asked(ready: () => Ready): Ready {
  try {
    return ready()
  } catch (error) {
    return { ok: false, reasons: [error instanceof GleanerError ? error.code : 'the check failed'] }
  }
}

function page({ ok, reasons }: Ready): string {
  const state = ok ? 'ready' : `not ready: ${reasons.join('; ')}`
  return `Gleaner\n\n${state}\n\n/healthz  /readyz  /metrics`
}

/** Compares hashes, which are of one length, so that the time tells nothing about the token. */
function holds(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1]
  return given !== undefined && timingSafeEqual(hash(given), hash(token))
}

function hash(value: string): Buffer {
  return createHash('sha256').update(value).digest()
}

function text(status: number, body: string, headers: Record<string, string> = {}): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n`, headers }
}

function listen(server: Server, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `cannot listen: ${cause.code ?? cause.message}; correct serve.host or serve.port`
      reject(new GleanerError('config-invalid', { operation: 'serve', subject: `${host}:${port}`, message, cause }))
    })
    server.listen({ host, port }, resolve)
  })
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
