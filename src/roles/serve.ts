import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GleanerError } from '../errors.ts'
import { openAccess } from './access.ts'
import type { Access } from './access.ts'
import { openEvents } from './events.ts'
import type { Events } from './events.ts'
import { boundIdleConnections } from './idle-connections.ts'
import { readPage } from './page.ts'
import type { Page } from './page.ts'

/**
 * HTTP for people and probes. Reads only, and holds nothing up: a slow or greedy client is cut off.
 *
 *   /healthz   200 while the event loop turns; asks nothing else, so that no mount or Redis can have a process killed
 *   /readyz    200 or 503, JSON {ok, reasons}
 *   /metrics   Prometheus text
 *   /          the status page
 *   /events    what it shows, as server-sent events (events.ts)
 *   /session   a cookie for a browser that sends the token
 *
 * Who may see all but /healthz and /readyz is told in access.ts. Only GET and HEAD.
 */
export interface ServeOptions {
  host: string
  /** 0: any free one; the URL tells which. */
  port: number
  token?: string | undefined
  telemetry: { metrics(): Promise<string>; readonly contentType: string }
  ready: () => Ready
  /** What the page shows; called once a second while somebody watches. */
  snapshot: () => object
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
/** A connection on which nothing moves, in either direction; events move every second. */
const idleMs = 30_000
const connectionsMax = 1024
const idleConnectionsMax = 256
/** Connections that the kernel keeps until they are accepted; one that finds no room tries again after a second or more. */
const backlog = 4096
const headerBytesMax = 8192

const always = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

interface Site {
  options: ServeOptions
  access: Access
  events: Events
  index: Page
  signIn: Page
}

/** Resolves once it listens. Throws `config-invalid` where host and port cannot be had. */
export async function startServe(options: ServeOptions): Promise<Serving> {
  const site: Site = {
    options,
    access: openAccess(options),
    events: openEvents(options.snapshot, always),
    index: readPage('index'),
    signIn: readPage('sign-in'),
  }
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // How often the two are looked at; Node's own 30 s would make them so long.
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 5000,
      maxHeaderSize: headerBytesMax,
    },
    (request, response) => void respond(site, request, response),
  )
  server.maxConnections = connectionsMax
  server.timeout = idleMs
  boundIdleConnections(server, idleConnectionsMax)
  await listen(server, options)
  const { port } = server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  const stop = async (): Promise<void> => {
    site.events.close()
    await close(server)
  }
  return { url: `http://${host}:${port}`, close: stop }
}

interface Answer {
  status: number
  type: string
  body: string
  headers?: Record<string, string>
}

async function respond(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A body is never read: the connection ends with the answer.
  const bodied = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  const answered = await answer(site, request).catch((): Answer => text(500, 'failed'))
  if (answered === 'events' && site.events.add(response)) return
  const { status, type, body, headers } = answered === 'events' ? crowded() : answered
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    ...always,
    ...(bodied && { connection: 'close' }),
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function answer(site: Site, request: IncomingMessage): Promise<Answer | 'events'> {
  const { options, access } = site
  const { method, headers } = request
  if (method !== 'GET' && method !== 'HEAD') {
    return text(405, 'only GET and HEAD', { allow: 'GET, HEAD', connection: 'close' })
  }
  const [path] = (request.url ?? '/').split('?')
  if (path === '/healthz') return text(200, 'ok')
  if (path === '/readyz') return readiness(options.ready)
  const refused = access.refuses(headers)
  if (refused === 'host') return text(421, 'expected localhost, 127.0.0.1, [::1] or serve.host as Host')
  if (refused === 'token') return path === '/' ? html(401, site.signIn, bearer) : text(401, expected, bearer)
  if (path === '/session') return session(access, request)
  if (path === '/events') return method === 'HEAD' ? text(200, '') : 'events'
  if (path === '/metrics') {
    return { status: 200, type: options.telemetry.contentType, body: await options.telemetry.metrics() }
  }
  return path === '/' ? html(200, site.index) : text(404, 'not found')
}

const expected = 'expected Authorization: Bearer TOKEN'
const bearer = { 'www-authenticate': 'Bearer' }

function session(access: Access, { headers }: IncomingMessage): Answer {
  const cookie = access.session(headers)
  return cookie === null ? text(404, 'not found') : text(200, 'ok', { 'set-cookie': cookie })
}

function crowded(): Answer {
  return text(503, 'too many watch already', { 'retry-after': '10' })
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

function html(status: number, { html: body, policy }: Page, headers: Record<string, string> = {}): Answer {
  const guards = {
    'content-security-policy': policy,
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  }
  return { status, type: 'text/html; charset=utf-8', body, headers: { ...guards, ...headers } }
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
    server.listen({ host, port, backlog }, resolve)
  })
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
