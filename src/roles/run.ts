/**
 * One root in one process, from its start until it is stopped.
 *
 *     listen ──▶ worker ◀── passes on a schedule      every 10 s: what waits, told
 *                  ▲                                  every minute: the feed trimmed
 *                  └── signals from the stream (role `work` only)
 *
 * Whatever the roles, a worker is embedded: what this process hears or finds, it archives itself, also while Redis is away. A pass
 * is under way at most once. A listener that lost events asks for a full pass, and gets it at once.
 *
 * Stopping: no more listening, no more passes; then a drain. Every file that is not wholly archived is visited once more, and
 * each complete line is archived whatever its age. What the time given does not suffice for, the next process finds.
 */

import { GleanerError, isGleanerError } from '../errors.ts'
import type { Watch } from '../ports/watch.ts'
import type { RootContext } from './context.ts'
import { isSameStat } from './entries.ts'
import { listen } from './listen.ts'
import type { Reconciler } from './reconcile.ts'
import { openReconciler } from './reconcile.ts'
import type { Throttle } from './throttle.ts'
import { openWaiting } from './waiting.ts'
import type { Worker } from './work.ts'
import { openWorker } from './work.ts'

const waitingEveryMs = 10_000
const trimEveryMs = 60_000
const drainLooksMax = 20_000
/** Of the directories that a pass could not read. */
const unreadTold = 10

export interface RootParts {
  context: RootContext
  roles: { listen: boolean; reconcile: boolean; work: boolean }
  inFlight: Throttle
  openWatch(): Watch
  /** Calls `run` as the configuration's schedule says, until stopped. */
  repeat(repeated: { run: () => Promise<void>; failed: (error: unknown) => void }): { stop(): Promise<void> }
}

export interface RunningRoot {
  readonly worker: Worker
  /** Stops, and drains for at most `drainMs`. Gives how many files still had work then. */
  stop(drainMs: number): Promise<number>
}

export function startRoot(parts: RootParts): RunningRoot {
  const { context, roles } = parts
  const { root, clock, telemetry } = context
  const stopping = new AbortController()
  const worker = openWorker(roles.work ? context : { ...context, signals: null }, {
    inFlight: parts.inFlight,
    listens: roles.listen,
  })
  const reconciler = openReconciler(context, worker)
  const passes = openPasses(context, reconciler)
  void learnMount(context, worker)
  void worker.run(stopping.signal)
  const repetition = roles.reconcile ? parts.repeat({ run: passes.now, failed: passes.failed }) : null
  // A cron expression may be hours away, and what changed while nobody looked should not wait for it.
  if (roles.reconcile) passes.ask()
  if (roles.listen) {
    const askFull = (): void => {
      reconciler.askFull()
      if (!stopping.signal.aborted) passes.ask()
    }
    void listen(context, { worker, openWatch: () => parts.openWatch(), askFull }, stopping.signal)
  }
  const sample = openWaiting(worker)
  void every(context, { ms: waitingEveryMs, signal: stopping.signal }, async () => {
    telemetry.waiting(root.name, sample(clock.monotonicMs()))
    await tellFeed(context, reconciler.recentForMs())
  })
  if (roles.work) void every(context, { ms: trimEveryMs, signal: stopping.signal }, () => trim(context, worker))

  return {
    worker,
    async stop(drainMs) {
      stopping.abort()
      const deadline = clock.delay(drainMs)
      await Promise.race([repetition?.stop(), deadline])
      const drained = drain(context, worker).catch((error: unknown) => {
        // A root that does not answer was told of, and has nothing that could be drained.
        if (isGleanerError(error, 'root-unavailable', 'root-stalled')) return
        telemetry.trouble(error, { root: root.name, role: 'drain' })
      })
      await Promise.race([drained, deadline])
      return worker.busy
    },
  }
}

interface Passes {
  now: () => Promise<void>
  ask: () => void
  failed: (error: unknown) => void
}

/** Passes that never overlap: whoever asks while one is under way gets that one. */
function openPasses(context: RootContext, reconciler: Reconciler): Passes {
  let underWay: Promise<void> | null = null
  const failed = (error: unknown): void =>
    context.telemetry.trouble(error, { root: context.root.name, role: 'reconcile' })
  const now = (): Promise<void> =>
    (underWay ??= reconciler
      .pass()
      .then(({ unread }) => unread.slice(0, unreadTold).forEach((directory) => failed(unreadable(directory))))
      .finally(() => {
        underWay = null
      }))
  return { now, ask: () => void now().catch(failed), failed }
}

/** For telemetry, or a report. */
export function unreadable(directory: string): GleanerError {
  const message = 'the directory cannot be read; nothing in it is collected'
  return new GleanerError('file-unreadable', { operation: 'list', subject: directory || 'the root', message })
}

/** Until the mount is known, the root counts as one that other machines write. */
async function learnMount({ files, root }: RootContext, worker: Worker): Promise<void> {
  try {
    worker.setRemote(root.remote ?? (await files.mount()).remote)
  } catch {
    // The next pass says so.
  }
}

/**
 * Archives and publishes every complete line that the files known here hold, whatever its age: at once those that are known to have some, then
 * those that a look shows to have changed since their last one, the hottest first.
 */
async function drain(context: RootContext, worker: Worker): Promise<void> {
  const { root, files } = context
  const settledMs = 2 * root.settle.readMs + 100
  worker.drain(true)
  const entries = [...worker.entries.all()].sort((a, b) => b.lastChangedMs - a.lastChangedMs)
  const known = entries.filter((entry) => !entry.quiet || (entry.stat?.size ?? 0) > entry.archived)
  for (const { path } of known) worker.signal({ path, cause: 'drain' })
  for (let at = 0; at < Math.min(entries.length, drainLooksMax); at += 1000) {
    const some = entries.slice(at, at + 1000)
    const { stats } = await files.stat(
      some.map(({ path }) => path),
      { fresh: worker.remote() },
    )
    const changed = some.filter(({ stat }, index) => stats[index] !== null && !isSameStat(stat, stats[index] ?? null))
    for (const { path } of changed) worker.signal({ path, cause: 'drain' })
  }
  await worker.caughtUp(settledMs)
}

/** Without Redis, or while it is away, this process knows of its own passes alone. */
async function tellFeed({ feed, root, node, telemetry }: RootContext, countsMs: number): Promise<void> {
  const own = countsMs > 0 ? 1 : 0
  if (!feed) return telemetry.reconcilers(root.name, own)
  try {
    telemetry.reconcilers(root.name, await feed.reconcilers(root.name, own ? { node, countsMs } : undefined))
    telemetry.feedLags(root.name, await feed.lags(root.name))
  } catch (error) {
    telemetry.reconcilers(root.name, own)
    telemetry.feedLags(root.name, null)
    // Whoever publishes or passes has said it already.
    if (!isGleanerError(error, 'redis-unreachable')) throw error
  }
}

async function trim({ feed, root }: RootContext, worker: Worker): Promise<void> {
  if (!feed) return
  const { unread } = await feed.trim(root.name, root.feed)
  if (unread === 0) return
  const at = await feed.lastSeq(root.name)
  const detail = `${unread} entries went before a consumer group had read them; raise feed.maxAge and feed.maxBytes, or replay them from the archive`
  await worker.journal.record({
    kind: 'trimmed',
    source: '',
    path: 'records',
    start: Math.max(0, at - unread),
    end: at,
    detail,
  })
}

async function every(
  context: RootContext,
  { ms, signal }: { ms: number; signal: AbortSignal },
  run: () => Promise<void>,
): Promise<void> {
  for (;;) {
    await context.clock.delay(ms, signal)
    if (signal.aborted) return
    await run().catch((error: unknown) => context.telemetry.trouble(error, { root: context.root.name, role: 'run' }))
  }
}
