/**
 * The server dies for 20 s and comes back, while a healthy local root is collected by the same process: its latency stays low, nothing is
 * taken for deleted, everything comes in the end, and SIGTERM ends a process whose mount hangs.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Process } from '../../../test/support/process.ts'
import type { Cluster } from '../cluster.ts'
import { root } from '../cluster.ts'
import type { LabNode } from '../filesystem.ts'
import { lagsOf } from '../lag.ts'
import type { Scenario } from '../scene.ts'
import { count, quantile } from '../scene.ts'

const deadMs = 20_000
const endMs = 15_000
const healthyMsMax = 1000
const patienceMs = 600_000

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
    const { saidMs, goneMs } = await terminated(other, deadMs)
    await delay(deadMs / 2)
    const { lines } = await writer.end()
    await delay(1000)
    const lags = lagsOf(await two.stream('healthy'), 'healthy')
    await server?.restart()
    const backMs = await answers(cluster, [a, b])
    await written(cluster, b, 'after')
    const staleMs = await agree(cluster, a, b)
    const counts = await count(two, a, { collectors: [collector], truth: () => b.files(cluster.at(b)) })
    const { stdout } = await two.gleaner(a, '--json', 'anomalies')
    for (const one of [cluster, two, dying]) await one.close()
    const problems = [...counts.problems]
    const worst = quantile(lags, 1)
    if (worst === null || worst > healthyMsMax) problems.push(`the healthy root's latency was ${worst ?? 'endless'} ms`)
    if (lags.length < lines) problems.push(`${lags.length} of ${lines} records of the healthy root came`)
    if (saidMs > endMs) problems.push(`SIGTERM took ${saidMs} ms`)
    if (/"(vanished|truncated)"/.test(stdout)) problems.push(`something is taken for deleted: ${stdout}`)
    const latency = { 'healthy p50 ms': quantile(lags, 0.5), 'healthy max ms': worst }
    const facts = {
      ...latency,
      'SIGTERM ms': saidMs,
      'gone ms': goneMs,
      'mounts back ms': backMs,
      'A stale ms': staleMs,
    }
    return { facts: { ...facts, written: counts.written, lost: counts.lost, doubled: counts.doubled }, problems }
  },
}

/**
 * SIGTERM: how long until it has stopped and kills itself, and until it is gone, which a kernel that waits for the server may put off; null: it
 * was not within `forMs`.
 */
async function terminated(one: Process, forMs: number): Promise<{ saidMs: number; goneMs: number | null }> {
  const began = performance.now()
  const passed = () => Math.round(performance.now() - began)
  one.kill('SIGTERM')
  const said = one.said('"stopped"').catch(() => undefined)
  const gone = one.ended.then(passed)
  await Promise.race([said, gone, delay(forMs)])
  const saidMs = passed()
  return { saidMs, goneMs: await Promise.race([gone, delay(forMs, null)]) }
}

/** How long until both nodes can list what they mount, ms. A client that took its server for dead may look again only after minutes. */
async function answers(cluster: Cluster, nodes: LabNode[]): Promise<number> {
  const began = performance.now()
  for (const node of nodes)
    while ((await node.spawn('ls', [cluster.at(node)], { log: join(cluster.dir, 'ls') }).ended) !== 0) {
      if (performance.now() - began > patienceMs) throw new Error(`${node.name} does not get its mount back`)
      await delay(500)
    }
  return Math.round(performance.now() - began)
}

/** How long A still shows what it knew before the server died: OpenAFS for minutes, without an error. */
async function agree(cluster: Cluster, a: LabNode, b: LabNode): Promise<number> {
  const began = performance.now()
  const size = async (node: LabNode): Promise<number | null> => {
    // A client that still takes its server for dead answers with an error.
    const files = await node.files(cluster.at(node)).catch(() => new Map<string, Buffer>())
    return files.get('lsb.acct')?.length ?? null
  }
  const isAgreed = async () => {
    const [byA, byB] = [await size(a), await size(b)]
    return byA !== null && byA === byB
  }
  for (; !(await isAgreed()); await delay(500))
    if (performance.now() - began > patienceMs)
      throw new Error('A does not see what B wrote after the server came back')
  return Math.round(performance.now() - began)
}

/** Three seconds of records. */
async function written(cluster: Cluster, node: LabNode, name: string): Promise<void> {
  const writer = await cluster.append(node, { rate: 20, name })
  await delay(3000)
  await writer.end()
}
