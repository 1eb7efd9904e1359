/** What a scenario is given, what it says, and how its counting is done. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Truth } from '../../test/support/lines.ts'
import { countArchive, countStream } from '../../test/support/lines.ts'
import type { Process } from '../../test/support/process.ts'
import type { Cluster, ClusterOptions } from './cluster.ts'
import { openCluster } from './cluster.ts'
import type { LabNode, Mounted } from './filesystem.ts'

export interface Scene {
  mounted: Mounted
  /** Repetitions of what is repeated, and seconds of what goes on for a time. */
  rounds: number
  seconds: number
  /** A cluster in a directory of its own. */
  open(options?: Pick<ClusterOptions, 'config' | 'rootConfig'>): Promise<Cluster>
  say: (text: string) => void
}

export interface Outcome {
  scenario: string
  passed: boolean
  facts: Record<string, string | number | null>
  problems: string[]
}

export interface Scenario {
  name: string
  /** Null: it makes no sense on this filesystem, for the reason given. */
  notFor?(mounted: Mounted): string | null
  run(scene: Scene): Promise<Omit<Outcome, 'scenario' | 'passed'>>
}

export function sceneOf(mounted: Mounted, dir: string, options: Pick<Scene, 'rounds' | 'seconds' | 'say'>): Scene {
  let opened = 0
  return {
    mounted,
    ...options,
    open: (more = {}) => openCluster({ dir: join(dir, `cluster-${opened++}`), mounted, ...more }),
  }
}

export interface Counts {
  written: number
  archived: number
  lost: number
  doubled: number
  /** Entries that announce that records before them, or archived bytes, are not what the file holds. */
  revised: number
  problems: string[]
}

/**
 * Ends the collectors, lets one `reconcile` on `node` take and prove what they left, verifies the archive, and counts it and the stream against `truth`.
 */
export async function count(
  cluster: Cluster,
  node: LabNode,
  { collectors, truth }: { collectors: Process[]; truth: () => Promise<Truth> },
): Promise<Counts> {
  const problems: string[] = []
  for (const one of collectors) {
    const status = await cluster.end(one)
    if (status !== 0) problems.push(`a collector ended with ${status}`)
  }
  await delay(cluster.settledMs)
  const reconciled = await cluster.gleaner(node, '--json', 'reconcile')
  if (![0, 3].includes(Number(reconciled.status)))
    problems.push(`reconcile ended with ${reconciled.status}: ${reconciled.stderr}`)
  const verified = await cluster.gleaner(node, '--json', 'verify')
  if (verified.status !== 0) problems.push(`verify ended with ${verified.status}: ${verified.stdout}${verified.stderr}`)
  const counted = countArchive(await truth(), await cluster.archive())
  const entries = await cluster.stream()
  const stream = countStream(entries, counted, { revisable: true })
  return {
    written: counted.written,
    archived: counted.archived,
    lost: Math.max(0, counted.written - counted.archived),
    doubled: Math.max(0, counted.archived - counted.written),
    revised: entries.filter(({ fields }) => String(fields['kind']) === 'revision').length,
    problems: [...problems, ...counted.problems, ...stream].slice(0, 20),
  }
}

export function truthDirectory(cluster: Cluster): string {
  const directory = join(cluster.dir, 'truth')
  mkdirSync(directory, { recursive: true })
  return directory
}

/** The value at a share (0 to 1) of the sorted ones, rounded. */
export function quantile(values: number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return value === undefined ? null : Math.round(value)
}
