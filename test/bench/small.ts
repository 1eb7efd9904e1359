/** 20,000 files of 1 KB, the first pass: to a directory and to the S3 test server, against `cp -r`. */

import { join } from 'node:path'
import { startSupport } from '../support/process.ts'
import { costOf, median, round } from './measure.ts'
import type { Cost, Outcome } from './measure.ts'
import { makeFiles, withBench } from './site.ts'
import type { Bench } from './site.ts'

const count = Number(process.env['GLEANER_BENCH_FILES'] ?? 20_000)
const runs = Number(process.env['GLEANER_BENCH_RUNS'] ?? 3)

export async function small(): Promise<Outcome> {
  return withBench(async (bench) => {
    await makeFiles(bench.files, { count, bytes: 1024 })
    const costs: Record<'cp' | 'directory' | 's3', Cost[]> = { cp: [], directory: [], s3: [] }
    for (let run = 0; run < runs; run++) {
      costs.cp.push(await costOf('cp', ['-r', bench.files, join(bench.dir, `copy${run}`)]))
      await bench.emptyArchive()
      await bench.configure({ reconcile: { metadataPerSecondMax: 10_000_000 } })
      costs.directory.push(await costOf(...bench.gleaner('reconcile')))
      costs.s3.push(await toS3(bench, run))
    }
    const row = (what: string, some: Cost[]): Outcome['rows'][number] => ({
      what,
      'files/s': round(count / median(some.map((cost) => cost.seconds)), 0),
      'CPU s': round(median(some.map((cost) => cost.cpuSeconds))),
      'peak RSS MiB': round(Math.max(...some.map((cost) => cost.rssMiB)), 0),
    })
    const seconds = (some: Cost[]): number => median(some.map((cost) => cost.seconds))
    return {
      bench: 'small',
      rows: [row('cp -r', costs.cp), row('gleaner, directory', costs.directory), row('gleaner, S3', costs.s3)],
      figures: {
        directoryFilesPerSecond: round(count / seconds(costs.directory), 0),
        s3FilesPerSecond: round(count / seconds(costs.s3), 0),
        ratioDirectory: round(seconds(costs.directory) / seconds(costs.cp)),
        ratioS3: round(seconds(costs.s3) / seconds(costs.cp)),
      },
      notes: [
        `${count} files, ${runs} runs; ratios are times of cp -r, which syncs nothing. The S3 server's own CPU is not counted`,
      ],
    }
  })
}

async function toS3(bench: Bench, run: number): Promise<Cost> {
  const server = startSupport('s3-process.ts', ['0'], { log: join(bench.dir, `s3-${run}`) })
  await server.said('http')
  const s3 = { endpoint: (await server.stdout()).trim(), region: 'us-east-1', forcePathStyle: true }
  await bench.configure({ archive: 's3://archive/bench', s3, reconcile: { metadataPerSecondMax: 10_000_000 } })
  try {
    return await costOf(...bench.gleaner('reconcile'), { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' })
  } finally {
    server.kill('SIGKILL')
    await server.ended
  }
}
