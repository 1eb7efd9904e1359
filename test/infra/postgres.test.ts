/** The subscriber of infra/subscribers/postgres against real servers: every finished job once in PostgreSQL, whatever is killed or lost. */

import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openSite, until } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'
import type { Postgres } from '../support/postgres.ts'
import { findPostgres, startPostgres } from '../support/postgres.ts'
import type { Process } from '../support/process.ts'
import { startProcess } from '../support/process.ts'
import type { RedisServer } from '../support/redis.ts'
import { startRedis } from '../support/redis.ts'
import { Redis } from 'ioredis'

const subscriber = fileURLToPath(new URL('../../infra/subscribers/postgres/subscriber.ts', import.meta.url))
const tested = findPostgres() === null ? test.skip : test

interface Chain {
  site: Site
  redis: RedisServer
  postgres: Postgres
  subscribe: () => Process
}

async function openChain(): Promise<Chain> {
  const [site, redis, postgres] = await Promise.all([openSite(), startRedis(), startPostgres()])
  await site.configure({ redis: redis.url, feed: { since: 'all' } }, { format: 'jsonl' })
  const env = { ...postgres.env, REDIS_URL: redis.url, GLEANER_CONFIG: site.config, FILL_EVERY_S: '2' }
  const log = join(site.dir, 'subscriber.log')
  return { site, redis, postgres, subscribe: () => startProcess(process.execPath, [subscriber, 'r'], { log, env }) }
}

async function close({ site, redis, postgres }: Chain): Promise<void> {
  await Promise.all([site.close(), redis.stop(), postgres.stop()])
}

const job = (id: number): string =>
  `${JSON.stringify({ type: 'JOB_FINISH', eventTime: 1_700_000_000 + id, jobId: id, idx: 0, userName: `u${id % 7}`, queue: 'q' })}\n`

async function append(site: Site, from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, i) => job(from + i))
  await appendFile(join(site.logs, 'acct'), lines.join(''))
}

async function jobs(postgres: Postgres): Promise<number> {
  const [row] = await postgres.query('select count(*)::int as jobs, count(distinct job_id)::int as ids from jobs')
  if (row?.['jobs'] !== row?.['ids']) throw new Error(`${String(row?.['jobs'])} rows of ${String(row?.['ids'])} jobs`)
  return Number(row?.['jobs'])
}

const loaded = async (postgres: Postgres, count: number): Promise<void> =>
  until(async () => (await jobs(postgres).catch(() => 0)) === count)

tested('every job once in PostgreSQL, with the subscriber killed again and again', async (t) => {
  const chain = await openChain()
  const { site, postgres, subscribe } = chain
  await site.start(['run'], '"running"')
  let process = subscribe()
  for (let round = 0; round < 8; round++) {
    await append(site, round * 500, (round + 1) * 500)
    await delay(100 + round * 40)
    process.kill('SIGKILL')
    process = subscribe()
  }
  await appendFile(join(site.logs, 'acct'), 'no json\n{"type":"JOB_START"}\n')
  await loaded(postgres, 4000)
  await until(async () => (await postgres.query('select error from malformed')).length === 1)
  const [row] = await postgres.query(`select user_name, queue, end_time from jobs where job_id = '8'`)
  t.deepEqual(row, { user_name: 'u1', queue: 'q', end_time: new Date(1_700_000_008_000) })
  process.kill('SIGKILL')
  await close(chain)
})

tested('a gap in the stream, and a wiped Redis, are filled from the archive', async (t) => {
  const chain = await openChain()
  const { site, redis, postgres, subscribe } = chain
  await site.start(['run'], '"running"')
  let process = subscribe()
  await append(site, 0, 100)
  await loaded(postgres, 100)
  process.kill('SIGKILL')
  // Trimmed past a subscriber that was away.
  await append(site, 100, 200)
  const client = new Redis(redis.url)
  await until(async () => (await client.xlen('{gleaner:r}:records')) === 200)
  await client.xtrim('{gleaner:r}:records', 'MAXLEN', 20)
  process = subscribe()
  await loaded(postgres, 200)
  process.kill('SIGKILL')
  await until(async () => (await site.archived()).join('').split('\n').length === 201)
  await client.flushall()
  await append(site, 200, 300)
  process = subscribe()
  await loaded(postgres, 300)
  const [row] = await postgres.query('select count(*)::int as holes from gleaner_source where loaded = 0')
  t.is(row?.['holes'], 0)
  process.kill('SIGKILL')
  client.disconnect()
  await close(chain)
})
