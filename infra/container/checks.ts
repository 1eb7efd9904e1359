/** What the images must do, each tried on real containers. A check gives what it saw, in a line; it throws where that is not enough. */

import { strict as assert } from 'node:assert'
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { images } from './images.ts'
import type { Running, Site } from './site.ts'
import { until } from './site.ts'

export const checks: Record<string, (site: Site) => Promise<string>> = {
  start,
  confined,
  inotify,
  stop,
  healthcheck,
  reconcile,
  redis,
  size,
  duckdb,
}

const startMsMax = 1000
const stopMsMax = 10_000
const collectorBytesMax = 400e6

async function start(site: Site): Promise<string> {
  const times: Running[] = []
  for (let n = 0; n < 3; n++) {
    const running = await site.start(`start-${n}`)
    times.push(running)
    site.engine.podman('rm', '--force', '--time', '10', running.name)
  }
  // The least: what more there is belongs to what else runs on this machine. Where that is much, only the processor time tells.
  const least = Math.min(...times.map(({ readyMs }) => readyMs))
  const cpu = Math.min(...times.map(({ cpuMs }) => cpuMs))
  assert(
    Math.min(least, cpu) <= startMsMax,
    `${least} ms from the start of the process to ready, ${cpu} ms of them computing`,
  )
  return `ready ${least} ms after its start, ${cpu} ms of processor time (of three)`
}

async function confined(site: Site): Promise<string> {
  const running = await site.start('confined')
  const status = running.evaluate(`require('fs').readFileSync('/proc/1/status', 'utf8')`)
  const of = (key: string) => new RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)?.[1]
  assert.equal(of('Uid'), '1000')
  assert.equal(of('CapEff'), '0000000000000000')
  assert.equal(of('NoNewPrivs'), '1')
  const write = (path: string) =>
    running.evaluate(`require('fs').promises.writeFile('${path}', 'x').then(() => 'written', (e) => e.code)`)
  for (const place of ['/app', '/etc', '/logs', '/app/node_modules']) assert.equal(write(`${place}/x`), 'EROFS', place)
  for (const place of ['/tmp', '/var/lib/gleaner']) assert.equal(write(`${place}/x`), 'written', place)
  const cache = /NODE_COMPILE_CACHE=([^\0]+)/.exec(
    running.evaluate(`require('fs').readFileSync('/proc/1/environ', 'utf8')`),
  )
  const cached = running.evaluate(`require('fs').readdirSync('${cache?.[1]}', { recursive: true }).length`)
  assert(Number(cached) > 50, 'the image brings no compiled code')
  const megabytes = Math.round(Number(of('VmRSS')) / 1024)
  return `uid 1000, no capabilities, / is read-only; ${cached} files of compiled code; ${megabytes} MiB resident`
}

async function inotify(site: Site): Promise<string> {
  // No pass but the first within the check: what is seen later was heard.
  site.configure({ reconcile: { every: '1h' } })
  const running = await site.start('inotify')
  appendFileSync(join(site.logs, 'acct'), 'a line from the host\n')
  await until(() => archivedText(site.archive).includes('a line from the host\n'))
  const metrics = running.evaluate(`fetch('http://127.0.0.1:9464/metrics').then((r) => r.text())`)
  const [, count] = /^gleaner_changes_total\{.*seen_by="inotify".*\} (\d+)/m.exec(metrics) ?? []
  assert(Number(count) > 0, 'no change was counted as seen by inotify')
  return `an append on the host was heard through the bind mount and archived (${count} seen by inotify)`
}

async function stop(site: Site): Promise<string> {
  const running = await site.start('stop')
  const lines = Array.from({ length: 200_000 }, (_, n) => `line ${n} of what is still to be archived\n`).join('')
  appendFileSync(join(site.logs, 'acct'), lines)
  const began = performance.now()
  site.engine.podman('stop', '--time', '20', running.name)
  const ms = Math.round(performance.now() - began)
  const status = site.engine.podman('inspect', running.name, '--format', '{{.State.ExitCode}}')
  assert.equal(status, '0')
  assert(ms <= stopMsMax, `${ms} ms from SIGTERM to the end`)
  const archived = archivedText(site.archive).length
  const { status: caughtUp } = site.once(['reconcile'])
  assert.equal(caughtUp, 0)
  assert.equal(archivedText(site.archive), lines)
  const share = Math.round((100 * archived) / lines.length)
  return `ended ${ms} ms after SIGTERM with status 0; ${share} % of ${lines.length} waiting bytes archived by then, all by the next reconcile`
}

async function healthcheck(site: Site): Promise<string> {
  const running = await site.start('health')
  const test = site.engine.podman('inspect', images.collector, '--format', '{{json .HealthCheck}}')
  const [kind, program] = (JSON.parse(test) as { Test: string[] }).Test
  assert.deepEqual([kind, program], ['CMD', 'node'], 'a health check through a shell')
  const good = site.engine.tryPodman('healthcheck', 'run', running.name)
  assert.equal(good.status, 0, good.said)
  const other = await site.start('health-elsewhere', '-e', 'GLEANER_HEALTH_URL=http://127.0.0.1:1/healthz')
  assert.notEqual(site.engine.tryPodman('healthcheck', 'run', other.name).status, 0)
  return 'healthy while it serves, unhealthy where nothing answers, by node alone'
}

async function reconcile(site: Site): Promise<string> {
  appendFileSync(join(site.logs, 'acct'), 'one\ntwo\nthree\n')
  const first = site.once(['--json', 'reconcile'])
  const made = JSON.parse(first.said.split('\n').find((line) => line.startsWith('{"files"')) ?? '{}') as Record<
    string,
    unknown
  >
  assert.equal(first.status, 0, first.said)
  assert.deepEqual([made['files'], made['bytes'], made['records']], [1, 14, 3])
  const again = site.once(['--json', 'reconcile'])
  assert.equal(again.status, 0, again.said)
  assert.match(again.said, /"bytes":0/)
  const verified = site.once(['verify', '--files'])
  assert.equal(verified.status, 0, verified.said)
  return 'one job archived 3 lines and ended with 0, the next found nothing; verify --files agrees'
}

async function redis(site: Site): Promise<string> {
  site.configure({ redis: 'redis://127.0.0.1:6379', feed: { since: 'all' } })
  const { engine } = site
  engine.podman('run', '-d', '--name', 'redis', '--network', 'none', images.redis)
  await site.start('with-redis', '--network', 'container:redis')
  appendFileSync(join(site.logs, 'acct'), 'one\ntwo\n')
  const records = () => engine.podman('exec', 'redis', 'redis-cli', 'xlen', '{gleaner:accounting}:records')
  await until(() => records() === '2')
  return '2 lines, 2 entries in the records stream'
}

async function size(site: Site): Promise<string> {
  const bytes = (image: string) => Number(site.engine.podman('image', 'inspect', image, '--format', '{{.Size}}'))
  const [base, collector, whole] = [bytes(images.base), bytes(images.collector), bytes(images.whole)]
  assert(collector < collectorBytesMax, `${collector} bytes`)
  assert(whole - collector > 50e6, 'the image collector is no smaller than the whole one')
  const megabytes = (n: number) => `${Math.round(n / 1e6)} MB`
  return `base ${megabytes(base)}, collector + ${megabytes(collector - base)}, with DuckDB + ${megabytes(whole - base)}`
}

async function duckdb(site: Site): Promise<string> {
  appendFileSync(join(site.logs, 'acct'), 'one\ntwo\n')
  assert.equal(site.once(['reconcile']).status, 0)
  const query = ['--json', 'query', 'SELECT count(*)::INTEGER AS n FROM records']
  const refused = site.once(query)
  assert.equal(refused.status, 1)
  assert.match(refused.said, /need DuckDB/)
  const answered = site.once(query, images.whole)
  assert.equal(answered.status, 0, answered.said)
  assert.match(answered.said, /"n":2/)
  return 'collector refuses query in words; the whole image answers it, with / read-only'
}

function archivedText(archive: string): string {
  const root = join(archive, 'evidence/segments/accounting')
  if (!existsSync(root)) return ''
  const keys = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((key) => /\/\d{16}\.zst$/.test(key))
    .toSorted()
  return keys.map((key) => zstdDecompressSync(readFileSync(join(root, key))).toString()).join('')
}
