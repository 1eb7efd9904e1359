import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { ExecutionContext } from 'ava'
import { openStatus } from '../../src/core/status.ts'
import { startServe } from '../../src/roles/serve.ts'
import { accessibilityFaults, hasBrowser, openBrowser } from '../support/browser.ts'
import type { Browser, BrowserPage } from '../support/browser.ts'
import { openSite, until } from '../support/gleaner.ts'

/** In a real Chromium; where there is none, nothing is tested. */
const inBrowser = hasBrowser ? test.serial : test.serial.skip

let browser: Browser
test.before(async () => {
  if (hasBrowser) browser = await openBrowser()
})
test.after.always(() => (hasBrowser ? browser.close() : undefined))

interface Opened {
  page: BrowserPage
  /** What the browser complained of: errors of the script, of the policy, of the network. */
  complaints: string[]
  requested: string[]
}

async function openPage(t: ExecutionContext, options: Parameters<Browser['newPage']>[0] = {}): Promise<Opened> {
  const page = await browser.newPage(options)
  t.teardown(() => page.close())
  const [complaints, requested]: [string[], string[]] = [[], []]
  page.on('console', (message) => void complaints.push(message.text()))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on('request', (request) => void requested.push(request.url()))
  return { page, complaints, requested }
}

/** Asks until it does; the page may be going to another just then. */
function holds(page: BrowserPage, expression: string): Promise<void> {
  return until(() => page.evaluate<boolean>(expression).catch(() => false))
}

const nasty = `<script>document.title='owned'<script> "x" & <img src=x onerror=alert(1)> a%41 é.log`

/** Everything that the page can show, hostile names included. */
function snapshot(): object {
  const status = openStatus()
  const anomaly = { root: 'lsf', kind: 'truncated', subject: nasty, detail: nasty, id: 'truncated-0123456789abcdef' }
  status.up('lsf', false, `${nasty} is not mounted`)
  status.up('slurm', true)
  status.blind('slurm', true)
  status.pass(0, 'slurm', { full: true, files: 1234, ms: 56, worstDetectionMs: 600_000 })
  for (let n = 0; n < 9; n++) status.change(1000, 'slurm', n % 2 ? 'inotify' : 'reconcile')
  status.waiting('slurm', { unarchivedBytes: 3_000_000, oldestUnarchivedAgeMs: 90_000, oldestUnprovenAgeMs: 0 })
  status.anomaly(anomaly)
  status.trouble(2000, { code: 'redis-unreachable', message: nasty, remedy: nasty })
  status.request(0, 'store', { ms: 12, ok: true })
  status.request(0, 'redis', { ms: 12, ok: false })
  status.tail(2000, [{ root: 'lsf', path: nasty, kind: 'record', type: nasty, bytes: 1000, text: nasty }])
  const source = { root: 'lsf', size: 1000, archived: 700, published: 800, proven: 500, state: 'rotated' }
  const sources = Array.from({ length: 20 }, (_, n) => ({ ...source, path: `${n} ${nasty}` }))
  const ready = { ok: true, reasons: [] }
  return {
    v: 1,
    node: nasty,
    version: '1',
    ready,
    publishes: true,
    sources,
    ...status.read(3000, ['lsf', 'slurm', 'pbs']),
  }
}

async function serve(t: ExecutionContext, shows: () => object, token?: string): Promise<string> {
  const telemetry = { metrics: () => Promise.resolve(''), contentType: 'text/plain' }
  const ready = () => ({ ok: true, reasons: [] })
  const serving = await startServe({ host: '127.0.0.1', port: 0, telemetry, ready, snapshot: shows, token })
  t.teardown(() => serving.close())
  return serving.url
}

for (const [kind, options] of Object.entries({
  'a desktop': { viewport: { width: 1280, height: 800 } },
  'the dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  'a phone': { viewport: { width: 390, height: 844 } },
} as const)) {
  inBrowser(`on ${kind} the page is accessible, fits, and shows hostile text as text`, async (t) => {
    const url = await serve(t, snapshot)
    const { page, complaints, requested } = await openPage(t, options)
    await page.goto(url)
    await holds(page, `document.getElementById('link').textContent === 'live'`)
    t.is(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0)
    t.is(await page.evaluate('document.images.length + document.scripts.length'), 1)
    t.true((await page.textContent('#sources'))?.includes(nasty))
    t.true((await page.textContent('#tail'))?.includes(nasty))
    t.true((await page.textContent('#anomalies'))?.includes(nasty))
    t.regex((await page.textContent('#roots')) ?? '', /down.*inotify blind.*no pass yet/)
    t.deepEqual(await accessibilityFaults(page), [])
    t.deepEqual(complaints, [])
    t.deepEqual(
      requested.filter((one) => !one.startsWith(url) && !one.startsWith('data:')),
      [],
    )
  })
}

inBrowser('the policy stops a script that a page would be made to hold', async (t) => {
  const { page } = await openPage(t)
  await page.goto(await serve(t, snapshot))
  const made = page.evaluate(`document.body.innerHTML = '<img src=x onerror="document.title=1">'`)
  await t.throwsAsync(made, { message: /TrustedHTML/ })
})

inBrowser('a busy list is short until all of it is asked for', async (t) => {
  const { page } = await openPage(t)
  await page.goto(await serve(t, snapshot))
  await page.waitForSelector('#sources-more:not([hidden])')
  t.is(await page.evaluate(`document.querySelectorAll('#sources > li').length`), 12)
  await page.click('#sources-more')
  t.is(await page.evaluate(`document.querySelectorAll('#sources > li').length`), 20)
})

inBrowser('with a token the page asks for it once, and keeps it out of the address', async (t) => {
  const url = await serve(t, snapshot, 's3cret-token')
  const { page, requested } = await openPage(t)
  await page.goto(url)
  t.deepEqual(await accessibilityFaults(page), [])
  await page.fill('#token', 'wrong')
  await page.click('button')
  await holds(page, `document.getElementById('answer').textContent.includes('not the token')`)
  await page.fill('#token', 's3cret-token')
  await page.click('button')
  await page.waitForSelector('#link')
  await holds(page, `document.getElementById('link').textContent === 'live'`)
  t.is(page.url(), `${url}/`)
  t.is(await page.evaluate('document.cookie'), '')
  t.false(requested.some((one) => one.includes('s3cret')))
})

inBrowser('a collector that goes is told, and one that comes back is heard again', async (t) => {
  const { page } = await openPage(t)
  const telemetry = { metrics: () => Promise.resolve(''), contentType: 'text/plain' }
  const options = { host: '127.0.0.1', telemetry, ready: () => ({ ok: true, reasons: [] }), snapshot }
  const first = await startServe({ ...options, port: 0 })
  await page.goto(first.url)
  await holds(page, `document.getElementById('link').textContent === 'live'`)
  await first.close()
  await holds(page, `document.getElementById('link').textContent.includes('no news')`)
  const second = await startServe({ ...options, port: Number(new URL(first.url).port) })
  t.teardown(() => second.close())
  await holds(page, `document.getElementById('link').textContent === 'live'`)
  t.pass()
})

inBrowser('a real collector shows a file whose name is a script, and what it archives of it', async (t) => {
  const site = await openSite()
  try {
    await writeFile(join(site.logs, nasty), 'planted one\n')
    const running = await site.start(['run'], '"running"')
    const url = /"url":"([^"]+)"/.exec(running.stderr())?.[1] ?? ''
    const { page, complaints } = await openPage(t)
    await page.goto(url)
    await holds(page, `document.getElementById('sources').textContent.includes('archived: all')`)
    await appendFile(join(site.logs, nasty), 'planted two\n')
    await holds(page, `document.getElementById('tail').children.length === 2`)
    t.true((await page.textContent('#sources'))?.includes(nasty))
    t.regex((await page.textContent('#roots')) ?? '', /up.*inotify [1-9]/)
    const whole = await page.evaluate<string>('document.documentElement.outerHTML')
    t.false(whole.includes('planted'))
    t.deepEqual(complaints, [])
    running.kill('SIGTERM')
    t.is((await running.ended).code, 0)
    t.true((await readFile(join(site.logs, nasty), 'utf8')).endsWith('two\n'))
  } finally {
    await site.close()
  }
})
