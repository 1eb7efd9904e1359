/**
 * The worker of one root. It takes signals, from this process and from the root's stream, and visits the paths they name.
 *
 * A signal is a hint, and may be lost, doubled, late or forged: it is taken without acknowledgement, checked to name a file that this
 * root collects, and coalesced with others for the same path. What a visit decides, it decides from one look and from the archive; the
 * conditional create of a segment (segments.ts) and the compare-and-set of a position (publish.ts) are what make it exactly once,
 * whoever else works on the same files. A visit that fails is made again later; the reconciler's next pass is the retry that always comes.
 *
 *   409, 5xx, reset, time-out   the key is read back (commit.ts)
 *   412                         the segment that stands is read and compared (segments.ts)
 *   file gone, changed          nothing: the next pass resolves the path again
 *   root stalled, unavailable   nothing is concluded; visits resume when it answers
 *   store or Redis away         backed off, at most 5 s; the other one goes on
 */

import { familyOf } from '../core/family.ts'
import { isInside } from '../core/path.ts'
import { isGleanerError } from '../errors.ts'
import type { Signal } from '../ports/signals.ts'
import type { RootContext } from './context.ts'
import type { Entries } from './entries.ts'
import { openEntries } from './entries.ts'
import type { EpochKeeper } from './epoch.ts'
import { openEpochKeeper } from './epoch.ts'
import type { Journal } from './journal.ts'
import { openJournal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import { openLedger } from './ledger.ts'
import type { Prover } from './prove.ts'
import { openProver } from './prove.ts'
import type { Publisher } from './publish.ts'
import { openPublisher } from './publish.ts'
import type { Throttle } from './throttle.ts'
import type { VisitParts } from './visit.ts'
import { visit } from './visit.ts'

const visitsAtOnce = 16
const timersMax = 20_000
const visitsAwaited = 4
/** A visit due later than this is left to the next pass. */
const timerMsMax = 5000
const backoffMs = [200, 1000, 5000]
/** A root where so many changes were found by the reconciler and none by inotify is one where inotify is blind. */
const blindAfter = 5

export interface Worker {
  readonly entries: Entries
  readonly ledger: Ledger
  readonly publisher: Publisher | null
  readonly epochs: EpochKeeper | null
  readonly journal: Journal
  readonly prover: Prover
  /** Visits the path soon. Signals for a path that waits are merged. */
  signal(signal: Signal, options?: { local?: boolean }): void
  /** Counts which way a change was heard of first. */
  saw(by: 'inotify' | 'reconcile'): void
  /** How many paths wait or are being visited. */
  readonly busy: number
  /**
   * Resolves when every path that has work now, or will within `withinMs`, was visited until nothing was left for so soon (or a
   * few times, where files keep growing or fail).
   */
  caughtUp(withinMs: number): Promise<void>
  /** Publishes from the archive what lies between position and head, of a source whose file need not exist. */
  catchUp(source: string): Promise<void>
  /** Archives whatever is complete from now on, whatever its age. */
  drain(on: boolean): void
  /** Whether other machines write this root. */
  remote(): boolean
  setRemote(remote: boolean): void
  /** Takes signals from the stream and proves, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

interface Waiter {
  /** Paths still to be visited, each with how many more visits are awaited at most. */
  paths: Map<string, number>
  withinMs: number
  resolve(): void
}

interface Pending {
  local: boolean
  /** Archive what is complete, whatever its age. */
  drain: boolean
  size: number
  failures: number
}

export function openWorker(context: RootContext, shared: { inFlight: Throttle }): Worker {
  const { root, clock, telemetry } = context
  const entries = openEntries((path) => familyOf(path, root.family))
  const ledger = openLedger(context.store, root.name)
  const journal = openJournal(context)
  const epochs = context.feed ? openEpochKeeper(context, context.feed) : null
  const publisher = context.feed && epochs ? openPublisher(context, { feed: context.feed, ledger, epochs }) : null
  let remote = root.remote ?? true
  let draining = false
  const heard = { inotify: 0, reconcile: 0 }

  const prover = openProver(context, {
    ledger,
    entries,
    journal,
    publisher,
    remote: () => remote,
    paced: (bytes) => clock.delay((bytes / root.limits.proveBytesPerSecond) * 1000),
  })
  const parts: VisitParts = {
    ledger,
    entries,
    journal,
    publisher,
    inFlight: shared.inFlight,
    prove: (path, marks, options) => prover.add(path, marks, options),
    isProving: (source) => prover.isProving(source),
    visitFirst: (path) => enqueue(path, { local: false, size: 0, failures: 0, drain: true }),
  }

  const pending = new Map<string, Pending>()
  const running = new Map<string, Pending | null>()
  const timers = new Map<string, number>()
  let waiters: Waiter[] = []

  /** A waiter waits for each path that had work when it came: until a visit leaves nothing for soon, or some visits did. */
  const tellWaiters = (path: string, againMs: number | null): void => {
    if (againMs === 0) return
    for (const waiter of waiters) {
      const left = waiter.paths.get(path)
      if (left === undefined) continue
      const isSoon = pending.has(path) || (timers.get(path) ?? Number.POSITIVE_INFINITY) - clock.monotonicMs() <= waiter.withinMs
      if (isSoon && left > 1) waiter.paths.set(path, left - 1)
      else waiter.paths.delete(path)
    }
    const ready = waiters.filter((waiter) => waiter.paths.size === 0)
    if (ready.length === 0) return
    waiters = waiters.filter((waiter) => waiter.paths.size > 0)
    for (const waiter of ready) waiter.resolve()
  }

  const enqueue = (path: string, add: Pending): void => {
    const before = running.has(path) ? running.get(path) : pending.get(path)
    const merged = {
      local: add.local || (before?.local ?? false),
      drain: add.drain || (before?.drain ?? false),
      size: Math.max(add.size, before?.size ?? 0),
      failures: Math.max(add.failures, before?.failures ?? 0),
    }
    if (running.has(path)) running.set(path, merged)
    else pending.set(path, merged)
    pump()
  }

  const later = (path: string, ms: number, add: Pending): void => {
    const at = clock.monotonicMs() + ms
    if (ms > timerMsMax || timers.size >= timersMax || (timers.get(path) ?? Number.POSITIVE_INFINITY) <= at) return
    timers.set(path, at)
    void clock.delay(ms).then(() => {
      if (timers.get(path) !== at) return
      timers.delete(path)
      enqueue(path, add)
    })
  }

  const pump = (): void => {
    for (const [path, work] of pending) {
      if (running.size >= visitsAtOnce) return
      pending.delete(path)
      running.set(path, null)
      void visitPath(path, work).then((againMs) => {
        const again = running.get(path)
        running.delete(path)
        if (again) pending.set(path, again)
        tellWaiters(path, againMs)
        pump()
      })
    }
  }

  /** Gives when it comes back, as a visit does. Never rejects. */
  const visitPath = async (path: string, work: Pending): Promise<number | null> => {
    const entry = entries.at(path)
    if (work.size > 0 && isDone(path, work.size)) return null
    if (work.size > (entry.stat?.size ?? 0)) entry.expected = { size: work.size, untilMs: clock.monotonicMs() + root.settle.tailMs }
    try {
      const reason = { local: work.local, drain: draining || work.drain }
      const { againMs } = await visit(context, parts, { entry, reason, remote })
      // What comes later may have been written elsewhere: only the visit that a listener asked for trusts its page cache.
      const next = { local: false, drain: work.drain && againMs === 0, size: 0, failures: 0 }
      if (againMs === 0) enqueue(path, next)
      else if (againMs !== null) later(path, againMs, next)
      return againMs
    } catch (error) {
      failed(path, work, error)
      return null
    }
  }

  /** The look may be skipped only if the signal's size is both position and head. */
  const isDone = (path: string, size: number): boolean => {
    const entry = entries.get(path)
    const source = entry?.source ?? null
    if (!entry?.quiet || source === null || entry.stat?.size !== size) return false
    return ledger.known(source)?.end === size && (publisher === null || publisher.cached(source)?.published === size)
  }

  const failed = (path: string, work: Pending, error: unknown): void => {
    const entry = entries.at(path)
    entry.quiet = false
    if (isGleanerError(error, 'file-gone')) return
    if (isGleanerError(error, 'root-unavailable', 'root-stalled')) {
      telemetry.rootUp(root.name, false, error.message)
      return
    }
    if (isGleanerError(error) && error.code.startsWith('redis-')) epochs?.forget()
    if (isGleanerError(error, 'file-unreadable', 'file-not-regular', 'file-outside', 'file-torn')) {
      tellFile(path, error.code === 'file-torn' ? 'torn' : 'unreadable', error.message)
      return
    }
    if (!isGleanerError(error, 'file-changed')) telemetry.trouble(error, { root: root.name, path })
    later(path, backoffMs[work.failures] ?? 5000, { ...work, failures: work.failures + 1 })
  }

  /** A file that stays unreadable or torn for `settle.tail` is an anomaly. */
  const tellFile = (path: string, kind: 'torn' | 'unreadable', detail: string): void => {
    const entry = entries.at(path)
    entry.blurredSinceMs ??= clock.monotonicMs()
    if (clock.monotonicMs() - entry.blurredSinceMs < root.settle.tailMs) return
    void journal.record({ kind, source: entry.source ?? '', path, start: 0, end: 0, detail })
  }

  const receive = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted && context.signals) {
      try {
        const room = Math.max(1, 1000 - pending.size)
        for (const one of await context.signals.receive(root.name, room)) worker.signal(one)
        if (pending.size >= 1000) await clock.delay(50, signal)
      } catch (error) {
        if (signal.aborted) return
        telemetry.trouble(error, { root: root.name, role: 'work' })
        await clock.delay(1000, signal)
      }
    }
  }

  const proveForEver = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const nextMs = await prover.step().catch((error: unknown) => {
        if (!isGleanerError(error, 'root-unavailable', 'root-stalled')) telemetry.trouble(error, { root: root.name, role: 'prove' })
        return null
      })
      await clock.delay(Math.min(nextMs ?? 1000, 1000), signal)
    }
  }

  const worker: Worker = {
    entries,
    ledger,
    publisher,
    epochs,
    journal,
    prover,
    signal({ path, size }, options = {}) {
      if (!isInside(path) || !root.includes(path)) return
      enqueue(path, { local: options.local ?? false, size: size ?? 0, failures: 0, drain: false })
    },
    saw(by) {
      heard[by]++
      telemetry.change(root.name, by)
      telemetry.rootBlind(root.name, heard.inotify === 0 && heard.reconcile >= blindAfter)
    },
    get busy() {
      return pending.size + running.size
    },
    caughtUp: (withinMs) =>
      new Promise((resolve) => {
        const soon = [...timers].filter(([, at]) => at - clock.monotonicMs() <= withinMs).map(([path]) => path)
        const paths = new Map([...pending.keys(), ...running.keys(), ...soon].map((path) => [path, visitsAwaited]))
        if (paths.size === 0) resolve()
        else waiters.push({ paths, withinMs, resolve })
      }),
    async catchUp(source) {
      const head = await ledger.last(source)
      if (head && publisher) await publisher.publish({ source, path: head.path, family: head.family, head, ahead: null, disowned: false })
    },
    drain(on) {
      draining = on
    },
    remote: () => remote,
    setRemote(value) {
      remote = value
    },
    async run(signal) {
      await Promise.all([receive(signal), proveForEver(signal)])
    },
  }
  return worker
}
