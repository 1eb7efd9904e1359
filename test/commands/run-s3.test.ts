import test from 'ava'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { openSite, until } from '../support/gleaner.ts'
import type { Site } from '../support/gleaner.ts'
import { s3Server } from '../support/s3-server.ts'
import type { Fault, S3Request } from '../support/s3-server.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'test'

interface Made {
  site: Site
  /** What `zstd -dc` of all segments gives. */
  archived: () => string
  close: () => Promise<void>
}

async function open(fault: (request: S3Request) => Fault | undefined = () => undefined): Promise<Made> {
  const site = await openSite()
  const server = s3Server({ fault })
  const { endpoint, close } = await server.start(0)
  await site.configure({ archive: 's3://archive/some/prefix', s3: { endpoint, forcePathStyle: true } })
  const archived = (): string => {
    const keys = [...server.objects.keys()].filter((key) => key.includes('/evidence/segments/r/')).sort()
    return keys.map((key) => zstdDecompressSync(server.objects.get(key)?.body ?? Buffer.alloc(0)).toString()).join('')
  }
  return {
    site,
    archived,
    async close() {
      await site.close()
      await close()
    },
  }
}

test('run and reconcile: an archive on S3', async (t) => {
  const { site, archived, close } = await open()
  t.teardown(close)
  const file = join(site.logs, 'a.log')
  await writeFile(file, 'one\n')
  const first = await site.gleaner('--json', 'reconcile')
  t.is(first.code, 0, first.stderr)
  const running = await site.start(['run'], '"running"')
  await appendFile(file, 'two\n')
  await until(() => archived() === 'one\ntwo\n')
  await appendFile(file, 'three\n')
  running.kill('SIGTERM')
  const { code, stderr } = await running.ended
  t.is(code, 0, stderr)
  t.is(archived(), 'one\ntwo\nthree\n')
})

test('run: a store that overwrites is refused before anything is archived', async (t) => {
  const { site, archived, close } = await open(({ operation }) => (operation === 'put' ? 'overwrites' : undefined))
  t.teardown(close)
  await writeFile(join(site.logs, 'a.log'), 'one\n')
  for (const command of ['run', 'reconcile', 'doctor']) {
    const { code, stdout, stderr } = await site.gleaner(command)
    t.is(code, 1, command)
    t.regex(stdout + stderr, /use one\s+that honours If-None-Match/, command)
  }
  t.is(archived(), '')
})

test('reconcile: lost answers, 409 and 500 after storing change nothing in what is archived', async (t) => {
  const faults: Fault[] = ['lost-response', 'error-after', 'conflict', 'error-before', 'lost-request']
  const { site, archived, close } = await open(({ operation, key, number }) =>
    operation === 'put' && key.includes('segments') && number % 2 === 0
      ? faults[(number / 2) % faults.length]
      : undefined,
  )
  t.teardown(close)
  const texts = Array.from({ length: 12 }, (_, n) => `file ${n}\n`)
  for (const [n, text] of texts.entries()) await writeFile(join(site.logs, `${n}.log`), text)
  const ended = await site.gleaner('--json', 'reconcile')
  t.is(ended.code, 0, ended.stderr)
  t.deepEqual(archived().split('\n').sort(), texts.join('').split('\n').sort())
  t.is((JSON.parse(ended.stdout) as { segments: number }).segments, 12)
})
