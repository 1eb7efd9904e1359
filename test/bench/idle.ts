/** 10,000 files that do not change, with the default schedule: CPU and memory over a minute, against nothing but the clock. */

import { setTimeout as delay } from 'node:timers/promises'
import { costOf, round, usageOf } from './measure.ts'
import type { Outcome } from './measure.ts'
import { makeFiles, withBench } from './site.ts'

const count = Number(process.env['GLEANER_BENCH_FILES'] ?? 10_000)
const seconds = Number(process.env['GLEANER_BENCH_SECONDS'] ?? 60)
const settleSeconds = 30
/** The start is over once so little of a core was used for so long. */
const quietShare = 0.05
const quietSeconds = 10
const startsMax = 30

export async function idle(): Promise<Outcome> {
  return withBench(async (bench) => {
    await makeFiles(bench.files, { count, bytes: 1024 })
    const { url } = await bench.redis()
    await bench.configure({ redis: url, settle: { tail: '5s' } })
    await costOf(...bench.gleaner('reconcile'))
    const running = await bench.run()
    const start = await usageOf(running.pid)
    await delay(settleSeconds * 1000)
    const before = await quietUsage(running.pid)
    await delay(seconds * 1000)
    const after = await usageOf(running.pid)
    const percent = round((100 * (after.cpuSeconds - before.cpuSeconds)) / seconds)
    const rssMiB = round(after.rssMiB, 0)
    return {
      bench: 'idle',
      rows: [
        {
          what: 'gleaner run',
          'CPU %': percent,
          'RSS MiB': rssMiB,
          'peak RSS MiB': round(after.rssMiBMax, 0),
          'start-up CPU s': round(before.cpuSeconds - start.cpuSeconds),
        },
      ],
      figures: { cpuPercent: percent, rssMiB },
      notes: [`${count} files, ${seconds} s once the start was over; to reach: CPU <= 1 %, RSS <= 120 MB`],
    }
  })
}

/** What the process had used when its start was over. */
async function quietUsage(pid: number): Promise<Awaited<ReturnType<typeof usageOf>>> {
  for (let start = 0; ; start++) {
    const before = await usageOf(pid)
    await delay(quietSeconds * 1000)
    const after = await usageOf(pid)
    if (after.cpuSeconds - before.cpuSeconds <= quietShare * quietSeconds) return after
    if (start === startsMax) throw new Error('the process does not become idle')
  }
}
