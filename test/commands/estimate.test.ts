/** What `--dry-run` foretells, beside what the same pass then makes, counted by a real S3 server. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { openSite } from '../support/gleaner.ts'
import { s3Server } from '../support/s3-server.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'test'

const files = 80

test('reconcile --dry-run: files, bytes and objects are what a pass makes, requests are near', async (t) => {
  const site = await openSite()
  const server = s3Server()
  const { endpoint, close } = await server.start()
  t.teardown(async () => {
    await site.close()
    await close()
  })
  await site.configure({ archive: 's3://archive/backfill', s3: { endpoint, forcePathStyle: true } })
  for (let n = 1; n <= files; n++) {
    const text = `${n}\n`.repeat(1 + ((n * 37) % 400))
    if (n % 2 === 0) await writeFile(join(site.logs, `acct.${n}`), text)
    else await writeFile(join(site.logs, `acct.${n}.gz`), gzipSync(text))
  }
  const requests = async (...args: string[]): Promise<[Record<string, number>, number]> => {
    for (const name of Object.keys(server.counts)) server.counts[name as keyof typeof server.counts] = 0
    const { code, stdout, stderr } = await site.gleaner('--json', 'reconcile', ...args)
    t.is(code, 0, stderr)
    return [JSON.parse(stdout), Object.values(server.counts).reduce((sum, count) => sum + count, 0)]
  }
  for (const isArchived of [false, true]) {
    const [foretold] = await requests('--dry-run')
    const [made, counted] = await requests()
    const expected = { files: made['files'], bytes: made['bytes'], objects: made['segments'] }
    t.deepEqual(pick(foretold, ['files', 'bytes', 'objects']), expected)
    const ratio = (foretold['requests'] ?? 0) / counted
    // What is archived already is mostly known from the catalog: no more than foretold.
    t.true(ratio > 0.9 && (isArchived || ratio < 1.1), `${foretold['requests']} foretold, ${counted} counted`)
  }
})

function pick(from: Record<string, number>, names: string[]): Record<string, number | undefined> {
  return Object.fromEntries(names.map((name) => [name, from[name]]))
}
