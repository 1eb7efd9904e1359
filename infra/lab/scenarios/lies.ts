/**
 * Bursts by B that provoke NULs, stale blocks and short reads on A. What the archive holds must be what the file holds, or be named by a
 * revision. With `settle.read: 0ms` the same bursts are read without waiting; what goes wrong then shows that this test can fail here.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Scenario, Scene } from '../scene.ts'
import { count, filesOf } from '../scene.ts'

const perSecond = 2000

export const lies: Scenario = {
  name: 'lies',
  async run(scene) {
    const trusting = await bursts(scene, '0ms')
    const careful = await bursts(scene, '250ms')
    const facts = {
      written: careful.written,
      lost: careful.lost,
      doubled: careful.doubled,
      revisions: careful.revisions,
      'revisions with settle.read 0': trusting.revisions,
      'wrong with settle.read 0': trusting.problems.length,
    }
    return { facts, problems: careful.problems }
  },
}

async function bursts(
  scene: Scene,
  read: string,
): Promise<{ written: number; lost: number; doubled: number; revisions: number; problems: string[] }> {
  const { a, b } = scene.mounted
  const settle = { read, tail: '5s', final: '1h' }
  const cluster = await scene.open({
    config: { settle, reconcile: { every: '100ms', fullEvery: '5s' }, seal: { age: '100ms' } },
  })
  const collectors = [await cluster.collect(a)]
  for (let burst = 0; burst < Math.max(3, scene.seconds / 3); burst++) {
    const writer = cluster.append(b, { rate: perSecond, name: `burst${burst}`, held: burst % 2 === 0 })
    await delay(1500)
    writer.kill('SIGTERM')
    await writer.ended
    await delay(500)
  }
  // Everything is read once more after settle.tail.
  await delay(12_000)
  const counts = await count(cluster, a, { collectors, truth: () => filesOf(cluster.at(b)) })
  const checked = await cluster.gleaner(a, '--json', 'verify', '--files')
  const { different = [] } = JSON.parse(checked.stdout || '{}') as { different?: unknown[] }
  const revisions = (await cluster.stream()).filter(({ fields }) => fields['kind']?.toString() === 'revision').length
  await cluster.close()
  const { written, lost, doubled, problems } = counts
  const untold =
    revisions === 0 && different.length > 0
      ? [`${different.length} ranges differ from the files, and no revision tells`]
      : []
  return { written, lost, doubled, revisions, problems: revisions === 0 ? [...problems, ...untold] : untold }
}
