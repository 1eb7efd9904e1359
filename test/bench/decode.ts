/**
 * LSF records of 1 KB: framing and parsing to fields, the same with the row of jobs, and the whole `decode` to /dev/null as a process of its
 * own, against `zstd -1 -T1`, `gzip -1` and `wc -l` to /dev/null beside them. The first two run in this process, on one thread.
 */

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { formatOf } from '../../src/formats/registry.ts'
import { frameStream } from '../../src/formats/stream.ts'
import { lsfLine } from '../support/lsf-lines.ts'
import { costOf, median, round } from './measure.ts'
import type { Cost, Outcome } from './measure.ts'
import { accountingFile, withBench } from './site.ts'

const bytes = Number(process.env['GLEANER_BENCH_BYTES'] ?? 256e6)
const runs = Number(process.env['GLEANER_BENCH_RUNS'] ?? 5)

const names = [
  'wc -l',
  'zstd -1 -T1',
  'gzip -1',
  'frame',
  'frame, parse',
  'frame, parse, job',
  'gleaner decode',
] as const
type Name = (typeof names)[number]

export async function decode(): Promise<Outcome> {
  const file = await accountingFile(bytes, 'lsf', lsfLine)
  const { size } = await stat(file)
  const costs = Object.fromEntries(names.map((name) => [name, [] as Cost[]])) as Record<Name, Cost[]>
  await withBench(async (bench) => {
    for (let run = 0; run < runs; run++) {
      costs['wc -l'].push(await costOf('wc', ['-l', file]))
      costs['zstd -1 -T1'].push(await costOf('zstd', ['-q', '-1', '-T1', '-c', file]))
      costs['gzip -1'].push(await costOf('gzip', ['-1', '-c', file]))
      // Not counted: it warms the code up, which V8 gives up while the plain tools run.
      await inProcess(file, 'job')
      costs['frame'].push(await inProcess(file, 'frame'))
      costs['frame, parse'].push(await inProcess(file, 'parse'))
      costs['frame, parse, job'].push(await inProcess(file, 'job'))
      const [program, args] = bench.gleaner('decode', '--format', 'lsf', file)
      costs['gleaner decode'].push(await costOf(program, args))
    }
  })
  const speed = (name: Name, by: 'seconds' | 'cpuSeconds'): number =>
    round(size / 1e6 / median(costs[name].map((cost) => cost[by])), 0)
  const ratio = (name: Name, plain: Name): number =>
    round(median(costs[plain].map((cost) => cost.cpuSeconds)) / median(costs[name].map((cost) => cost.cpuSeconds)))
  return {
    bench: 'decode',
    rows: names.map((name) => ({
      what: name,
      'MB/s median': speed(name, 'seconds'),
      'MB/s best': round(size / 1e6 / Math.min(...costs[name].map((cost) => cost.seconds)), 0),
      'MB per CPU s': speed(name, 'cpuSeconds'),
      'x zstd -1': ratio(name, 'zstd -1 -T1'),
      'x gzip -1': ratio(name, 'gzip -1'),
    })),
    figures: {
      parseMBPerCpuSecond: speed('frame, parse', 'cpuSeconds'),
      ratioParseToZstd: ratio('frame, parse', 'zstd -1 -T1'),
      ratioJobToZstd: ratio('frame, parse, job', 'zstd -1 -T1'),
      ratioDecodeToZstd: ratio('gleaner decode', 'zstd -1 -T1'),
      ratioDecodeToGzip: ratio('gleaner decode', 'gzip -1'),
    },
    notes: [
      `${size} bytes, ${runs} runs of each in turn; ratios are of throughput per CPU second`,
      'frame, parse and job are of warm code; decode is a whole process, its start included',
      'to reach: frame and parse >= 120 MB per CPU second',
    ],
  }
}

async function inProcess(file: string, what: 'frame' | 'parse' | 'job'): Promise<Cost> {
  const format = formatOf('lsf')
  const [begun, cpu] = [performance.now(), process.cpuUsage()]
  let refused = 0
  for await (const records of frameStream(format, createReadStream(file, { highWaterMark: 256 * 1024 }), {
    recordBytesMax: 16 * 1024 * 1024,
  })) {
    if (what === 'frame') continue
    for (const { raw } of records) {
      const parsed = format.parse(raw, {})
      if (parsed.error !== '' || (what === 'job' && format.job?.(parsed, {}) == null)) refused++
    }
  }
  if (refused > 0) throw new Error(`${refused} records were refused`)
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - begun) / 1000, cpuSeconds: (user + system) / 1e6, rssMiB: 0 }
}
