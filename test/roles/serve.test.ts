import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { text as readAll } from 'node:stream/consumers'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { GleanerError } from '../../src/errors.ts'
import { startServe } from '../../src/roles/serve.ts'
import type { ServeOptions, Serving } from '../../src/roles/serve.ts'

async function serve(t: ExecutionContext, options: Partial<ServeOptions> = {}): Promise<Serving> {
  const serving = await startServe({
    host: '127.0.0.1',
    port: 0,
    telemetry: { metrics: () => Promise.resolve('gleaner_x 1\n'), contentType: 'text/plain; version=0.0.4' },
    ready: () => ({ ok: true, reasons: [] }),
    snapshot: () => ({}),
    ...options,
  })
  t.teardown(() => serving.close())
  return serving
}

async function get(url: string, init: RequestInit = {}): Promise<{ status: number; body: string; headers: Headers }> {
  const response = await fetch(url, init)
  return { status: response.status, body: await response.text(), headers: response.headers }
}

/** Sends bytes as they are and gives all that comes back until the server closes. */
async function raw(url: string, bytes: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.write(bytes)
  return await readAll(socket)
}

test('health, readiness, metrics and the page', async (t) => {
  const { url } = await serve(t)
  t.like(await get(`${url}/healthz`), { status: 200, body: 'ok\n' })
  t.like(await get(`${url}/readyz`), { status: 200, body: '{"ok":true,"reasons":[]}\n' })
  const metrics = await get(`${url}/metrics?x=1`)
  t.like(metrics, { status: 200, body: 'gleaner_x 1\n' })
  t.is(metrics.headers.get('content-type'), 'text/plain; version=0.0.4')
  t.is((await get(url)).status, 200)
  for (const path of ['/x', '/metrics/', '/../etc/passwd', '//metrics']) t.is((await get(url + path)).status, 404, path)
})

test('not ready is 503 with the reasons, and still healthy', async (t) => {
  const { url } = await serve(t, { ready: () => ({ ok: false, reasons: ['store not probed'] }) })
  t.like(await get(`${url}/readyz`), { status: 503, body: '{"ok":false,"reasons":["store not probed"]}\n' })
  t.is((await get(`${url}/healthz`)).status, 200)
  t.is((await get(url)).status, 200)
})

test('checks and metrics that fail are answers', async (t) => {
  const { url } = await serve(t, {
    ready: () => {
      throw new GleanerError('store-unreachable', { operation: 'probe', subject: 's' })
    },
    telemetry: { metrics: () => Promise.reject(new Error('planted')), contentType: 'text/plain' },
  })
  t.like(await get(`${url}/readyz`), { status: 503, body: '{"ok":false,"reasons":["store-unreachable"]}\n' })
  t.like(await get(`${url}/metrics`), { status: 500, body: 'failed\n' })
  t.is((await get(url)).status, 200)
})

test('a token is asked for, but not by the probes', async (t) => {
  const { url } = await serve(t, { token: 's3cret-token' })
  t.is((await get(`${url}/healthz`)).status, 200)
  t.is((await get(`${url}/readyz`)).status, 200)
  const wrong = [
    '',
    'Bearer',
    'Bearer x',
    's3cret-token',
    'Basic s3cret-token',
    'Bearer s3cret-toke',
    'Bearer s3cret-token x',
  ]
  for (const path of ['/metrics', '/', '/x']) {
    for (const authorization of wrong) {
      const answer = await get(url + path, { headers: { authorization } })
      t.is(answer.status, 401, authorization)
      t.is(answer.headers.get('www-authenticate'), 'Bearer')
      t.false(answer.body.includes('gleaner_x'))
    }
  }
  t.is((await get(`${url}/metrics`)).status, 401)
  t.is((await get(`${url}/metrics`, { headers: { authorization: 'Bearer s3cret-token' } })).status, 200)
  t.is((await get(`${url}/x`, { headers: { authorization: 'bearer s3cret-token' } })).status, 404)
})

test('GET and HEAD only', async (t) => {
  const { url } = await serve(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const answer = await get(`${url}/healthz`, { method })
    t.is(answer.status, 405, method)
    t.is(answer.headers.get('allow'), 'GET, HEAD')
  }
  const head = await get(`${url}/metrics`, { method: 'HEAD' })
  t.like(head, { status: 200, body: '' })
  t.is(head.headers.get('content-length'), '12')
})

test('a body is not waited for', async (t) => {
  const { url } = await serve(t)
  const answer = await raw(url, 'GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc')
  t.true(answer.startsWith('HTTP/1.1 200'))
  t.regex(answer, /connection: close/i)
})

test('large and broken heads are refused', async (t) => {
  const { url } = await serve(t)
  t.true((await raw(url, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(9000)}\r\n\r\n`)).startsWith('HTTP/1.1 431'))
  t.true((await raw(url, 'what is this\r\n\r\n')).startsWith('HTTP/1.1 400'))
  t.is((await get(`${url}/healthz`)).status, 200)
})

test('a head that never ends is cut off', async (t) => {
  const { url } = await serve(t)
  t.true((await raw(url, 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ')).startsWith('HTTP/1.1 408'))
})

test('a flood of connections that ask nothing keeps no probe waiting', async (t) => {
  const { url } = await serve(t)
  const port = Number(new URL(url).port)
  const flood = Array.from({ length: 2000 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => flood.forEach((socket) => socket.destroy()))
  await Promise.all(flood.map((socket) => once(socket, 'connect')))
  t.like(await get(`${url}/healthz`), { status: 200, body: 'ok\n' })
})

test('connections that asked and were answered make room as well, and those that watch stay', async (t) => {
  const { url } = await serve(t)
  const port = Number(new URL(url).port)
  const watching = new AbortController()
  const events = await fetch(`${url}/events`, { signal: watching.signal })
  const flood = Array.from({ length: 1500 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => {
    watching.abort()
    flood.forEach((socket) => socket.destroy())
  })
  await Promise.all(
    flood.map(async (socket) => {
      await once(socket, 'connect')
      socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
      // The flood may take from itself before it is answered.
      await new Promise((resolve) => socket.once('data', resolve).once('close', resolve))
    }),
  )
  t.is((await get(`${url}/healthz`)).status, 200)
  const reader = events.body?.getReader()
  for (let n = 0; n < 3; n++) t.false((await reader?.read())?.done)
})

test('close ends what is open and frees the port', async (t) => {
  const { url, close } = await serve(t)
  const waiting = raw(url, 'GET /')
  await get(`${url}/healthz`)
  await close()
  t.is(await waiting, '')
  const again = await serve(t, { port: Number(new URL(url).port) })
  t.is(again.url, url)
})

test('a port that is taken is an error of the configuration', async (t) => {
  const { url } = await serve(t)
  const error = await t.throwsAsync(serve(t, { port: Number(new URL(url).port) }), { instanceOf: GleanerError })
  t.is(error?.code, 'config-invalid')
  t.regex(error?.message ?? '', /EADDRINUSE/)
})

const ipv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))
const testIpv6 = ipv6 ? test : test.skip

testIpv6('an IPv6 address is written as a URL needs it', async (t) => {
  const { url } = await serve(t, { host: '::1' })
  t.regex(url, /^http:\/\/\[::1\]:\d+$/)
  t.is((await get(`${url}/healthz`)).status, 200)
})
