/** A full pass over 100,000 files of which none changed, in a running process, against `find -printf`: on a local root, and with fresh opens. */

import { setTimeout as delay } from 'node:timers/promises'
import { costOf, median, round, usageOf } from './measure.ts'
import type { Outcome } from './measure.ts'
import { makeFiles, withBench } from './site.ts'
import type { Bench } from './site.ts'

const count = Number(process.env['GLEANER_BENCH_FILES'] ?? 100_000)
const passes = 5

export async function pass(): Promise<Outcome> {
  return withBench(async (bench) => {
    await makeFiles(bench.files, { count, bytes: 64 })
    const reconcile = { every: '1s', fullEvery: '1s', metadataPerSecondMax: 10_000_000 }
    await bench.configure({ reconcile, roles: ['reconcile', 'work'] })
    await costOf(...bench.gleaner('reconcile'))
    const local = await passesOf(bench)
    await bench.configure(
      { reconcile, roles: ['reconcile', 'work'], settle: { read: '100ms', tail: '500ms' } },
      { remote: true },
    )
    const fresh = await passesOf(bench)
    const row = (what: string, ms: number[]): Outcome['rows'][number] => ({
      what,
      'ms median': round(median(ms), 0),
      'ms best': round(Math.min(...ms), 0),
      'ms worst': round(Math.max(...ms), 0),
    })
    return {
      bench: 'pass',
      rows: [
        row('find -printf', [...local.find, ...fresh.find]),
        row('local root', local.ours),
        row('fresh opens', fresh.ours),
      ],
      figures: {
        ratioLocal: round(median(local.ours) / median(local.find)),
        ratioFresh: round(median(fresh.ours) / median(fresh.find)),
        rssMiB: round(local.rssMiB, 0),
      },
      notes: [`${count} files, ${passes} full passes of each with find in between; to reach: local <= 2.5, fresh <= 5`],
    }
  })
}

/** Full passes once everything has settled: those that signal nothing. */
async function passesOf(bench: Bench): Promise<{ ours: number[]; find: number[]; rssMiB: number }> {
  const running = await bench.run()
  const find: number[] = []
  const settled = async (): Promise<number[]> =>
    [...(await running.stderr()).matchAll(/"full":true,"files":(\d+),"signalled":(\d+),"ms":([\d.]+)/g)]
      .filter(([, files, signalled]) => Number(files) === count && signalled === '0')
      .map(([, , , ms]) => Number(ms))
  while ((await settled()).length < 2) await delay(500)
  for (let n = 0; n < passes; n++) {
    const began = performance.now()
    await costOf('sh', ['-c', `exec find ${bench.files} -type f -printf '%p %s\\n' > /dev/null`])
    find.push(performance.now() - began)
    const before = (await settled()).length
    while ((await settled()).length < before + 2) await delay(100)
  }
  const ours = (await settled()).slice(-2 * passes)
  const { rssMiB } = await usageOf(running.pid)
  running.kill('SIGKILL')
  await running.ended
  return { ours, find, rssMiB }
}
