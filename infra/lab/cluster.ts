/**
 * Gleaner on both nodes of a shared filesystem: one Redis, one archive, the same configuration with each node's own path. The archive is the
 * strict S3 server of the tests where the nodes are machines of their own, else a directory.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import type { ArchivedSource, StreamEntry } from '../../test/support/lines.ts'
import { readStream } from '../../test/support/lines.ts'
import type { Process } from '../../test/support/process.ts'
import { startRedis } from '../../test/support/redis.ts'
import type { RedisServer } from '../../test/support/redis.ts'
import type { Bucket } from './bucket.ts'
import { openBucket } from './bucket.ts'
import type { LabNode, Mounted } from './filesystem.ts'
import type { Masters } from './masters.ts'
import { mastersOf } from './masters.ts'
import { readStanding } from './standing.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export const root = 'acct'
const hidesMs = 6000
const tailMs = 10_000
/** Of the next collector: clusters may be open side by side. */
let nextPort = 19_464

export interface Cluster extends Masters {
  dir: string
  /** What one node wrote another one sees by then, and what was archived is to be proven, ms. */
  settledMs: number
  /** The collected directory, below each node's mount. */
  at(node: LabNode): string
  redis: RedisServer
  client: Redis
  /** Starts a collector there and resolves when it runs. */
  collect(node: LabNode): Promise<Process>
  /** SIGTERM, and its exit status. */
  end(collector: Process): Promise<number | NodeJS.Signals>
  /** Runs `gleaner ARGS` there to its end. */
  gleaner(
    node: LabNode,
    ...args: string[]
  ): Promise<{ status: number | NodeJS.Signals; stdout: string; stderr: string }>
  /** A metric's value there, summed over what it is labelled with beside `labels`. */
  metric(node: LabNode, name: string, labels?: string): Promise<number>
  /** What it says the files held, revisions included. */
  archive(): Promise<ArchivedSource[]>
  stream(of?: string): Promise<StreamEntry[]>
  close(): Promise<void>
}

export interface ClusterOptions {
  dir: string
  mounted: Mounted
  /** Over the configuration, and over the root. */
  config?: Record<string, unknown>
  rootConfig?: Record<string, unknown>
}

export async function openCluster({ dir, mounted, config = {}, rootConfig = {} }: ClusterOptions): Promise<Cluster> {
  const archive = join(dir, 'archive')
  mkdirSync(archive, { recursive: true })
  const name = `logdir-${dir.split('/').at(-1) ?? ''}`
  const at = (node: LabNode): string => join(node.path, name)
  await mounted.b.write(join(at(mounted.b), '.lab'), '')
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--bind', '0.0.0.0', '--protected-mode', 'no'] })
  const bucket = mounted.s3 ? openBucket(mounted.s3, name) : null
  const client = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  let started = 0
  const all: Process[] = []
  const spawn = (node: LabNode, args: string[]): Process => {
    const log = join(dir, `${node.name}.${started++}`)
    const one = node.spawn(process.execPath, args, { log, env: { GLEANER_NODE: node.name, ...bucket?.env } })
    all.push(one)
    return one
  }
  const ports = { A: nextPort++, B: nextPort++ }
  const paths = { A: at(mounted.a), B: at(mounted.b) }
  const configure = (node: LabNode): string => {
    const file = join(dir, `${node.name}.yaml`)
    const url = bucket?.url ?? `file://${archive}`
    const places = { archive: url, redis: `redis://${mounted.host}:${redis.port}`, paths, port: ports[node.name] }
    writeFileSync(file, JSON.stringify({ ...settingsOf(places, rootConfig), ...bucket?.config, ...config }, null, 2))
    return file
  }
  const run = (node: LabNode, args: string[]): Process => spawn(node, [main, '--config', configure(node), ...args])
  return {
    dir,
    settledMs: Math.max(mounted.hidesMs ?? hidesMs, tailMs),
    at,
    redis,
    client,
    async collect(node) {
      const one = run(node, ['run'])
      await one.said('"running"')
      return one
    },
    async end(collector) {
      collector.kill('SIGTERM')
      return collector.ended
    },
    async gleaner(node, ...args) {
      const one = run(node, args)
      const status = await one.ended
      return { status, stdout: await one.stdout(), stderr: await one.stderr() }
    },
    metric: (node, metric, labels = '') => metricOf(node, ports[node.name], { metric, labels }),
    ...mastersOf(spawn, at),
    archive: () => archiveOf(archive, bucket),
    stream: (of = root) => readStream(client, of),
    async close() {
      for (const one of all) one.kill('SIGKILL')
      client.disconnect()
      bucket?.close()
      await redis.stop()
    },
  }
}

function settingsOf(
  { archive, redis, paths, port }: { archive: string; redis: string; paths: Record<'A' | 'B', string>; port: number },
  rootConfig: Record<string, unknown>,
): Record<string, unknown> {
  return {
    archive,
    redis,
    roots: [{ name: root, path: paths.B, paths, format: 'lines', ...rootConfig }],
    seal: { age: '3s' },
    settle: { read: '250ms', tail: `${tailMs}ms`, final: '1h' },
    reconcile: { every: '1s', fullEvery: '10s' },
    feed: { since: 'all' },
    serve: { port },
  }
}

async function metricOf(
  node: LabNode,
  port: number,
  { metric, labels }: { metric: string; labels: string },
): Promise<number> {
  const text = await node.get(`http://127.0.0.1:${port}/metrics`)
  const lines = text.split('\n').filter((line) => line.startsWith(metric) && line.includes(labels))
  return lines.map((line) => Number(line.split(' ').at(-1))).reduce((sum, value) => sum + value, 0)
}

async function archiveOf(directory: string, bucket: Bucket | null): Promise<ArchivedSource[]> {
  await bucket?.download(directory)
  return readStanding(directory, root)
}
