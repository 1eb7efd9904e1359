/**
 * Who hears what: B appends while A alone collects, then A appends itself. Lag is from the moment that is written in each record to the time of
 * its entry in the stream.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { StreamEntry } from '../../../test/support/lines.ts'
import type { Cluster } from '../cluster.ts'
import type { LabNode } from '../filesystem.ts'
import type { Scenario, Scene } from '../scene.ts'
import { quantile } from '../scene.ts'

const perSecond = 3

export const visibility: Scenario = {
  name: 'visibility',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open()
    const collector = await cluster.collect(a)
    const appearedMs = await appears(cluster, b)
    const heardBefore = await cluster.metric(a, 'gleaner_changes_total', 'seen_by="inotify"')
    const remote = await appended(scene, cluster, b)
    const heard = (await cluster.metric(a, 'gleaner_changes_total', 'seen_by="inotify"')) - heardBefore
    const found = await cluster.metric(a, 'gleaner_changes_total', 'seen_by="reconcile"')
    const local = await appended(scene, cluster, a)
    const blind = await cluster.metric(a, 'gleaner_root_blind')
    const doctor = await cluster.gleaner(a, '--json', 'doctor')
    await cluster.end(collector)
    await cluster.close()
    const problems = [...remote.problems, ...local.problems]
    if (heard > 0 !== (blind === 0))
      problems.push(`A heard ${heard} of B's changes, and gleaner_root_blind is ${blind}`)
    const says = doctor.stdout.includes('inotify') ? 'yes' : 'no'
    return {
      facts: {
        'B: new file ms': appearedMs,
        'B: heard by A': heard,
        'B: found by A': found,
        'B: lag p50 ms': quantile(remote.lags, 0.5),
        'B: lag max ms': quantile(remote.lags, 1),
        'A: lag p50 ms': quantile(local.lags, 0.5),
        'A: lag max ms': quantile(local.lags, 1),
        'blind by metric': blind,
        'doctor tells': says,
      },
      problems,
    }
  },
}

/** How long until a new file by B is published by A. */
async function appears(cluster: Cluster, b: LabNode): Promise<number | null> {
  await delay(3000)
  const began = performance.now()
  writeFileSync(join(cluster.at(b), 'new.acct'), 'new\n')
  for (; performance.now() - began < 60_000; await delay(100)) {
    if ((await cluster.stream()).length > 0) return Math.round(performance.now() - began)
  }
  return null
}

/** Some seconds of appends by `writer`, and the lag of each. */
async function appended(
  scene: Scene,
  cluster: Cluster,
  writer: LabNode,
): Promise<{ lags: number[]; problems: string[] }> {
  const name = `visible-${writer.name}`
  const appender = cluster.append(writer, { rate: perSecond, name, file: 'new.acct' })
  await delay(scene.seconds * 1000)
  appender.kill('SIGTERM')
  await appender.ended
  const { lines } = JSON.parse(await appender.stdout()) as { lines: number }
  let lags: number[] = []
  for (const endMs = performance.now() + 30_000; performance.now() < endMs && lags.length < lines; await delay(250)) {
    lags = (await cluster.stream()).flatMap((entry) => lagOf(entry, name))
  }
  return { lags, problems: lags.length === lines ? [] : [`${lags.length} of ${lines} records by ${writer.name} came`] }
}

function lagOf({ id, fields }: StreamEntry, name: string): number[] {
  const match = new RegExp(`"${name}" (\\d+) `).exec(fields['raw']?.toString() ?? '')
  return match ? [Number(id.split('-')[0]) - Number(match[1])] : []
}
