/** The founding story: both nodes collect the same files while B, the master, writes 300,000 records a day, ten times as fast. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario } from '../scene.ts'
import { count } from '../scene.ts'

const perSecond = 35

export const story: Scenario = {
  name: 'story',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open()
    const collectors = [await cluster.collect(a), await cluster.collect(b)]
    const writers = [
      await cluster.append(b, { rate: perSecond, name: 'acct' }),
      await cluster.append(b, { rate: perSecond, name: 'stream', file: 'lsb.stream' }),
    ]
    await delay(scene.seconds * 1000)
    for (const writer of writers) await writer.end()
    const counts = await count(cluster, a, { collectors, truth: () => b.files(cluster.at(b)) })
    await cluster.close()
    const { written, archived, lost, doubled, revised, problems } = counts
    return { facts: { written, archived, lost, doubled, revised }, problems }
  },
}
