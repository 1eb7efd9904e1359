/**
 * Where the day is played: two clusters' files, an archive, a Redis, and `gleaner run` as a process.
 *
 *     cluster1   a bindfs mount of cluster1.disk, into which the batch system writes as another machine would: inotify is blind there
 *     cluster2   a directory of this machine, where nothing goes wrong
 *     store      a bind mount of store.disk, which holds the archive
 *
 * Unmounted, each leaves its bare directory behind. What is a matter of policy is divided by the pace (passes, sealing, digests, the alerts'
 * durations, settling); what the program itself holds fixed is not: time-outs, what waits between two tries (up to 5 s), the sampling of what
 * waits (every 10 s). A mount that shows at once what was written behind it, as this one, allows settling times so short.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { isMounted, unmount } from '../../infra/lab/mounts.ts'
import { startGleaner, startProcess } from '../support/process.ts'
import type { Process } from '../support/process.ts'
import { startRedis } from '../support/redis.ts'
import type { RedisServer } from '../support/redis.ts'
import { newSigningKey } from '../support/signing.ts'
import type { What } from './plan.ts'
import { clusters } from './truth.ts'

export interface Site {
  dir: string
  /** Where each cluster's batch system writes. */
  disks: string[]
  archive: string
  redis: RedisServer
  client: Redis
  /** `gleaner ARGS`, started. */
  gleaner(log: string, ...args: string[]): Process
  /** A process that ends with the site. */
  track(process: Process): Process
  /** Takes something away, and brings it back; resolves once it is. */
  take(what: What): Promise<void>
  bring(what: What): Promise<void>
  close(options: { keep: boolean }): Promise<void>
}

export async function openSite(pace: number): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'gleaner-day-'))
  const at = (name: string): string => join(dir, name)
  for (const name of ['cluster1', 'cluster1.disk', 'cluster2', 'store', 'store.disk']) mkdirSync(at(name))
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0'] })
  const client = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  writeFileSync(at('key'), newSigningKey().pem, { mode: 0o600 })
  writeFileSync(at('gleaner.yaml'), JSON.stringify(configOf(dir, { pace, redis: redis.url })))
  const all: Process[] = []
  const track = (one: Process): Process => {
    all.push(one)
    return one
  }
  const bring: Record<What, () => Promise<void>> = {
    redis: () => redis.restart({ keepData: true }),
    store: async () => void execFileSync('mount', ['--bind', at('store.disk'), at('store')]),
    async root() {
      track(
        startProcess('bindfs', ['-f', '-o', 'fsname=cluster1', at('cluster1.disk'), at('cluster1')], {
          log: at('bindfs'),
        }),
      )
      while (!isMounted(at('cluster1'))) await delay(10)
    },
  }
  const take: Record<What, () => Promise<void>> = {
    redis: () => redis.kill(),
    store: async () => unmount(at('store')),
    root: async () => unmount(at('cluster1')),
  }
  await bring.store()
  await bring.root()
  return {
    dir,
    disks: [at('cluster1.disk'), at('cluster2')],
    archive: at('store'),
    redis,
    client,
    gleaner: (log, ...args) => track(startGleaner(['--config', at('gleaner.yaml'), ...args], { log: at(log) })),
    track,
    take: (what) => take[what](),
    bring: (what) => bring[what](),
    async close({ keep }) {
      for (const one of all) one.kill('SIGKILL')
      await Promise.all(all.map((one) => one.ended))
      for (const mount of ['cluster1', 'store']) unmount(at(mount))
      client.disconnect()
      await redis.stop()
      if (!keep) rmSync(dir, { recursive: true, force: true })
    },
  }
}

function configOf(dir: string, { pace, redis }: { pace: number; redis: string }): object {
  const lasting = (seconds: number): string => `${Math.round((seconds * 1000) / pace)}ms`
  const root = (name: string): object => ({ name, path: join(dir, name), format: 'lsf', include: ['lsb.acct*'] })
  return {
    archive: `file://${join(dir, 'store')}`,
    redis,
    node: 'node-a',
    roots: clusters.map(root),
    seal: { age: lasting(300) },
    settle: { read: '20ms', tail: lasting(60), final: lasting(3600) },
    reconcile: { every: lasting(10), fullEvery: lasting(600) },
    feed: { since: 'all' },
    sign: { keyFile: join(dir, 'key'), every: lasting(3600) },
    serve: { port: 0 },
  }
}
