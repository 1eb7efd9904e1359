/** Secrets that are planted in a configuration and its environment come out nowhere: log, metrics, page, config, doctor, errors. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openSite } from '../support/gleaner.ts'
import { startRedis } from '../support/redis.ts'
import { s3Server } from '../support/s3-server.ts'
import { newSigningKey } from '../support/signing.ts'

const secrets = {
  redis: 'planted-redis-password',
  token: 'planted-serve-token',
  s3: 'planted/s3/secret/access/key',
}

test('no secret in logs, metrics, page, config, doctor and errors, at the chattiest level', async (t) => {
  t.timeout(180_000)
  process.env['AWS_ACCESS_KEY_ID'] = 'access'
  process.env['AWS_SECRET_ACCESS_KEY'] = secrets.s3
  const [site, redis] = await Promise.all([openSite(), startRedis({ args: ['--requirepass', secrets.redis] })])
  const { endpoint, close } = await s3Server().start()
  t.teardown(() => Promise.all([site.close(), redis.stop(), close()]))
  const { pem } = newSigningKey()
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(site.dir, name)
    await writeFile(path, text, { mode: 0o600 })
    return path
  }
  const settings = {
    archive: 's3://archive/x',
    s3: { endpoint, region: 'us-east-1', forcePathStyle: true },
    redis: { url: redis.url, passwordFile: await file('password', `${secrets.redis}\n`) },
    sign: { keyFile: await file('key.pem', pem), every: '1s' },
    serve: { port: 0, tokenFile: await file('token', `${secrets.token}\n`) },
  }
  await site.configure(settings)
  await writeFile(join(site.logs, 'a.log'), 'one\n')
  const said: string[] = []
  const told = async (...args: string[]): Promise<void> => {
    const { stdout, stderr } = await site.gleaner('--log-level', 'trace', ...args)
    said.push(stdout, stderr)
  }

  const running = await site.start(['--log-level', 'trace', 'run'], '"running"')
  await running.said('"digest"')
  const url = /"url":"(http[^"]+)"/.exec(running.stderr())?.[1] ?? ''
  const authorization = `Bearer ${secrets.token}`
  for (const path of ['/', '/metrics', '/readyz', '/nowhere'])
    for (const headers of [{}, { authorization }, { authorization: `${authorization}-wrong` }]) {
      const response = await fetch(`${url}${path}`, { headers })
      said.push(JSON.stringify([...response.headers]), await response.text())
    }
  await told('config', 'show')
  await told('config', 'check')
  await told('--json', 'doctor')
  // What fails is where secrets slip out: Redis gone, the store refusing, passwords that are wrong.
  await redis.kill()
  await close()
  await running.said('redis-unreachable')
  await told('reconcile')
  await redis.restart({ keepData: false })
  await site.configure({ ...settings, redis: { ...settings.redis, username: 'nobody' } })
  await told('doctor')
  running.kill('SIGHUP')
  await site.configure({ ...settings, redis: `redis://:${secrets.redis}@127.0.0.1:1` })
  await told('config', 'check')
  running.kill('SIGTERM')
  const { stdout, stderr } = await running.ended
  said.push(stdout, stderr)

  const all = said.join('\n')
  t.true(all.includes('gleaner_build_info'), 'something was looked at')
  const planted = [...Object.values(secrets), encodeURIComponent(secrets.s3), ...pem.trim().split('\n').slice(1, -1)]
  for (const secret of planted) {
    const at = all.indexOf(secret)
    t.is(at, -1, all.slice(Math.max(0, at - 300), at + 20))
    t.false(all.includes(Buffer.from(secret).toString('base64')))
  }
})
