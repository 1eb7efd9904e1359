/** What the batch systems have written, made again from the numbers of its jobs. */

import { lsfLine } from '../support/lsf-lines.ts'
import type { Truth } from '../support/lines.ts'

export interface WrittenFile {
  cluster: number
  /** Its jobs: those of this cluster from `from` on, before `to`. */
  from: number
  to: number
}

export interface Written {
  /** Of the epoch: when the day began. */
  beganMs: number
  lines: number
  files: WrittenFile[]
}

export const clusters = ['cluster1', 'cluster2'] as const

/** The index of the cluster that runs a job. */
export function clusterOf(job: number): number {
  return job % 5 === 4 ? 1 : 0
}

/** The content of each file of one cluster. */
export function truthOf({ files }: Written, cluster: number): Truth {
  const contents = files
    .filter((one) => one.cluster === cluster)
    .map(({ from, to }): [string, Buffer] => {
      const jobs = Array.from({ length: to - from }, (_, n) => from + n).filter((job) => clusterOf(job) === cluster)
      return [`${clusters[cluster] ?? ''} ${from}-${to}`, Buffer.from(jobs.map(lsfLine).join(''))]
    })
  return new Map(contents)
}
