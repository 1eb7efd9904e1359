/**
 * The server dies for 20 s and comes back, while a healthy local root is collected by the same process: its latency stays low, nothing is
 * taken for deleted, everything comes in the end, and SIGTERM ends a process whose mount hangs.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { root } from '../cluster.ts'
import type { LabNode } from '../filesystem.ts'
import { lagsOf } from '../lag.ts'
import type { Scenario } from '../scene.ts'
import { count, quantile } from '../scene.ts'

const deadMs = 20_000
const endMs = 15_000
const healthyMsMax = 1000

export const serverDead: Scenario = {
  name: 'server dead',
  notFor: ({ server }) => (server === null ? 'it has no server of its own' : null),
  async run(scene) {
    const { a, b, server } = scene.mounted
    const healthy = join(a.local, 'healthy')
    await a.write(join(healthy, 'log'), '')
    const cluster = await scene.open()
    const roots = [
      { name: root, path: cluster.at(a), format: 'lines' },
      { name: 'healthy', path: healthy, format: 'lines' },
    ]
    const two = await scene.open({ config: { roots } })
    const dying = await scene.open({ config: { roots, serve: { port: 0 } } })
    const collector = await two.collect(a)
    await written(cluster, b, 'before')
    await server?.kill()
    const writer = await two.append(a, { rate: 4, name: 'healthy', file: 'log', directory: healthy })
    await delay(deadMs / 2)
    const other = await dying.collect(a)
    await delay(3000)
    const began = performance.now()
    const status = await dying.end(other)
    const endedMs = Math.round(performance.now() - began)
    await delay(deadMs / 2)
    const { lines } = await writer.end()
    await delay(1000)
    const lags = lagsOf(await two.stream('healthy'), 'healthy')
    await server?.restart()
    await delay(3000)
    await written(cluster, b, 'after')
    const counts = await count(two, a, { collectors: [collector], truth: () => b.files(cluster.at(b)) })
    const { stdout } = await two.gleaner(a, '--json', 'anomalies')
    for (const one of [cluster, two, dying]) await one.close()
    const problems = [...counts.problems]
    const worst = quantile(lags, 1)
    if (worst === null || worst > healthyMsMax) problems.push(`the healthy root's latency was ${worst ?? 'endless'} ms`)
    if (lags.length < lines) problems.push(`${lags.length} of ${lines} records of the healthy root came`)
    if (endedMs > endMs) problems.push(`SIGTERM took ${endedMs} ms, and ended it with ${status}`)
    if (/"(vanished|truncated)"/.test(stdout)) problems.push(`something is taken for deleted: ${stdout}`)
    const facts = { 'healthy p50 ms': quantile(lags, 0.5), 'healthy max ms': worst, 'SIGTERM ms': endedMs }
    return { facts: { ...facts, written: counts.written, lost: counts.lost, doubled: counts.doubled }, problems }
  },
}

/** Three seconds of records. */
async function written(cluster: Cluster, node: LabNode, name: string): Promise<void> {
  const writer = await cluster.append(node, { rate: 20, name })
  await delay(3000)
  await writer.end()
}
