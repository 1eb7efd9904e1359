/** What a collector keeps in memory when it waits. */

import { readFile } from 'node:fs/promises'
import test from 'ava'
import { openSite, until } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'

const rssBytesMax = 80e6

test('a listener that waits keeps less than 80 MB, once there is compiled code to start from', async (t) => {
  const [site, redis] = await Promise.all([openSite(), startRedis()])
  t.teardown(async () => {
    await site.close()
    await redis.stop()
  })
  await site.configure({ redis: redis.url })
  const start = () => site.start(['run', '--roles', 'listen'], '"running"')
  const first = await start()
  first.kill('SIGTERM')
  t.is((await first.ended).code, 0)
  const { pid } = await start()
  const rssBytes = async (): Promise<number> =>
    1024 * Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
  await until(async () => (await rssBytes()) < rssBytesMax)
  t.pass()
})
