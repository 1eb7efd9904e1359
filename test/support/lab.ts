/**
 * Three `gleaner run` processes with all roles on one directory tree, one archive, one Redis, and a writer: what the end-to-end tests
 * kill and count. Everything lives in one temporary directory, which stays when a test failed.
 */

import { Redis } from 'ioredis'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startGleaner, startSupport } from './process.ts'
import type { Process } from './process.ts'
import { startRedis } from './redis.ts'
import type { RedisServer } from './redis.ts'

export interface Lab {
  dir: string
  root: string
  truth: string
  archive: string
  config: string
  redis: RedisServer
  client: Redis
  nodes: Node[]
  /** Starts all nodes and resolves when each says that it runs. */
  start(): Promise<void>
  /** SIGKILL for one, and a new process in its place after `downMs`. */
  killOne(node: Node, downMs: number): Promise<void>
  /** Runs `gleaner ARGS` to its end. */
  gleaner(...args: string[]): Promise<{ status: number | NodeJS.Signals; stdout: string; stderr: string }>
  startWriter(linesPerSecond: number, rotateEveryMs: number): Process
  close(options: { keep: boolean }): Promise<void>
}

export interface Node {
  name: string
  process: Process | null
  kills: number
}

export interface LabOptions {
  /** Over the configuration. */
  config?: Record<string, unknown>
  /** Over the root. */
  root?: Record<string, unknown>
  env?: Record<string, string>
}

export const labRoot = 'lines'

export async function openLab({ config: more = {}, root: rootMore = {}, env = {} }: LabOptions = {}): Promise<Lab> {
  const dir = await mkdtemp(join(tmpdir(), 'gleaner-lab-'))
  const [root, truth, archive, config] = ['files', 'truth', 'archive', 'gleaner.yaml'].map((name) =>
    join(dir, name),
  ) as [string, string, string, string]
  for (const directory of [root, truth, archive, join(root, 'logdir')]) await mkdir(directory)
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const client = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  const settings = {
    archive: `file://${archive}`,
    redis: redis.url,
    roots: [{ name: labRoot, path: root, format: 'lines', remote: false, ...rootMore }],
    seal: { age: '3s' },
    settle: { read: '100ms', tail: '2s', final: '1h' },
    reconcile: { every: '1s', fullEvery: '5s' },
    feed: { since: 'all' },
    serve: { port: 0 },
    ...more,
  }
  await writeFile(config, JSON.stringify(settings, null, 2))
  const nodes: Node[] = ['a', 'b', 'c'].map((name) => ({ name: `node-${name}`, process: null, kills: 0 }))
  const all: Process[] = []
  const track = (one: Process): Process => {
    all.push(one)
    return one
  }
  const launch = (node: Node): Process =>
    (node.process = track(
      startGleaner(['--config', config, 'run'], {
        log: join(dir, `${node.name}.${node.kills}`),
        env: { ...env, GLEANER_NODE: node.name },
      }),
    ))
  let commands = 0
  return {
    dir,
    root,
    truth,
    archive,
    config,
    redis,
    client,
    nodes,
    async start() {
      await Promise.all(nodes.map((node) => launch(node).said('"running"')))
    },
    async killOne(node, downMs) {
      node.process?.kill('SIGKILL')
      await node.process?.ended
      node.kills++
      await delay(downMs)
      launch(node)
    },
    async gleaner(...args) {
      const one = track(
        startGleaner(['--config', config, ...args], {
          log: join(dir, `command.${commands++}`),
          env: { ...env, GLEANER_NODE: 'command' },
        }),
      )
      const status = await one.ended
      return { status, stdout: await one.stdout(), stderr: await one.stderr() }
    },
    startWriter: (linesPerSecond, rotateEveryMs) =>
      track(
        startSupport('writer.ts', [root, truth, String(linesPerSecond), String(rotateEveryMs)], {
          log: join(dir, 'writer'),
        }),
      ),
    async close({ keep }) {
      for (const one of all) one.kill('SIGKILL')
      await Promise.all(all.map((one) => one.ended))
      client.disconnect()
      await redis.stop()
      if (!keep) await rm(dir, { recursive: true, force: true })
    },
  }
}
