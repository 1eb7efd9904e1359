/**
 * From an append to the entry that a blocked subscriber sees, 50 appends a second, against what `inotifywait -m` tells in the same run. Both
 * are read by this process.
 */

import { spawn } from 'node:child_process'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../support/gleaner.ts'
import { round, spread } from './measure.ts'
import type { Outcome } from './measure.ts'
import { withBench } from './site.ts'
import { openSubscriber } from './subscriber.ts'

const samples = Number(process.env['GLEANER_BENCH_SAMPLES'] ?? 500)
const warmUp = 100
const everyMs = 20

export async function latency(): Promise<Outcome> {
  return withBench(async (bench) => {
    const { url, client } = await bench.redis()
    await bench.configure({ redis: url, feed: { since: 'all' } })
    const file = join(bench.files, 'acct')
    writeFileSync(file, 'begins\n')
    const running = await bench.run()
    await until(async () => (await client.xlen('{gleaner:bench}:records')) === 1)
    const told = new Map<number, number>()
    const waiting: number[] = []
    const plain = spawn('inotifywait', ['-m', '-q', '-e', 'modify', '--format', '%e', file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    plain.stdout.on('data', () => {
      const now = performance.now()
      for (const sample of waiting.splice(0)) told.set(sample, now)
    })
    bench.defer(async () => void plain.kill())
    const subscriber = openSubscriber(client, 'bench')
    bench.defer(() => subscriber.close())
    await delay(1000)
    const appended = new Map<number, number>()
    for (let sample = 0; sample < warmUp + samples; sample++) {
      waiting.push(sample)
      appended.set(sample, performance.now())
      appendFileSync(file, `sample ${sample} ${'x'.repeat(200)}\n`)
      await delay(everyMs)
    }
    await subscriber.until(warmUp + samples)
    const since = (seen: Map<number, number>): number[] =>
      [...seen].filter(([sample]) => sample >= warmUp).map(([sample, at]) => at - (appended.get(sample) ?? 0))
    const [floor, ours] = [spread(since(told)), spread(since(subscriber.seen))]
    running.kill('SIGTERM')
    await running.ended
    return {
      bench: 'latency',
      rows: [
        { what: 'inotifywait -m', ...floor },
        { what: 'gleaner, records stream', ...ours },
      ],
      figures: { p50Ms: ours.p50, p99Ms: ours.p99, maxMs: ours.max, ratioP50: round(ours.p50 / floor.p50) },
      notes: ['ms; to reach on a quiet machine: p50 <= 2, p99 <= 15'],
    }
  })
}
