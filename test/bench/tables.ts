/**
 * `gleaner tables build` on 1 GB of LSF records in a directory: decompress, frame, parse, and write both tables, as a whole process,
 * against `zstd -1 -T1` on the same bytes. To reach: 40 MB/s of raw input per core.
 */

import { link, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lsfLine } from '../support/lsf-lines.ts'
import { costOf, median, round } from './measure.ts'
import type { Cost, Outcome } from './measure.ts'
import { accountingFile, withBench } from './site.ts'

const bytes = Number(process.env['GLEANER_BENCH_BYTES'] ?? 1e9)
const runs = Number(process.env['GLEANER_BENCH_RUNS'] ?? 3)
const program = fileURLToPath(new URL('tables-process.ts', import.meta.url))

export async function tables(): Promise<Outcome> {
  const file = await accountingFile(bytes, 'lsf', lsfLine)
  return withBench(async (bench) => {
    await bench.configure()
    await link(file, join(bench.files, 'acct'))
    const { size } = await stat(file)
    await costOf(...bench.gleaner('reconcile'))
    const [ours, plain]: [Cost[], Cost[]] = [[], []]
    for (let run = 0; run < runs; run++) {
      plain.push(await costOf('sh', ['-c', `exec zstd -q -1 -T1 -c ${file} > ${join(bench.dir, 'out.zst')}`]))
      await rm(join(bench.archive, 'derived'), { recursive: true, force: true })
      ours.push(await costOf(process.execPath, [program, bench.archive, 'bench', 'lsf']))
    }
    const of = (costs: Cost[], name: keyof Cost): number => median(costs.map((cost) => cost[name]))
    const row = (what: string, costs: Cost[]): Outcome['rows'][number] => ({
      what,
      'MB/s': round(size / 1e6 / of(costs, 'seconds'), 0),
      'MB/s per core': round(size / 1e6 / of(costs, 'cpuSeconds'), 0),
      'CPU s': round(of(costs, 'cpuSeconds')),
      'peak RSS MiB': round(Math.max(...costs.map((cost) => cost.rssMiB)), 0),
    })
    return {
      bench: 'tables',
      rows: [row('zstd -1 -T1', plain), row('tables build', ours)],
      figures: {
        megabytesPerSecondAndCore: round(size / 1e6 / of(ours, 'cpuSeconds'), 1),
        ratioCpu: round(of(ours, 'cpuSeconds') / of(plain, 'cpuSeconds')),
        peakRssMiB: round(Math.max(...ours.map((cost) => cost.rssMiB)), 0),
      },
      notes: [`${size} bytes, ${runs} runs of each in turn; to reach: 40 MB/s per core`],
    }
  })
}
