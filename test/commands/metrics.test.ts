/** /metrics of a real collector with Redis: every name that the contract has, with its labels and no others. */

import test from 'ava'
import { Redis } from 'ioredis'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSite, until } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'
import { newSigningKey } from '../support/signing.ts'

/** Of CONTRACTS.md, and whether the store and Redis do what they are asked. Alerts and dashboards of others go by these. */
const contract: Record<string, string[]> = {
  gleaner_store_up: [],
  gleaner_redis_up: [],
  gleaner_build_info: ['node', 'runtime', 'version'],
  gleaner_root_up: ['root'],
  gleaner_archived_bytes_total: ['root'],
  gleaner_records_total: ['root', 'type'],
  gleaner_parse_errors_total: ['root'],
  gleaner_unarchived_bytes: ['root'],
  gleaner_oldest_unarchived_age_seconds: ['root'],
  gleaner_oldest_unproven_age_seconds: ['root'],
  gleaner_last_pass_timestamp_seconds: ['root'],
  gleaner_pass_duration_seconds: ['le', 'root'],
  gleaner_changes_total: ['root', 'seen_by'],
  gleaner_anomalies_total: ['kind', 'root'],
  gleaner_anomalies_open: ['kind'],
  gleaner_store_requests_total: ['op', 'outcome'],
  gleaner_store_request_duration_seconds: ['le', 'op'],
  gleaner_feed_lag_records: ['group', 'root'],
  gleaner_digest_last_timestamp_seconds: [],
  gleaner_metadata_calls_total: ['root'],
  gleaner_root_blind: ['root'],
  gleaner_reconcilers: ['root'],
}
/** Told of besides. */
const more: Record<string, string[]> = { gleaner_worst_detection_seconds: ['root'] }
/** Only where something is amiss. */
const quiet = ['gleaner_parse_errors_total', 'gleaner_anomalies_total', 'gleaner_anomalies_open', 'gleaner_root_blind']

test('a collector tells every metric of the contract, and no label names a file', async (t) => {
  t.timeout(60_000)
  const [site, redis] = await Promise.all([openSite(), startRedis()])
  const client = new Redis(redis.url)
  t.teardown(async () => {
    client.disconnect()
    await site.close()
    await redis.stop()
  })
  const keyFile = join(site.dir, 'key.pem')
  await writeFile(keyFile, newSigningKey().pem, { mode: 0o600 })
  await site.configure({ redis: redis.url, feed: { since: 'all' }, sign: { keyFile, every: '2s' } })
  const file = join(site.logs, 'a-name-of-a-file.log')
  await writeFile(file, 'one\n')
  const running = await site.start(['run'], '"running"')
  await until(async () => (await client.xlen('{gleaner:r}:records')) === 1)
  await client.xgroup('CREATE', '{gleaner:r}:records', 'billing', '0')
  await client.xgroup('CREATE', '{gleaner:r}:records', 'a "strange"\nname', '0')
  await appendFile(file, 'two\nthree\n')
  const url = /"url":"([^"]+)"/.exec(running.stderr())?.[1] ?? ''
  const exposition = async (): Promise<string> => (await fetch(`${url}/metrics`)).text()
  const wanted = Object.keys(contract).filter((name) => !quiet.includes(name))
  const has = (text: string, name: string): boolean => new RegExp(`^${name}(_count)?[{ ]`, 'm').test(text)
  await until(async () => {
    const text = await exposition()
    return wanted.every((name) => has(text, name)) && text.includes('group="billing"} 3')
  })
  const text = await exposition()
  const types = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name)
  t.deepEqual(types.sort(), [...Object.keys(contract), ...Object.keys(more)].sort())
  t.regex(text, /^gleaner_feed_lag_records\{root="r",group="other"\} 3$/m)
  t.regex(text, /^gleaner_reconcilers\{root="r"\} 1$/m)
  for (const name of types) {
    const labels = [...text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{(.*)\\} `, 'gm'))].map(([, list = '']) =>
      [...list.matchAll(/(\w+)="/g)].map(([, label = '']) => label).sort(),
    )
    for (const found of labels) t.deepEqual(found, contract[name] ?? more[name] ?? [], name)
  }
  t.false(text.includes('a-name-of-a-file'))
  running.kill('SIGTERM')
  t.is((await running.ended).code, 0)
})
