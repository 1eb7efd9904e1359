/** What inotify cannot see: appends through one bindfs mount, the collector on another of the same directory, `every: 1s`. */

import { spawnSync } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../support/gleaner.ts'
import { spread } from './measure.ts'
import type { Outcome } from './measure.ts'
import { withBench } from './site.ts'
import { openSubscriber } from './subscriber.ts'

const samples = Number(process.env['GLEANER_BENCH_SAMPLES'] ?? 40)

export async function blind(): Promise<Outcome> {
  return withBench(async (bench) => {
    const [here, there] = [join(bench.dir, 'here'), join(bench.dir, 'there')]
    for (const mount of [here, there]) {
      await mkdir(mount)
      if (spawnSync('bindfs', [bench.files, mount]).status !== 0) throw new Error(`bindfs cannot mount ${mount}`)
      bench.defer(async () => void spawnSync('fusermount3', ['-u', '-z', mount]))
    }
    const { url, client } = await bench.redis()
    const reconcile = { every: '1s', fullEvery: '10m' }
    await bench.configure({ redis: url, feed: { since: 'all' }, reconcile }, { path: here, remote: 'auto' })
    writeFileSync(join(there, 'acct'), 'begins\n')
    await bench.run()
    await until(async () => (await client.xlen('{gleaner:bench}:records')) === 1)
    const subscriber = openSubscriber(client, 'bench')
    bench.defer(() => subscriber.close())
    await delay(500)
    const appended: number[] = []
    for (let sample = 0; sample < samples; sample++) {
      appended.push(performance.now())
      appendFileSync(join(there, 'acct'), `sample ${sample} x\n`)
      await delay(1000 + ((sample * 617) % 1500))
    }
    await subscriber.until(samples)
    const ours = spread([...subscriber.seen].map(([sample, at]) => at - (appended[sample] ?? 0)))
    return {
      bench: 'blind',
      rows: [{ what: 'gleaner, records stream', ...ours }],
      figures: { p50Ms: ours.p50, maxMs: ours.max },
      notes: [
        'ms; to reach: p50 <= 1500 + settle.read (250). Half of it is the file system, which keeps attributes for 1 s',
      ],
    }
  })
}
