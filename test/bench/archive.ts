/** 1 GB of accounting lines in one file, `gleaner reconcile` to a directory as a whole process, against `zstd -1 -T1`. */

import { link, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { costOf, median, round } from './measure.ts'
import type { Cost, Outcome } from './measure.ts'
import { accountingFile, withBench } from './site.ts'

const bytes = Number(process.env['GLEANER_BENCH_BYTES'] ?? 1e9)
const runs = Number(process.env['GLEANER_BENCH_RUNS'] ?? 5)

export async function archive(): Promise<Outcome> {
  const file = await accountingFile(bytes)
  return withBench(async (bench) => {
    await bench.configure()
    await link(file, join(bench.files, 'acct'))
    const { size } = await stat(file)
    const [ours, plain]: [Cost[], Cost[]] = [[], []]
    for (let run = 0; run < runs; run++) {
      plain.push(await costOf('sh', ['-c', `exec zstd -q -1 -T1 -c ${file} > ${join(bench.dir, 'out.zst')}`]))
      await bench.emptyArchive()
      ours.push(await costOf(...bench.gleaner('reconcile')))
    }
    const row = (what: string, costs: Cost[]): Outcome['rows'][number] => {
      const seconds = costs.map((cost) => cost.seconds)
      return {
        what,
        'MB/s median': round(size / 1e6 / median(seconds), 0),
        'MB/s best': round(size / 1e6 / Math.min(...seconds), 0),
        'CPU s median': round(median(costs.map((cost) => cost.cpuSeconds))),
        'peak RSS MiB': round(Math.max(...costs.map((cost) => cost.rssMiB)), 0),
      }
    }
    const of = (costs: Cost[], name: keyof Cost): number => median(costs.map((cost) => cost[name]))
    return {
      bench: 'archive',
      rows: [row('zstd -1 -T1', plain), row('gleaner reconcile', ours)],
      figures: {
        ratioThroughput: round(of(plain, 'seconds') / of(ours, 'seconds')),
        ratioThroughputBest: round(
          Math.min(...plain.map((cost) => cost.seconds)) / Math.min(...ours.map((cost) => cost.seconds)),
        ),
        ratioCpu: round(of(ours, 'cpuSeconds') / of(plain, 'cpuSeconds')),
        peakRssMiB: round(Math.max(...ours.map((cost) => cost.rssMiB)), 0),
      },
      notes: [`${size} bytes, ${runs} runs of each in turn; to reach: throughput >= 1.0, CPU <= 1.6, RSS <= 300 MB`],
    }
  })
}
