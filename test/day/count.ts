/** After the day: each line that was written, once in the archive and once in the stream, byte for byte. */

import type { Redis } from 'ioredis'
import { countArchive, readArchive, streamCounter, streamPages } from '../support/lines.ts'
import { clusters, truthOf } from './truth.ts'
import type { Written } from './truth.ts'

export interface Count {
  root: string
  written: number
  archived: number
  published: number
  sources: number
  problems: string[]
}

const problemsMax = 10

export async function countDay(
  written: Written,
  { archive, client }: { archive: string; client: Redis },
): Promise<Count[]> {
  const counts: Count[] = []
  for (const [cluster, root] of clusters.entries()) {
    const counted = countArchive(truthOf(written, cluster), await readArchive(archive, root))
    const counter = streamCounter(counted)
    let published = 0
    for await (const page of streamPages(client, root)) {
      published += page.length
      for (const entry of page) counter.add(entry)
    }
    const problems = [...counted.problems, ...counter.problems()].map((problem) => `${root}: ${problem}`)
    counts.push({
      root,
      written: counted.written,
      archived: counted.archived,
      published,
      sources: counted.sources.size,
      problems: problems.slice(0, problemsMax),
    })
  }
  return counts
}
