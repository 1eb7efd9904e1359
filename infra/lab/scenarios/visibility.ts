/**
 * Who hears what. A alone collects while B appends, then while A itself does; then B alone collects what B appends. Lag is from the moment
 * that is written in each record to the time of its entry in the stream. The metrics must agree with what was found, and what `doctor` says of
 * inotify on either node, too.
 */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { root } from '../cluster.ts'
import type { LabNode } from '../filesystem.ts'
import { lagsOf } from '../lag.ts'
import type { Scenario, Scene } from '../scene.ts'
import { quantile } from '../scene.ts'

const perSecond = 3
const changesMin = 6

export const visibility: Scenario = {
  name: 'visibility',
  async run(scene) {
    const { a, b } = scene.mounted
    const cluster = await scene.open()
    const onA = await cluster.collect(a)
    const appearedMs = await appears(cluster, b)
    const remote = await appended(scene, cluster, { collector: a, writer: b, file: 'new.acct' })
    // Before A writes much itself: the metric tells where at least one change in ten is found by a pass alone.
    const blind = await cluster.metric(a, 'gleaner_root_blind')
    const local = await appended(scene, cluster, { collector: a, writer: a, file: 'new.acct' })
    await cluster.end(onA)
    const onB = await cluster.collect(b)
    const own = await appended(scene, cluster, { collector: b, writer: b, file: 'own.acct' })
    await cluster.end(onB)
    const heardRemote = remote.heard > 0
    const told = [await doctorSays(cluster, a), await doctorSays(cluster, b)]
    await cluster.close()
    const problems = [...remote.problems, ...local.problems, ...own.problems]
    if (heardRemote !== (blind === 0))
      problems.push(`A heard ${remote.heard} of B's changes, and gleaner_root_blind is ${blind}`)
    if (!heardRemote && remote.found === 0) problems.push("no metric says who found B's changes")
    for (const { heard } of [local, own]) if (heard === 0) problems.push('a node did not hear its own changes')
    for (const [index, says] of told.entries())
      if (says !== (heardRemote ? 'sees all' : 'sees its own only'))
        problems.push(`A heard ${remote.heard} of B's changes; doctor on ${index === 0 ? 'A' : 'B'}: ${says}`)
    return {
      facts: {
        'B: new file ms': appearedMs,
        'B: heard by A': remote.heard,
        'B: found by A': remote.found,
        'B: lag p50 ms': quantile(remote.lags, 0.5),
        'B: lag max ms': quantile(remote.lags, 1),
        'A: heard by A': local.heard,
        'A: lag p50 ms': quantile(local.lags, 0.5),
        'A: lag max ms': quantile(local.lags, 1),
        'B: heard by B': own.heard,
        'B: own lag p50 ms': quantile(own.lags, 0.5),
        'blind by metric': blind,
        doctor: told[0] ?? '',
      },
      problems,
    }
  },
}

/** What `doctor` there says that inotify sees of the root. */
async function doctorSays(cluster: Cluster, node: LabNode): Promise<string> {
  const { stdout, stderr } = await cluster.gleaner(node, '--json', 'doctor')
  if (stdout === '') return `nothing: ${stderr}`
  const { findings } = JSON.parse(stdout) as { findings: { check: string; subject: string; means: string }[] }
  const means = findings.find(({ check, subject }) => check === 'mount' && subject === root)?.means ?? ''
  if (means.includes('sees every change')) return 'sees all'
  return means.includes('sees what this node writes, and nothing of what others write')
    ? 'sees its own only'
    : `something else: ${means}`
}

/** How long until a new file by B is published by A. */
async function appears(cluster: Cluster, b: LabNode): Promise<number | null> {
  await delay(3000)
  const began = performance.now()
  await b.write(join(cluster.at(b), 'new.acct'), 'new\n')
  for (; performance.now() - began < 60_000; await delay(100)) {
    if ((await cluster.stream()).length > 0) return Math.round(performance.now() - began)
  }
  return null
}

interface Appended {
  lags: number[]
  /** Changes that the collector's listener told first, and its reconciler. */
  heard: number
  found: number
  problems: string[]
}

/** Some seconds of appends by `writer`. */
async function appended(
  scene: Scene,
  cluster: Cluster,
  { collector, writer, file }: { collector: LabNode; writer: LabNode; file: string },
): Promise<Appended> {
  const seen = (by: string) => cluster.metric(collector, 'gleaner_changes_total', `seen_by="${by}"`)
  const before = [await seen('inotify'), await seen('reconcile')] as const
  const name = `${writer.name}-for-${collector.name}`
  const appender = await cluster.append(writer, { rate: perSecond, name, file })
  await delay(scene.seconds * 1000)
  // The metric tells only after some changes.
  const isClear = async () => (await seen('inotify')) - before[0] + (await seen('reconcile')) - before[1] >= changesMin
  for (const endMs = performance.now() + 60_000; performance.now() < endMs && !(await isClear()); ) await delay(500)
  const { lines } = await appender.end()
  let lags: number[] = []
  for (const endMs = performance.now() + 30_000; performance.now() < endMs && lags.length < lines; await delay(250)) {
    lags = lagsOf(await cluster.stream(), name)
  }
  return {
    lags,
    heard: (await seen('inotify')) - before[0],
    found: (await seen('reconcile')) - before[1],
    problems: lags.length === lines ? [] : [`${lags.length} of ${lines} records by ${writer.name} came`],
  }
}
