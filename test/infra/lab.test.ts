/** The lab's manners: what it says when it cannot run, one at a time, and its matrix. What it finds on filesystems only the lab itself can say. */

import test from 'ava'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Result } from '../../infra/lab/matrix.ts'
import { isPassed, markdownOf } from '../../infra/lab/matrix.ts'
import { optionsOf } from '../../infra/lab/options.ts'
import type { Process } from '../support/process.ts'
import { startProcess } from '../support/process.ts'
import { until } from '../support/gleaner.ts'

const main = fileURLToPath(new URL('../../infra/lab/main.ts', import.meta.url))
const isRoot = process.getuid?.() === 0
const nobody = '65534'

let starts = 0

interface Starting {
  /** What runs it. */
  starter?: string[]
  env?: Record<string, string>
}

function directory(t: { teardown(run: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'lab-test-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

function started(dir: string, args: string[], { starter = [], env = {} }: Starting = {}): Process {
  const [command = '', ...rest] = [...starter, process.execPath, main, ...args]
  const log = join(dir, `log-${starts++}`)
  return startProcess(command, rest, { log, env: { GLEANER_LAB_DIR: join(dir, 'lab'), ...env } })
}

async function lab(dir: string, args: string[], starting?: Starting): Promise<{ status: unknown; stderr: string }> {
  const one = started(dir, args, starting)
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
  const { status, stderr } = await lab(dir, ['bindfs'], {
    starter: isRoot ? ['setpriv', '--reuid', nobody, '--clear-groups'] : [],
  })
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

const bareDevices =
  'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && exec "$@"'
for (const [filesystem, device] of [
  ['bindfs', '/dev/fuse'],
  ['nfs4', '/dev/net/tun'],
] as const) {
  test(`${filesystem} without ${device} is one message that names it and what to do, and leaves nothing`, async (t) => {
    if (!isRoot) return t.pass('it needs root')
    const dir = directory(t)
    const starter = ['unshare', '--mount', 'sh', '-c', bareDevices, 'sh']
    const { status, stderr } = await lab(dir, [filesystem], { starter })
    t.is(status, 2, stderr)
    t.regex(stderr, new RegExp(`^lab: ${filesystem} needs ${device}, which is not there: modprobe`))
    t.false(readdirSync(dir).includes('lab'))
  })
}

test('packages that apt cannot fetch are named with what apt said, and nothing stays', async (t) => {
  if (!isRoot) return t.pass('it needs root')
  const dir = directory(t)
  const env = noPackages(dir)
  const { status, stderr } = await lab(dir, ['bindfs'], { env })
  t.is(status, 2, stderr)
  t.regex(stderr, /apt-get could not install redis-server.* bindfs.*: .*127\.0\.0\.1:9.*Install them yourself/)
  t.notRegex(stderr, /\n {4}at /)
  t.false(readdirSync(dir).includes('lab'))
  t.false(existsSync('/usr/sbin/policy-rc.d') && readFileSync('/usr/sbin/policy-rc.d', 'utf8').includes('Gleaner'))
})

/** A machine on which nothing is installed, and whose package archive does not answer. */
function noPackages(dir: string): Record<string, string> {
  for (const name of ['admin/updates', 'admin/info', 'lists/partial', 'archives/partial'])
    mkdirSync(join(dir, name), { recursive: true })
  for (const name of ['admin/status', 'admin/available']) writeFileSync(join(dir, name), '')
  const settings = [
    'Acquire::Retries "0"',
    'APT::Sandbox::User "root"',
    'Acquire::http::Proxy "http://127.0.0.1:9"',
    'Acquire::https::Proxy "http://127.0.0.1:9"',
    `Dir::State::status "${dir}/admin/status"`,
    `Dir::State::lists "${dir}/lists"`,
    `Dir::Cache::archives "${dir}/archives"`,
  ]
  writeFileSync(join(dir, 'apt.conf'), settings.map((line) => `${line};\n`).join(''))
  return { APT_CONFIG: join(dir, 'apt.conf'), DPKG_ADMINDIR: join(dir, 'admin') }
}

test('one that is killed half-way leaves no process and no mount; the next removes its directory', async (t) => {
  if (!isRoot || !existsSync('/usr/bin/bindfs')) return t.pass('it needs root, and bindfs')
  const dir = directory(t)
  const one = started(dir, ['bindfs', '--only', 'visibility', '--seconds', '600'])
  await one.said('mounted on both nodes')
  t.true(processesOf(dir).length > 3)
  one.kill('SIGKILL')
  await one.ended
  await until(() => processesOf(dir).length === 0)
  t.false(readFileSync('/proc/self/mountinfo', 'utf8').includes(dir))
  t.true(readdirSync(join(dir, 'lab')).includes('work'))
  const { stderr } = await lab(dir, ['bindfs'], { env: noPackages(dir) })
  t.regex(stderr, /removing what an earlier lab left/)
  t.false(readdirSync(dir).includes('lab'))
})

/** Whose command line or environment names a directory. */
function processesOf(dir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false
    try {
      return ['cmdline', 'environ'].some((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8').includes(dir))
    } catch {
      return false
    }
  })
}

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
