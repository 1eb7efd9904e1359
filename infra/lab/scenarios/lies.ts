/**
 * Bursts by B that provoke NULs, stale blocks and short reads on A, where the worker is told to look every few milliseconds. What the archive
 * holds must be what the file holds, or be named by a revision. A reader without care beside the collector counts the lies that A was really
 * told, and with `settle.read: 0ms` the same bursts are collected without waiting: what goes wrong then shows that this test can fail.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { root } from '../cluster.ts'
import type { Scenario, Scene } from '../scene.ts'
import { count } from '../scene.ts'

const perSecond = 5000
const burstMs = 1500
const signalEveryMs = 3
const file = 'lsb.acct'

interface Told {
  written: number
  lost: number
  doubled: number
  revisions: number
  /** Reads of the reader without care, and those that were not what the file holds. */
  reads: number
  lies: number
  /** What counting found, before revisions are asked. */
  wrong: number
  problems: string[]
}

export const lies: Scenario = {
  name: 'lies',
  async run(scene) {
    const { mounted } = scene
    const ordered = await mounted.shuffle?.()
    const trusting = await bursts(scene, '0ms')
    const careful = await bursts(scene, '250ms')
    await ordered?.()
    const shown = trusting.lies + careful.lies
    const problems = mounted.isLying && shown === 0 ? ['no lie was told, so that nothing is shown'] : []
    const facts = {
      written: careful.written,
      lost: careful.lost,
      doubled: careful.doubled,
      revisions: careful.revisions,
      'lies told': `${careful.lies} in ${careful.reads} reads`,
      'with settle.read 0: lies told': `${trusting.lies} in ${trusting.reads} reads`,
      'with settle.read 0: revisions': trusting.revisions,
      'with settle.read 0: wrong': trusting.wrong,
    }
    return { facts, problems: [...problems, ...careful.problems] }
  },
}

async function bursts(scene: Scene, read: string): Promise<Told> {
  const { a, b } = scene.mounted
  const settle = { read, tail: '5s', final: '1h' }
  const config = { settle, reconcile: { every: '1s', fullEvery: '5s' }, seal: { age: '100ms' } }
  const cluster = await scene.open({ config })
  const collectors = [await cluster.collect(a)]
  const reader = await cluster.trust(a, file)
  const signalling = new AbortController()
  const signalled = signal(cluster, signalling.signal)
  for (let burst = 0; burst < Math.max(3, scene.seconds / 3); burst++) {
    const how = (['bursts', 'held', 'reopened'] as const)[burst % 3] ?? 'bursts'
    const writer = await cluster.append(b, { rate: perSecond, name: `burst${burst}`, file, how })
    await delay(burstMs)
    await writer.end()
    await delay(500)
  }
  signalling.abort()
  await signalled
  // Everything is read once more after settle.tail.
  await delay(12_000)
  const { reads, nuls, wrong } = await reader.end()
  const counts = await count(cluster, a, { collectors, truth: () => b.files(cluster.at(b)) })
  const checked = await cluster.gleaner(a, '--json', 'verify', '--files')
  const { different = [] } = JSON.parse(checked.stdout || '{}') as { different?: unknown[] }
  await cluster.close()
  const { written, lost, doubled, revised: revisions, problems } = counts
  const untold =
    revisions === 0 && different.length > 0
      ? [`${different.length} ranges differ from the files, and no revision tells`]
      : []
  // What a revision names is not wrong any more.
  const told = revisions === 0 ? [...problems, ...untold] : untold
  return { written, lost, doubled, revisions, reads, lies: nuls + wrong, wrong: problems.length, problems: told }
}

/** Tells the workers without pause that the file may have grown. */
async function signal(cluster: Cluster, stop: AbortSignal): Promise<void> {
  const fields = ['path', file, 'cause', 'lab']
  while (!stop.aborted) {
    await cluster.client.xadd(`{gleaner:${root}}:signals`, 'MAXLEN', '~', '1000', '*', ...fields)
    await delay(signalEveryMs)
  }
}
