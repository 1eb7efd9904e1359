/**
 * The master's node dies at a random moment, the other goes on with the same file, and later the first one is back and writes again. What the
 * filesystem kept is collected once; what it lost with the node is not ours.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Process } from '../../../test/support/process.ts'
import type { Scenario } from '../scene.ts'
import { count } from '../scene.ts'

const perSecond = 100

export const failover: Scenario = {
  name: 'failover',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open()
    const onA = await cluster.collect(a)
    let onB: Process = await cluster.collect(b)
    for (let round = 0; round < scene.rounds; round++) {
      await cluster.append(b, { rate: perSecond, name: `b${round}` })
      await delay(800 + Math.random() * 1500)
      await b.kill()
      const other = await cluster.append(a, { rate: perSecond, name: `a${round}` })
      await delay(1200)
      await b.revive()
      onB = await cluster.collect(b)
      await other.end()
      scene.say(`failover ${round + 1} of ${scene.rounds}`)
    }
    const truth = () => a.files(cluster.at(a))
    const counts = await count(cluster, a, { collectors: [onA, onB], truth })
    const anomalies = await cluster.gleaner(a, '--json', 'anomalies')
    await cluster.close()
    const { written, archived, lost, doubled, revised, problems } = counts
    const told = (JSON.parse(anomalies.stdout || '[]') as unknown[]).length
    return {
      facts: { rounds: scene.rounds, written, archived, lost, doubled, revised, anomalies: told },
      problems: problems.map((one) => one.replace(join(cluster.dir, ''), '')),
    }
  },
}
