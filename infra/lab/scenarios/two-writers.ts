/**
 * Both nodes append to one file at once. Lines may be lost below us, and lines already read overwritten; the archive agrees with the file in
 * the end, or says where it does not.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { verifiedDifferences } from '../differences.ts'
import type { LabNode } from '../filesystem.ts'
import type { Scenario } from '../scene.ts'

const perSecond = 200
const provenMs = 25_000

export const twoWriters: Scenario = {
  name: 'two writers',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open({ config: { settle: { read: '250ms', tail: '5s', final: '1h' } } })
    const collectors = [await cluster.collect(a), await cluster.collect(b)]
    const open = (node: LabNode) => cluster.append(node, { rate: perSecond, name: `by-${node.name}`, how: 'held' })
    const writers = [await open(a), await open(b)]
    await delay(Math.max(6, scene.seconds / 2) * 1000)
    let wrote = 0
    for (const writer of writers) wrote += (await writer.end()).lines
    // A difference is believed when two reads, settle.tail apart, are alike.
    await delay(provenMs)
    for (const one of collectors) await cluster.end(one)
    await cluster.gleaner(a, '--json', 'reconcile')
    const kept = [...(await a.files(cluster.at(a))).values()].map(
      (bytes) => bytes.toString('latin1').split('\n').length - 1,
    )
    const { differing, untold } = await verifiedDifferences(cluster, a)
    await cluster.close()
    const lines = kept.reduce((sum, one) => sum + one, 0)
    return {
      facts: { wrote, 'lost below us': Math.max(0, wrote - lines), 'ranges that differ': differing },
      problems: untold,
    }
  },
}
