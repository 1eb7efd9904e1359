/**
 * The server dies for 20 s and comes back, while a healthy local root is collected by the same process: its latency stays low, nothing is
 * taken for deleted, everything comes in the end, and SIGTERM ends a process whose mount hangs.
 */

import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { readStream } from '../../../test/support/lines.ts'
import type { Scenario } from '../scene.ts'
import { count, filesOf, quantile } from '../scene.ts'

const deadMs = 20_000
const endMs = 15_000

export const serverDead: Scenario = {
  name: 'server dead',
  notFor: ({ server }) => (server === null ? 'it has no server of its own' : null),
  async run(scene) {
    const { a, b, server } = scene.mounted
    const healthy = join('/tmp', `healthy-${process.pid}`)
    mkdirSync(healthy, { recursive: true })
    const roots = (path: string) => [
      { name: 'acct', path, format: 'lines' },
      { name: 'healthy', path: healthy, format: 'lines' },
    ]
    const cluster = await scene.open()
    const withBoth = { roots: roots(cluster.at(a)) }
    const two = await scene.open({ config: withBoth })
    const collector = await two.collect(a)
    const writer = cluster.append(b, { rate: 20, name: 'before' })
    await delay(3000)
    writer.kill('SIGTERM')
    await writer.ended
    await server?.kill()
    const lags = await latency(two, healthy, deadMs)
    const dying = await scene.open({ config: { ...withBoth, serve: { port: 0 } } })
    const other = await dying.collect(a)
    await delay(3000)
    const began = performance.now()
    const status = await dying.end(other)
    const endedMs = Math.round(performance.now() - began)
    await server?.restart()
    await delay(3000)
    const after = cluster.append(b, { rate: 20, name: 'after' })
    await delay(3000)
    after.kill('SIGTERM')
    await after.ended
    const counts = await count(two, a, { collectors: [collector], truth: () => filesOf(cluster.at(b)) })
    const { stdout } = await two.gleaner(a, '--json', 'anomalies')
    for (const one of [cluster, two, dying]) await one.close()
    const problems = [...counts.problems]
    const worst = quantile(lags, 1) ?? Number.POSITIVE_INFINITY
    if (worst > 1000) problems.push(`the healthy root's latency was ${worst} ms`)
    if (endedMs > endMs) problems.push(`SIGTERM took ${endedMs} ms, and ended it with ${status}`)
    if (/"(vanished|truncated)"/.test(stdout)) problems.push(`something is taken for deleted: ${stdout}`)
    const facts = { 'healthy p50 ms': quantile(lags, 0.5), 'healthy max ms': worst, 'SIGTERM ms': endedMs }
    return { facts: { ...facts, written: counts.written, lost: counts.lost, doubled: counts.doubled }, problems }
  },
}

/** Appends to a local root every 250 ms, and how long each took to be published. */
async function latency(cluster: Cluster, directory: string, forMs: number): Promise<number[]> {
  const file = join(directory, 'log')
  for (const end = performance.now() + forMs; performance.now() < end; await delay(250)) {
    appendFileSync(file, `${Date.now()}\n`)
  }
  await delay(1000)
  const entries = await readStream(cluster.client, 'healthy')
  return entries.map(({ id, fields }) => Number(id.split('-')[0]) - Number(fields['raw']?.toString().trim()))
}
