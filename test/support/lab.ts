/**
 * Three `gleaner run` processes with all roles on one directory tree, one archive, one Redis, and a writer: what the end-to-end tests
 * kill and count. Everything lives in one temporary directory, which stays when a test failed.
 */

import { Redis } from 'ioredis'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startGleaner, startSupport } from './process.ts'
import type { Process } from './process.ts'
import { readArchive } from './lines.ts'
import type { ArchivedSource } from './lines.ts'
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
  /** What the archive holds, by stock tools. */
  readArchive(): Promise<ArchivedSource[]>
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
  /** The archive is on the test S3 server, where this share of requests goes wrong; otherwise in a directory. */
  s3FaultRate?: number
}

export const labRoot = 'lines'

export async function openLab({ config: more = {}, root: rootMore = {}, s3FaultRate }: LabOptions = {}): Promise<Lab> {
  const dir = await mkdtemp(join(tmpdir(), 'gleaner-lab-'))
  const [root, truth, archive, config] = ['files', 'truth', 'archive', 'gleaner.yaml'].map((name) =>
    join(dir, name),
  ) as [string, string, string, string]
  for (const directory of [root, truth, archive, join(root, 'logdir')]) await mkdir(directory)
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
  const client = new Redis(redis.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  const s3 =
    s3FaultRate === undefined
      ? null
      : startSupport('s3-process.ts', ['0', String(s3FaultRate)], { log: join(dir, 's3') })
  await s3?.said('http')
  const endpoint = (await s3?.stdout())?.trim()
  const settings = {
    archive: endpoint === undefined ? `file://${archive}` : 's3://archive/lab',
    ...(endpoint !== undefined && { s3: { endpoint, region: 'us-east-1', forcePathStyle: true } }),
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
  const env = { AWS_ACCESS_KEY_ID: 'lab', AWS_SECRET_ACCESS_KEY: 'lab' }
  const all: Process[] = s3 === null ? [] : [s3]
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
    async readArchive() {
      if (endpoint !== undefined) await download(endpoint, archive)
      return readArchive(archive, labRoot)
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

/** The bucket as a directory, asked for again until each answer comes whole. */
async function download(endpoint: string, directory: string): Promise<void> {
  for (let after = ''; ; ) {
    const page = await again(() => ask(`${endpoint}/archive?list-type=2&start-after=${encodeURIComponent(after)}`))
    const keys = [...page.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1] ?? '')
    for (const key of keys) {
      const file = join(directory, key.replace(/^lab\//, ''))
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, await again(() => ask(`${endpoint}/archive/${key}`)))
    }
    const last = keys.at(-1)
    if (last === undefined) return
    after = last
  }
}

async function ask(url: string): Promise<Buffer> {
  const authorization = 'AWS4-HMAC-SHA256 Credential=lab, SignedHeaders=host, Signature=none'
  const response = await fetch(url, { headers: { authorization } })
  const body = Buffer.from(await response.arrayBuffer())
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return body
}

async function again<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (error) {
      if (tries === 20) throw error
    }
  }
}
