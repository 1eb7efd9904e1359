/** The lab's manners: what it says when it cannot run, one at a time, and its matrix. What it finds on filesystems only the lab itself can say. */

import test from 'ava'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Result } from '../../infra/lab/matrix.ts'
import { isPassed, markdownOf } from '../../infra/lab/matrix.ts'
import { optionsOf } from '../../infra/lab/options.ts'
import { startProcess } from '../support/process.ts'

const main = fileURLToPath(new URL('../../infra/lab/main.ts', import.meta.url))
const isRoot = process.getuid?.() === 0
const nobody = '65534'

function directory(t: { teardown(run: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'lab-test-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function lab(dir: string, args: string[], starter: string[] = []): Promise<{ status: unknown; stderr: string }> {
  const [command = '', ...rest] = [...starter, process.execPath, main, ...args]
  const log = join(dir, `log-${args.join('')}`)
  const one = startProcess(command, rest, { log, env: { GLEANER_LAB_DIR: join(dir, 'lab') } })
  return { status: await one.ended, stderr: await one.stderr() }
}

test('arguments that it does not know are refused with what there is', (t) => {
  t.throws(() => optionsOf(['nfs9']), { message: /no filesystem nfs9; there are bindfs, .*nfs4/ })
  t.throws(() => optionsOf(['--only', 'story,nothing']), { message: /no scenario nothing; there are visibility/ })
  for (const value of ['0', '-1', 'many', '1.5', ''])
    t.throws(() => optionsOf([`--rounds=${value}`]), { message: /--rounds/ })
  t.throws(() => optionsOf(['--json', '--markdown']), { message: /give one/ })
  t.throws(() => optionsOf(['--verbose']), { message: /--verbose/ })
})

test('all filesystems and scenarios by default; a few, and once, where it must be quick', (t) => {
  const { filesystems, scenarios, rounds } = optionsOf([])
  const names = filesystems.map(({ name }) => name)
  for (const name of ['bindfs', 'mergerfs', 'glusterfs', 'sshfs', 'cephfs', 'nfs4', 'nfs3', 'afs'])
    t.true(names.includes(name))
  t.is(scenarios.length, 8)
  t.is(rounds, 20)
  const quick = optionsOf(['--quick'])
  t.deepEqual(
    quick.filesystems.map(({ name }) => name),
    ['bindfs', 'mergerfs', 'glusterfs'],
  )
  t.deepEqual(
    quick.scenarios.map(({ name }) => name),
    ['visibility', 'story', 'failover', 'rotation'],
  )
  t.is(quick.rounds, 1)
  t.deepEqual(
    optionsOf(['--quick', 'nfs4', '--rounds', '3']).filesystems.map(({ name }) => name),
    ['nfs4'],
  )
})

test('a wrong argument is one message and status 2, and leaves nothing', async (t) => {
  const dir = directory(t)
  const { status, stderr } = await lab(dir, ['nfs9'])
  t.is(status, 2)
  t.regex(stderr, /^lab: no filesystem nfs9/)
  t.notRegex(stderr, /\n {4}at /)
  t.false(readdirSync(dir).includes('lab'))
})

test('without root it says so, with status 2', async (t) => {
  const dir = directory(t)
  const { status, stderr } = await lab(dir, ['bindfs'], isRoot ? ['setpriv', '--reuid', nobody, '--clear-groups'] : [])
  t.is(status, 2)
  t.regex(stderr, /needs root/)
  t.false(readdirSync(dir).includes('lab'))
})

test('a second lab is refused while one is at work, and touches nothing of it', async (t) => {
  if (!isRoot) return t.pass('it needs root')
  const dir = directory(t)
  const base = join(dir, 'lab')
  const first = startProcess(
    'sh',
    ['-c', 'mkdir "$0" && echo 4711 >"$0/owner" && exec flock --no-fork "$0" sh -c "echo held; exec sleep 600"', base],
    {
      log: join(dir, 'first'),
    },
  )
  await first.said('held')
  const { status, stderr } = await lab(dir, ['bindfs'])
  first.kill('SIGKILL')
  t.is(status, 2, stderr)
  t.regex(stderr, /another lab is at work in .*process 4711/)
  t.deepEqual(readdirSync(base), ['owner'])
})

const result: Result = {
  filesystem: 'nfs4',
  version: 'Linux 6.1',
  outcomes: [
    {
      scenario: 'visibility',
      passed: true,
      facts: { 'B: heard by A': 0, 'B: lag p50 ms': 700, 'B: lag max ms': 1300 },
      problems: [],
    },
    { scenario: 'story', passed: true, facts: { written: 100, lost: 0, doubled: 0 }, problems: [] },
    { scenario: 'failover', passed: true, facts: { written: 50, lost: 0, doubled: 0 }, problems: [] },
  ],
  left: [{ scenario: 'server dead', reason: 'it has no server of its own' }],
  failed: null,
  seconds: 12.4,
}
const about = { date: '2026-01-02', kernel: '6.18', version: '1.2.3', rounds: 20, seconds: 30 }

test('the matrix has a row for each filesystem, with the sums of its scenarios, and what was left out with its reason', (t) => {
  const text = markdownOf([result], about)
  t.regex(text, /Gleaner 1\.2\.3, Linux 6\.18, 2026-01-02; 20 failovers, 30 seconds/)
  t.true(text.includes('| nfs4 | passed | 0 | 700 / 1300 | – / – | 150 | 0 | 0 |'))
  t.true(text.includes('| server dead | – | it has no server of its own |'))
})

test('what failed, and what could not be started, is said and is not passed', (t) => {
  const lost = { scenario: 'rotation', passed: false, facts: { lost: 3 }, problems: ['3 lines lost'] }
  const failed = { ...result, outcomes: [...result.outcomes, lost] }
  const absent = { ...result, outcomes: [], failed: 'there is no server' }
  t.deepEqual([result, failed, absent].map(isPassed), [true, false, false])
  const text = markdownOf([failed, absent], about)
  t.true(text.includes('| nfs4 | FAILED | 0 | 700 / 1300 | – / – | 150 | 3 | 0 |'))
  t.true(text.includes('- rotation: 3 lines lost'))
  t.true(text.includes('| nfs4 | not started |'))
  t.true(text.includes('It could not be started: there is no server'))
})
