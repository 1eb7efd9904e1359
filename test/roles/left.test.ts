import { appendFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { GleanerError } from '../../src/errors.ts'
import type { RootContext } from '../../src/roles/context.ts'
import { listAll } from '../../src/roles/ledger.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import type { Worker } from '../../src/roles/work.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openFullPass } from '../../src/roles/full-pass.ts'
import { openRoot } from '../support/root-context.ts'

/** A worker that has archived `one` of a file and has seen and published `two` after it. */
async function work(t: ExecutionContext) {
  const { context: opened, path, store, feed } = openRoot(t)
  let writes = 0
  const root = { ...opened.root, seal: { bytes: 1e9, ageMs: 1e9 }, settle: { ...opened.root.settle, tailMs: 50 } }
  const unreadable = new Set<string>()
  const look: RootContext['files']['look'] = (name, request) =>
    unreadable.has(name)
      ? Promise.reject(new GleanerError('file-io', { operation: 'look', subject: name }))
      : opened.files.look(name, request)
  const files = { ...opened.files, look }
  const context = { ...opened, root, files, random: () => String(writes++).padStart(32, '0') }
  const open = (): Opened => {
    const worker = openWorker(context, { inFlight: openThrottle(1e8) })
    worker.setRemote(false)
    const visit = async (name: string): Promise<void> => {
      worker.signal({ path: name, cause: 'test' })
      await worker.caughtUp(20)
    }
    return { worker, visit }
  }
  const { worker, visit } = open()
  const file = join(path, 'acct')
  await writeFile(file, 'one\n')
  await visit('acct')
  await appendFile(file, 'two\n')
  await visit('acct')
  const run = (one: Worker): (() => Promise<void>) => {
    const stopping = new AbortController()
    const running = one.run(stopping.signal)
    const stop = async (): Promise<void> => {
      stopping.abort()
      await running
    }
    t.teardown(stop)
    return stop
  }
  const stop = run(worker)
  /** Another process takes over: the first ended, and what it had in memory is gone. A full pass follows. */
  const next = async (): Promise<void> => {
    await stop()
    const { worker: second, visit: visitAgain } = open()
    run(second)
    await visitAgain('acct')
    const report = { files: 1, bytes: 0 }
    await openFullPass(context, second).finish({ report, startedAt: await store.nowMs(), sizes: null, alone: false })
    await delay(2 * root.settle.tailMs)
    await visitAgain('acct')
  }
  const journal = async (): Promise<{ kind: string; start: number; end: number; path: string }[]> => {
    const listed = await listAll(store, 'evidence/journal/')
    const bodies = await Promise.all(listed.map(async ({ key }) => (await store.get(key))?.body.toString() ?? ''))
    return bodies.map((body) => JSON.parse(body) as { kind: string; start: number; end: number; path: string })
  }
  const kinds = (): string[] =>
    feed.records('r').map(({ fields }) => `${String(fields['kind'])} ${String(fields['raw'] ?? '')}`.trim())
  const reconciler = openReconciler(context, worker)
  const pass = (): Promise<unknown> => reconciler.pass({ full: false })
  return { file, visit, pass, unreadable, next, journal, kinds }
}

interface Opened {
  worker: Worker
  visit: (name: string) => Promise<void>
}

/** Longer than the worker waits before it decides. */
const decidedMs = 2500

test('a file that another one replaces before all that was seen of it is archived has vanished, and what was published of that is disowned', async (t) => {
  const { file, visit, journal, kinds } = await work(t)
  await writeFile(file, 'another beginning\n')
  await visit('acct')
  while ((await journal()).length === 0) await delay(50)
  while (!kinds().includes('revision')) await delay(50)
  const [told, ...more] = await journal()
  t.like(told, { kind: 'vanished', path: 'acct', start: 4, end: 8 })
  t.deepEqual(more, [])
})

test('one that was moved and then replaced has not', async (t) => {
  const { file, visit, journal, kinds } = await work(t)
  await rename(file, `${file}.1`)
  await writeFile(file, 'another beginning\n')
  await visit('acct')
  await delay(decidedMs)
  t.deepEqual(await journal(), [])
  t.false(kinds().includes('revision'))
})

test('one whose rest is archived by then has not', async (t) => {
  const { file, visit, journal } = await work(t)
  await rename(file, `${file}.1`)
  await writeFile(file, 'another beginning\n')
  await visit('acct.1')
  await visit('acct')
  await delay(decidedMs)
  t.deepEqual(await journal(), [])
})

test('what an ended process had published of a file that is gone is told and disowned by the next one', async (t) => {
  const { file, next, journal, kinds } = await work(t)
  await writeFile(file, 'another beginning\n')
  await next()
  while ((await journal()).length === 0) await delay(50)
  while (!kinds().includes('revision')) await delay(50)
  t.like((await journal())[0], { kind: 'vanished', path: 'acct', start: 4, end: 8 })
})

test('what it had published of a file that is there goes on', async (t) => {
  const { next, journal, kinds } = await work(t)
  await next()
  await delay(decidedMs)
  t.deepEqual(await journal(), [])
  t.false(kinds().includes('revision'))
})

test('one whose file is removed before all that was seen of it is archived has vanished', async (t) => {
  const { file, pass, journal, kinds } = await work(t)
  await pass()
  await rm(file)
  await pass()
  await pass()
  while ((await journal()).length === 0) await delay(50)
  while (!kinds().includes('revision')) await delay(50)
  t.like((await journal())[0], { kind: 'vanished', path: 'acct', start: 4, end: 8 })
})

test('one that was renamed, and whose new name could not be looked at for a while, has not', async (t) => {
  const { file, pass, unreadable, visit, journal, kinds } = await work(t)
  await pass()
  unreadable.add('acct.1')
  await rename(file, `${file}.1`)
  await pass()
  await pass()
  await delay(200)
  t.deepEqual(await journal(), [])
  unreadable.clear()
  await visit('acct.1')
  await delay(decidedMs)
  t.deepEqual(await journal(), [])
  t.false(kinds().includes('revision'))
})
