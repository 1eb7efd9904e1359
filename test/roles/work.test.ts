import { appendFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import type { MemoryFeed } from '../../src/adapters/memory-feed.ts'
import type { Position } from '../../src/core/position.ts'
import { decodePosition, encodePosition } from '../../src/core/position.ts'
import { segmentKey } from '../../src/core/segment.ts'
import { GleanerError } from '../../src/errors.ts'
import type { Feed } from '../../src/ports/feed.ts'
import type { RootContext, RootSettings } from '../../src/roles/context.ts'
import type { FullPassFacts } from '../../src/roles/full-pass.ts'
import { openFullPass } from '../../src/roles/full-pass.ts'
import { listAll } from '../../src/roles/ledger.ts'
import { openReconciler } from '../../src/roles/reconcile.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import type { Worker } from '../../src/roles/work.ts'
import { openWorker } from '../../src/roles/work.ts'
import { segmentObject } from '../support/segments.ts'
import { openRoot } from '../support/root-context.ts'

/** A worker over real files, with a store and a feed in memory; `visit` signals a path and waits until it is done. */
function work(t: ExecutionContext, change: (context: RootContext) => RootContext = (context) => context) {
  const opened = openRoot(t)
  let writes = 0
  const context = change({ ...opened.context, random: () => String(writes++).padStart(32, '0') })
  const open = (): { worker: Worker; visit: (path: string) => Promise<void>; pass: () => Promise<unknown> } => {
    const worker = openWorker(context, { inFlight: openThrottle(1e8) })
    worker.setRemote(false)
    const reconciler = openReconciler(context, worker)
    return {
      worker,
      async visit(path) {
        worker.signal({ path, cause: 'test' })
        await worker.caughtUp(100)
      },
      pass: () => reconciler.pass({ full: true }),
    }
  }
  return { ...opened, open, file: (name: string) => join(opened.path, name) }
}

const settings = (context: RootContext, root: Partial<RootSettings>): RootContext => ({
  ...context,
  root: { ...context.root, ...root },
})

function records(feed: MemoryFeed): string[] {
  return feed.records('r').map(({ fields }) => ['kind', 'start', 'end'].map((name) => String(fields[name])).join(' '))
}

test('a line longer than a window, still being written behind published ones, ends its visit and is published once it is whole', async (t) => {
  const seal = { bytes: 1e9, ageMs: 1e9 }
  const { open, file, feed } = work(t, (context) =>
    settings(context, { seal, limits: { ...context.root.limits, lineBytesMax: 4 * 1024 * 1024 } }),
  )
  const { visit } = open()
  await writeFile(file('a'), 'one\n')
  await visit('a')
  await appendFile(file('a'), 'two\n')
  await visit('a')
  await appendFile(file('a'), 'x'.repeat(2_500_000))
  await visit('a')
  t.deepEqual(records(feed), ['record 0 4', 'record 4 8'])
  await appendFile(file('a'), '\n')
  await visit('a')
  t.deepEqual(records(feed), ['record 0 4', 'record 4 8', 'record 8 2500009'])
})

test('a file that was final with half a line, and grows after all, stays one source on every node', async (t) => {
  const { open, file, store } = work(t, (context) =>
    settings(context, { settle: { readMs: 1, tailMs: 1, finalMs: 50 } }),
  )
  const one = open()
  await writeFile(file('a'), 'JOB_FIN')
  await one.visit('a')
  await new Promise((resolve) => setTimeout(resolve, 60))
  await one.visit('a')
  t.is((await listAll(store, 'evidence/segments/r/')).length, 1)
  await appendFile(file('a'), 'ISH 1\nline 2\n')
  await open().visit('a')
  await one.visit('a')
  const sources = new Set((await listAll(store, 'evidence/segments/r/')).map(({ key }) => key.split('/')[3]))
  t.is(sources.size, 1)
})

test('what was archived while Redis was away is published when it is back, also of a file that is gone', async (t) => {
  let isAway = false
  const away = (feed: Feed): Feed => ({
    ...feed,
    positions: async (...given) => check() ?? feed.positions(...given),
    publish: async (...given) => check() ?? feed.publish(...given),
    epoch: async (...given) => check() ?? feed.epoch(...given),
  })
  const check = (): null => {
    if (isAway) throw new GleanerError('redis-unreachable', { operation: 'publish', subject: 'r' })
    return null
  }
  const { open, file, feed } = work(t, (context) => ({ ...context, feed: away(context.feed as Feed) }))
  const { worker, visit, pass } = open()
  await writeFile(file('a'), 'one\n')
  await visit('a')
  isAway = true
  await appendFile(file('a'), 'two\n')
  await visit('a')
  await rm(file('a'))
  await pass()
  await pass()
  isAway = false
  const stop = new AbortController()
  const running = worker.run(stop.signal)
  for (let tries = 0; tries < 50 && records(feed).length < 2; tries++)
    await new Promise((resolve) => setTimeout(resolve, 100))
  stop.abort()
  await running
  t.deepEqual(records(feed), ['record 0 4', 'record 4 8'])
})

test('since now: what was there before the first pass is not published, though it is rotated during it', async (t) => {
  const { open, file, feed } = work(t, (context) => settings(context, { feed: { ...context.root.feed, since: 'now' } }))
  const { pass, visit } = open()
  await writeFile(file('a'), 'old 1\nold 2\n')
  const passed = pass()
  await rename(file('a'), file('a.1'))
  await writeFile(file('a'), 'new 1\n')
  await passed
  await pass()
  await appendFile(file('a'), 'new 2\n')
  await visit('a')
  await visit('a.1')
  const raw = feed.records('r').map(({ fields }) => fields['raw']?.toString())
  t.false(
    raw.some((text) => text?.startsWith('old')),
    String(raw),
  )
  t.true(raw.includes('new 2\n'))
})

test('a file that replaces one which begins alike is resolved anew, and goes on as the source that it was', async (t) => {
  const { open, file, store } = work(t, (context) => settings(context, { seal: { bytes: 1, ageMs: 1 } }))
  const { visit } = open()
  await writeFile(file('acct'), 'header\nlong\n')
  await visit('acct')
  await writeFile(file('acct.1'), 'header\nto')
  await visit('acct.1')
  await writeFile(file('acct.2'), 'header\n')
  await visit('acct.2')
  const segments = async (): Promise<string[]> => (await listAll(store, 'evidence/segments/r/')).map(({ key }) => key)
  const before = await segments()
  t.is(before.length, 2, 'the short one is the beginning of both')
  await rename(file('acct'), file('acct.2'))
  await visit('acct.2')
  t.deepEqual(await segments(), before)
})

test('a position beyond the end of its file is looked into by a full pass', async (t) => {
  const { open, file, feed } = work(t, (context) => settings(context, { seal: { bytes: 1, ageMs: 1 } }))
  const { visit, pass } = open()
  await writeFile(file('acct'), 'one\n')
  await visit('acct')
  t.like(await pass(), { signalled: 0 })
  const source = String(feed.records('r')[0]?.fields['source'])
  const epoch = await feed.epoch('r')
  const [expected = null] = await feed.positions('r', [source])
  const next = encodePosition({ ...(decodePosition(expected ?? '') as Position), published: 99 })
  const batch = { source, expected, next, entries: [], announcements: [] }
  await feed.publish('r', { ...batch, epoch: epoch?.id ?? '', floorMs: epoch?.floorMs ?? 0 })
  t.like(await pass(), { signalled: 1 })
})

test('the archive is swept again and again for what a dead process left unpublished of files that are gone', async (t) => {
  const { context, open, file, feed, store } = work(t)
  const { worker, visit } = open()
  await writeFile(file('acct'), 'one\n')
  await visit('acct')
  const fullPass = openFullPass(context, worker)
  const atMs = (startedAt: number): FullPassFacts => ({
    report: { files: 1, bytes: 4 },
    startedAt,
    sizes: null,
    alone: false,
  })
  const nowMs = await store.nowMs()
  await fullPass.finish(atMs(nowMs))
  const gone = `${'a'.repeat(32)}-0`
  const { object } = segmentObject([Buffer.from('gone\n')], { source: gone, root: 'r', path: 'acct.9', family: 'acct' })
  await store.create(segmentKey('r', gone, 0), object)
  const { fullEveryMs } = context.root.reconcile
  await fullPass.finish(atMs(nowMs + fullEveryMs))
  t.deepEqual(records(feed), ['record 0 4'])
  await fullPass.finish(atMs(nowMs + 6 * fullEveryMs))
  t.deepEqual(records(feed), ['record 0 4', 'record 0 5'])
})

test('what could not be proven, and was given up, is tried again after the next full pass', async (t) => {
  let isAway = false
  const { context, open, file, store } = work(t, (given) => ({
    ...settings(given, { seal: { bytes: 1, ageMs: 1 }, settle: { ...given.root.settle, tailMs: 1 } }),
    files: {
      ...given.files,
      look: (path, request) =>
        isAway
          ? Promise.reject(new GleanerError('file-io', { operation: 'look', subject: path }))
          : given.files.look(path, request),
    },
  }))
  const { worker, visit } = open()
  await writeFile(file('acct'), 'one\n')
  await visit('acct')
  const fullPass = openFullPass(context, worker)
  const pass = async (): Promise<unknown> =>
    fullPass.finish({ report: { files: 1, bytes: 4 }, startedAt: await store.nowMs(), sizes: null, alone: false })
  const prove = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    await worker.prover.step()
    return worker.prover.provenTo(worker.entries.get('acct')?.source ?? '')
  }
  await pass()
  isAway = true
  t.is(await prove(), 0)
  t.is(worker.prover.waiting, 0)
  isAway = false
  await pass()
  t.is(await prove(), 4)
})
