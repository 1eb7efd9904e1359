import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { openFiles } from '../../src/adapters/files.ts'
import { isGleanerError } from '../../src/errors.ts'
import type { Files } from '../../src/ports/files.ts'
import { glance, reading, rejects } from '../contract/files.ts'

/** A bindfs mount: a filesystem whose server is a process, which can be stopped and ended. */
async function mounted(t: ExecutionContext) {
  const parent = mkdtempSync(join(tmpdir(), 'gleaner-stalled-'))
  const [below, top] = [join(parent, 'below'), join(parent, 'top')]
  mkdirSync(below)
  mkdirSync(top)
  writeFileSync(join(below, 'a'), 'one\n')
  // Without caches, so that each call reaches the process.
  const options = ['-f', '-o', 'attr_timeout=0,entry_timeout=0']
  const server = spawn('bindfs', [...options, below, top], { stdio: 'ignore' })
  const unmount = () => execFileSync('fusermount3', ['-u', '-z', top])
  await isMounted(top)
  t.teardown(async () => {
    server.kill('SIGCONT')
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${top} `)) unmount()
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
    rmSync(parent, { recursive: true })
  })
  return { parent, below, top, server, unmount }
}

async function isMounted(top: string) {
  for (let tries = 0; tries < 500; tries++) {
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${top} `)) return
    await sleep(20)
  }
  throw new Error(`${top} was not mounted`)
}

/** Opened before the teardown of the mount is registered would end too late: the thread must be free to end. */
function open(t: ExecutionContext, root: string, path: string) {
  const files = openFiles({ root, path, remote: 'auto', deadlineMs: 500 })
  t.teardown(() => files.close())
  return files
}

test.serial('a root that hangs is stalled, others go on, and it recovers', async (t) => {
  const { below, top, server } = await mounted(t)
  const hung = open(t, 'hung', top)
  const healthy = open(t, 'healthy', below)
  t.like(await hung.mount(), { source: below, remote: true })
  t.is((await hung.look('a', glance)).stat.size, 4)
  server.kill('SIGSTOP')
  const calls = [
    hung.look('a', glance),
    hung.list(['']),
    hung.stat(['a'], { fresh: true }),
    hung.look('a', reading({})),
  ]
  const others = healthy.look('a', glance)
  for (const call of calls) await rejects(t, call, 'root-stalled')
  // At once, that is before the event loop turns.
  const later = await Promise.race([hung.mount().catch((error: unknown) => error), turn('too late')])
  t.true(isGleanerError(later, 'root-stalled'), String(later))
  t.is((await others).stat.size, 4)
  t.is((await healthy.look('a', glance)).stat.size, 4)
  server.kill('SIGCONT')
  for (;;) {
    const answer = await hung.look('a', reading({})).catch((error: unknown) => error)
    if (!isGleanerError(answer, 'root-stalled')) {
      t.like(answer, { steady: true, segment: { end: 4 } })
      break
    }
    await sleep(10)
  }
})

test.serial('a stuck thread is told at the close', async (t) => {
  const { top, server } = await mounted(t)
  const files = openFiles({ root: 'hung', path: top, remote: 'auto', deadlineMs: 500 })
  await files.mount()
  server.kill('SIGSTOP')
  await rejects(t, files.look('a', glance), 'root-stalled')
  t.false(await files.close())
  server.kill('SIGCONT')
})

const calls: [string, (files: Files) => Promise<unknown>][] = [
  ['mount', (files) => files.mount()],
  ['list', (files) => files.list([''])],
  ['stat', (files) => files.stat(['a', 'gone'], { fresh: false })],
  ['fresh stat', (files) => files.stat(['a', 'gone'], { fresh: true })],
  ['look at what is gone', (files) => files.look('gone', glance)],
  ['look at what lay beneath', (files) => files.look('a', glance)],
]

test.serial('an unmounted root is unavailable, though its bare directory answers', async (t) => {
  const { parent, top, below, unmount, server } = await mounted(t)
  // One for each call, since the first that notices makes the later ones look closer.
  const opened = calls.map(([title]) => open(t, title, top))
  for (const files of opened) await files.mount()
  unmount()
  await once(server, 'exit')
  writeFileSync(join(top, 'a'), 'what lay beneath\n')
  for (const [index, [title, call]] of calls.entries()) {
    const error = await t.throwsAsync(call(opened[index] as Files), undefined, title)
    t.true(isGleanerError(error, 'root-unavailable'), `${title}: ${String(error)}`)
  }
  rmSync(join(top, 'a'))
  const files = opened[0] as Files
  // Another filesystem at the same place is not it either.
  const other = spawn('bindfs', ['-f', parent, top], { stdio: 'ignore' })
  await isMounted(top)
  await rejects(t, files.look('a', glance), 'root-unavailable')
  unmount()
  await once(other, 'exit')
  const again = spawn('bindfs', ['-f', below, top], { stdio: 'ignore' })
  await isMounted(top)
  t.is((await files.look('a', glance)).stat.size, 4)
  for (const each of opened) await each.close()
  unmount()
  await once(again, 'exit')
})

test.serial('a dead server leaves the root unavailable', async (t) => {
  const { top, server } = await mounted(t)
  const files = open(t, 'dead', top)
  await files.mount()
  server.kill('SIGKILL')
  await once(server, 'exit')
  await rejects(t, files.look('a', glance), 'root-unavailable')
  await rejects(t, files.list(['']), 'root-unavailable')
  await rejects(t, files.stat(['a'], { fresh: true }), 'root-unavailable')
})
