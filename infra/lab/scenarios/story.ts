/** The founding story: both nodes collect the same files while B, the master, writes 300,000 records a day, ten times as fast. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario } from '../scene.ts'
import { count, filesOf } from '../scene.ts'

const perSecond = 35

export const story: Scenario = {
  name: 'story',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open()
    const collectors = [await cluster.collect(a), await cluster.collect(b)]
    const writers = ['lsb.acct', 'lsb.stream'].map((file) => cluster.append(b, { rate: perSecond, name: file, file }))
    await delay(scene.seconds * 1000)
    for (const writer of writers) {
      writer.kill('SIGTERM')
      await writer.ended
    }
    const counts = await count(cluster, a, { collectors, truth: () => filesOf(cluster.at(b)) })
    await cluster.close()
    const { written, archived, lost, doubled, problems } = counts
    return { facts: { written, archived, lost, doubled }, problems }
  },
}
