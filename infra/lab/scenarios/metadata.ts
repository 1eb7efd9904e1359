/** Requests that reach the server from an idle collector on A over 200 files, a second, against the configured budget. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import type { LabNode } from '../filesystem.ts'
import type { Scenario } from '../scene.ts'

const files = 200
const patienceMs = 240_000
const budget = 50

export const metadata: Scenario = {
  name: 'metadata calls',
  async run(scene) {
    const { a, b } = scene.mounted
    const reconcile = { every: '1s', fullEvery: '10s', metadataPerSecondMax: budget }
    const cluster = await scene.open({ config: { reconcile } })
    for (let n = 0; n < files; n++) await b.write(join(cluster.at(b), `job-${n}`), `job ${n}\n`)
    const collector = await cluster.collect(a)
    await idle(cluster, a)
    const [before, servedBefore] = [
      await cluster.metric(a, 'gleaner_metadata_calls_total'),
      await scene.mounted.calls(),
    ]
    const began = performance.now()
    await delay(20_000)
    const seconds = (performance.now() - began) / 1000
    const own = ((await cluster.metric(a, 'gleaner_metadata_calls_total')) - before) / seconds
    const served = await scene.mounted.calls()
    await cluster.end(collector)
    await cluster.close()
    const atServer = served === null || servedBefore === null ? null : Math.round((served - servedBefore) / seconds)
    const problems = own > budget * 1.2 ? [`${Math.round(own)} calls a second, allowed were ${budget}`] : []
    return { facts: { files, budget, 'own calls/s': Math.round(own), 'at the server/s': atServer }, problems }
  },
}

/** Resolves when all is published, archived and proven there: what goes on then are passes. */
async function idle(cluster: Cluster, node: LabNode): Promise<void> {
  const isIdle = async () =>
    (await cluster.stream()).length >= files &&
    (await cluster.metric(node, 'gleaner_unarchived_bytes')) === 0 &&
    (await cluster.metric(node, 'gleaner_oldest_unproven_age_seconds')) === 0
  await delay(15_000)
  for (const endMs = performance.now() + patienceMs; !(await isIdle()); await delay(1000))
    if (performance.now() > endMs) throw new Error('the collector does not become idle')
  await delay(12_000)
}
