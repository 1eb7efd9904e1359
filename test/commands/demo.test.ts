import test from 'ava'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSite } from '../support/gleaner.ts'

test('demo: the simulated cluster, through each rotation, is archived byte for byte', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  const archive = join(site.dir, 'demo-archive')
  const { code, stdout, stderr } = await site.gleaner('demo', '--seconds', '11', '--archive', archive)
  t.is(code, 0, stderr + stdout)
  t.regex(stdout, /lsb\.acct was copied, unlinked and renamed/)
  t.regex(stdout, /^Every byte is in the archive, and equal\. 2 generations/m)
  t.regex(stdout, /zstd -dc \S+\/\*\.zst/)
})

test('demo --path: a directory is collected and left as it is', async (t) => {
  const site = await openSite()
  t.teardown(() => site.close())
  await writeFile(join(site.logs, 'a.log'), 'one\ntwo\n')
  const ended = await site.gleaner('demo', '--path', site.logs, '--archive', site.archive, '--seconds', '2')
  t.is(ended.code, 0, ended.stderr)
  t.regex(ended.stdout, /^Every byte is in the archive, and equal\. 1 files, 8 B in 1 segment of 1 source\./m)
})
