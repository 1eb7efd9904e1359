import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { watchersMax } from '../../src/roles/events.ts'
import { startServe } from '../../src/roles/serve.ts'
import type { ServeOptions, Serving } from '../../src/roles/serve.ts'

async function serve(t: ExecutionContext, options: Partial<ServeOptions> = {}): Promise<Serving> {
  const serving = await startServe({
    host: '127.0.0.1',
    port: 0,
    telemetry: { metrics: () => Promise.resolve('gleaner_x 1\n'), contentType: 'text/plain' },
    ready: () => ({ ok: true, reasons: [] }),
    snapshot: () => ({}),
    ...options,
  })
  t.teardown(() => serving.close())
  return serving
}

/** With any Host, which `fetch` would not send. */
async function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  const asked = request(url, { headers }).end()
  const [response] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }]
  response.resume()
  return response.statusCode
}

async function* eventsOf(url: string, signal: AbortSignal, headers = {}): AsyncGenerator<unknown> {
  const { body } = await fetch(`${url}/events`, { signal, headers })
  let text = ''
  for await (const part of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) yield JSON.parse(block.replace(/^[\s\S]*?data: /, ''))
  }
}

test('the page allows nothing but its own style and script', async (t) => {
  const { url } = await serve(t)
  const { headers } = await fetch(url)
  const policy = headers.get('content-security-policy') ?? ''
  t.regex(policy, /default-src 'none'/)
  t.regex(policy, /script-src 'sha256-[A-Za-z0-9+/]{43}='; style-src 'sha256-[A-Za-z0-9+/]{43}='; connect-src 'self'/)
  t.regex(policy, /require-trusted-types-for 'script'/)
  t.notRegex(policy, /unsafe|\*/)
  t.is(headers.get('access-control-allow-origin'), null)
})

test('without a token, only the names of this machine are answered', async (t) => {
  const { url } = await serve(t)
  const { port } = new URL(url)
  for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'LOCALHOST'])
    t.is(await statusOf(url, { host }), 200, host)
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example']) {
    for (const path of ['/', '/metrics', '/events', '/session']) t.is(await statusOf(url + path, { host }), 421, host)
    t.is(await statusOf(`${url}/healthz`, { host }), 200)
  }
})

test('a browser gets a cookie for the token, and the token is in neither page nor cookie', async (t) => {
  const { url } = await serve(t, { token: 's3cret-token' })
  const locked = await fetch(url)
  t.is(locked.status, 401)
  const signIn = await locked.text()
  t.regex(signIn, /<title>Gleaner: token/)
  t.is((await fetch(`${url}/?token=s3cret-token`)).status, 401)
  t.is((await fetch(`${url}/session`)).status, 401)
  t.is((await fetch(`${url}/events`)).status, 401)
  const session = await fetch(`${url}/session`, { headers: { authorization: 'Bearer s3cret-token' } })
  const set = session.headers.get('set-cookie') ?? ''
  t.regex(set, /^gleaner=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  const cookie = set.slice(0, set.indexOf(';'))
  const open = await fetch(url, { headers: { cookie: `other=1; ${cookie}` } })
  t.is(open.status, 200)
  for (const text of [signIn, set, await open.text()]) t.false(text.includes('s3cret'))
  for (const wrong of ['gleaner=', 'gleaner=x', `${cookie}x`, 'gleaner=s3cret-token'])
    t.is((await fetch(`${url}/metrics`, { headers: { cookie: wrong } })).status, 401, wrong)
  t.is((await fetch(`${url}/metrics`, { headers: { cookie } })).status, 200)
})

test('one snapshot is computed for all who watch, and none when nobody does', async (t) => {
  let computed = 0
  const { url } = await serve(t, { snapshot: () => ({ n: ++computed }) })
  await fetch(url)
  t.is(computed, 0)
  const stop = new AbortController()
  const streams = Array.from({ length: 3 }, () => eventsOf(url, stop.signal))
  for (const stream of streams) t.deepEqual((await stream.next()).value, { n: 1 })
  for (const stream of streams) t.deepEqual((await stream.next()).value, { n: 2 })
  stop.abort()
  await Promise.all(streams.map((stream) => stream.next().catch(() => undefined)))
  await delay(100)
  const after = computed
  await delay(1200)
  t.is(computed, after)
})

test('watchers are bounded, and one that goes makes room', async (t) => {
  const { url } = await serve(t)
  const stops = Array.from({ length: watchersMax }, () => new AbortController())
  const streams = stops.map(({ signal }) => eventsOf(url, signal))
  await Promise.all(streams.map((stream) => stream.next()))
  const refused = await fetch(`${url}/events`)
  t.is(refused.status, 503)
  t.is(refused.headers.get('retry-after'), '10')
  stops[0]?.abort()
  for (;;) {
    const again = new AbortController()
    const { status } = await fetch(`${url}/events`, { signal: again.signal })
    again.abort()
    if (status === 200) break
    await delay(20)
  }
  for (const stop of stops) stop.abort()
  t.pass()
})

test('a watcher that takes nothing is cut off, and the others go on', async (t) => {
  const { url } = await serve(t, { snapshot: () => ({ big: 'x'.repeat(4_000_000) }) })
  const slow = connect(Number(new URL(url).port), '127.0.0.1')
  slow.on('error', () => undefined)
  slow.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  slow.pause()
  await once(slow, 'connect')
  const stop = new AbortController()
  let heard = 0
  // As many as the slow one may let pass, and one for the cut.
  for await (const _ of eventsOf(url, stop.signal)) if (++heard === 9) break
  stop.abort()
  slow.resume()
  await once(slow, 'close')
  t.is(heard, 9)
})

/** Resolves when it is, whatever ended it. */
function closed(socket: Socket): Promise<string[]> {
  return new Promise((resolve) => {
    if (socket.closed) resolve([''])
    socket.once('close', () => resolve(['']))
  })
}

/** Resolves once it is connected or refused. */
async function open(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed(socket)])
  if (bytes !== '') socket.write(bytes)
  return socket
}

test('2,000 connections that never end a request hold nothing up for long', async (t) => {
  const { url } = await serve(t)
  const port = Number(new URL(url).port)
  const sockets: Socket[] = []
  t.teardown(() => sockets.forEach((socket) => socket.destroy()))
  // Silent, half a head, a head that drips.
  const starts = ['', 'GET / HTTP/1.1\r\nHost: localhost\r\n', 'GET /events HTTP/1.1\r\nX-a: ']
  for (let n = 0; n < 2000; n++) sockets.push(await open(port, starts[n % 3] ?? ''))
  const drip = setInterval(() => sockets.forEach((socket) => socket.writable && socket.write('a')), 500)
  t.teardown(() => clearInterval(drip))
  for (;;) {
    const answer = await fetch(`${url}/healthz`).catch(() => null)
    if (answer?.status === 200) break
    await delay(100)
  }
  // Each of them is cut off in the end, however it drips.
  await Promise.all(sockets.map(closed))
  t.is((await fetch(url)).status, 200)
})

test('malformed requests and paths that climb are answered or cut, and nothing else', async (t) => {
  const { url } = await serve(t)
  const port = Number(new URL(url).port)
  const lines = [
    'GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost',
    'GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost',
    'GET //etc/passwd HTTP/1.1\r\nHost: localhost',
    'GET /page/index.html HTTP/1.1\r\nHost: localhost',
    'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example',
    'GET /%00 HTTP/1.1\r\nHost: localhost',
    'GET / HTTP/9.9\r\nHost: localhost',
    'GET / HTTP/1.1',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: localhost',
    'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost',
    'GET /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3',
    '\0\x01\x02',
    'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade',
  ]
  for (const line of lines) {
    const socket = await open(port, `${line}\r\nX-End: 1\r\n\r\n`)
    const [answer] = (await Promise.race([once(socket, 'data').catch(() => ['']), closed(socket)])) as [unknown]
    socket.destroy()
    t.notRegex(String(answer), /root:x:/, line)
    if (!line.includes('Upgrade')) t.notRegex(String(answer), /^HTTP\/1.1 200/, line)
  }
  t.is((await fetch(`${url}/healthz`)).status, 200)
})
