/** B rotates in LSF's way (copy, unlink, rename), by rename and by copy-and-truncate, and compresses old ones, while A alone reads. */

import { setTimeout as delay } from 'node:timers/promises'
import { readTruth } from '../../../test/support/lines.ts'
import type { Scenario } from '../scene.ts'
import { count, truthDirectory } from '../scene.ts'

const perSecond = 300
/** One rotation of each kind. */
const leastSeconds = 14

export const rotation: Scenario = {
  name: 'rotation',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open()
    const collectors = [await cluster.collect(a)]
    const truth = truthDirectory(cluster)
    const writer = await cluster.rotate(b, perSecond, truth)
    await delay(Math.max(leastSeconds, scene.seconds) * 1000)
    writer.kill('SIGTERM')
    await writer.ended
    const { rotations } = JSON.parse((await writer.stdout()) || '{"rotations": 0}') as { rotations: number }
    const written = await readTruth(truth)
    const counts = await count(cluster, a, { collectors, truth: () => Promise.resolve(written) })
    await cluster.close()
    const { lost, doubled, archived, revised, problems } = counts
    return { facts: { rotations, written: counts.written, archived, lost, doubled, revised }, problems }
  },
}
