/** An S3 store may come later than the collector, and go and return (a directory: run.test.ts; Redis: bad-services.test.ts). */

import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openSite, until } from '../support/gleaner.ts'
import { freePort } from '../support/redis.ts'
import { s3Server } from '../support/s3-server.ts'

test.serial('an S3 store that comes after the collector, goes, and returns with what it had', async (t) => {
  t.timeout(110_000)
  process.env['AWS_ACCESS_KEY_ID'] = 'access'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'secret'
  const [site, port] = await Promise.all([openSite(), freePort()])
  const server = s3Server()
  t.teardown(() => site.close())
  const s3 = { endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', forcePathStyle: true }
  await site.configure({ archive: 's3://archive/x', s3 })
  await writeFile(join(site.logs, 'a'), 'one\n')
  const running = await site.start(['run'], 'store-unreachable')
  const segments = (): number => [...server.objects.keys()].filter((key) => key.includes('/segments/')).length
  const first = await server.start(port)
  await running.said('"running"')
  await until(() => segments() === 1)
  await first.close()
  await appendFile(join(site.logs, 'a'), 'two\n')
  const second = await server.start(port)
  t.teardown(() => second.close())
  await until(() => segments() === 2)
  running.kill('SIGTERM')
  t.is((await running.ended).code, 0)
  t.is((await site.gleaner('verify')).code, 0)
})
