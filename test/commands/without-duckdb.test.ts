/** An installation without DuckDB, such as the image `collector`: it collects, and says clearly what it cannot do. */

import { appendFile, cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { openSite } from '../support/gleaner.ts'
import { runGleaner } from '../support/run-gleaner.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))

async function installWithout(left: string, dir: string): Promise<string> {
  await mkdir(join(dir, 'node_modules'), { recursive: true })
  for (const name of ['src', 'package.json']) await cp(join(project, name), join(dir, name), { recursive: true })
  const there = await readdir(join(project, 'node_modules'))
  for (const name of there.filter((name) => name !== left && !name.startsWith('.')))
    await symlink(join(project, 'node_modules', name), join(dir, 'node_modules', name))
  return join(dir, 'src/main.ts')
}

test('query and tables name what is missing; reconcile, verify and --help need none of it', async (t) => {
  const site = await openSite()
  const program = await installWithout('@duckdb', join(site.dir, 'app'))
  const gleaner = (...args: string[]) => runGleaner(['--config', site.config, ...args], { program })
  await appendFile(join(site.logs, 'acct'), 'one\n')
  for (const works of [['--help'], ['reconcile'], ['verify']]) t.is((await gleaner(...works)).status, 0, works[0])
  for (const fails of [
    ['query', 'SELECT 1'],
    ['tables', 'build'],
  ]) {
    const { status, stderr } = await gleaner(...fails)
    t.is(status, 1)
    t.regex(stderr, /need DuckDB, and it is not installed here\nwhat to do: run it where Gleaner is installed whole/)
  }
  await site.close()
})
