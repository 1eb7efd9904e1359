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
import { inotifyCause, type Signal } from '../ports/signals.ts'
import type { RootContext } from './context.ts'
import { openDebts, publishArchived } from './debts.ts'
import type { Entries } from './entries.ts'
import { openEntries } from './entries.ts'
import type { EpochKeeper } from './epoch.ts'
import { openEpochKeeper } from './epoch.ts'
import { openFit } from './fit.ts'
import type { Journal } from './journal.ts'
import { openJournal } from './journal.ts'
import type { Ledger } from './ledger.ts'
import type { Left } from './left.ts'
import { openLeft } from './left.ts'
import { headTrustedMs, openLedger } from './ledger.ts'
import type { PathQueue } from './path-queue.ts'
import { openPathQueue } from './path-queue.ts'
import type { Prover } from './prove.ts'
import { openProver } from './prove.ts'
import type { Publisher } from './publish.ts'
import { openPublisher } from './publish.ts'
import type { Throttle } from './throttle.ts'
import type { VisitParts } from './visit.ts'
import { visit } from './visit.ts'

const visitsAtOnce = 16
const receivedMax = 1000
const backoffMs = [200, 1000, 5000]
/**
 * A root where the reconciler found so many changes, and one for every ten that inotify told of, is one where inotify is blind to other
 * writers: what this node itself writes is heard all the same.
 */
const blindAfter = 5
const blindShare = 10

/** Of one round: what is asked for at once, and what is owed, must not wait for all that is ripe. */
const tendMsMax = 10_000

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
  /** Publishes from the archive what lies between position and head, of a source whose file need not exist; later, if not now. */
  catchUp(source: string): Promise<void>
  /** No path is this source any more, though up to `seen` of it was seen and less is archived: decided about once it has settled. */
  left: Left['add']
  /** Archives whatever is complete from now on, whatever its age. */
  drain(on: boolean): void
  /**
   * Once: publishes what is owed, proves what is ripe until then (monotonic), and decides about what was left. Gives how long until the next
   * proof is ripe, or null. Never rejects.
   */
  tend(untilMs?: number): Promise<number | null>
  /** Whether other machines write this root. */
  remote(): boolean
  setRemote(remote: boolean): void
  /** Takes signals from the stream, proves, and publishes what is owed, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>
}

/** What is asked of a visit. */
interface Asked {
  /** This node's own listener asks. */
  local: boolean
  /** Archive what is complete, whatever its age. */
  drain: boolean
  /** The file is said to be at least this long. */
  size: number
  failures: number
}

interface Working {
  context: RootContext
  parts: VisitParts
  prover: Prover
  left: Left
  epochs: EpochKeeper | null
  queue: PathQueue<Asked>
  state: { remote: boolean; draining: boolean }
}

export interface WorkerOptions {
  inFlight: Throttle
  /** This process listens to the root as well: what its node's listeners send to others, it has heard itself. */
  listens?: boolean
  /** How long a head may be built on without asking the store; only simulated time is shorter. */
  headTrustedMs?: number
}

export function openWorker(context: RootContext, shared: WorkerOptions): Worker {
  const { root, telemetry } = context
  const working = openWorking(context, shared)
  const { parts, prover, left, epochs, queue, state } = working
  const { entries, ledger, journal, publisher } = parts
  const heard = { inotify: 0, reconcile: 0 }
  const signal: Worker['signal'] = ({ path, size }, options = {}) => {
    if (!isInside(path) || !root.includes(path)) return
    queue.add(path, { local: options.local ?? false, size: size ?? 0, failures: 0, drain: false })
  }
  return {
    entries,
    ledger,
    publisher,
    epochs,
    journal,
    prover,
    signal,
    saw(by) {
      heard[by]++
      telemetry.change(root.name, by)
      const isBlind = heard.reconcile >= Math.max(blindAfter, heard.inotify / blindShare)
      telemetry.rootBlind(root.name, isBlind)
    },
    get busy() {
      return queue.busy
    },
    caughtUp: (withinMs) => queue.caughtUp(withinMs),
    async catchUp(source) {
      if (publisher && !(await publishArchived({ publisher, ledger }, source, { disown: false })))
        parts.debts.add(source)
    },
    left: (source, seen) => left.add(source, seen),
    drain(on) {
      state.draining = on
    },
    tend: (untilMs) => tend(working, untilMs),
    remote: () => state.remote,
    setRemote(value) {
      state.remote = value
    },
    async run(stop) {
      const isOwn = ({ node, cause }: Signal): boolean =>
        shared.listens === true && node === context.node && cause === inotifyCause
      const taken = (one: Signal): void => void (isOwn(one) || signal(one))
      await Promise.all([receive(working, { signal: taken, stop }), tendForEver(working, stop)])
    },
  }
}

function openWorking(context: RootContext, shared: WorkerOptions): Working {
  const { inFlight } = shared
  const { root, clock, store, feed } = context
  const state = { remote: root.remote ?? true, draining: false }
  const left: Left = openLeft(context, () => ({ ...parts, remote: () => state.remote }))
  const entries = openEntries(
    (path) => familyOf(path, root.family),
    (source, seen) => left.add(source, seen),
  )
  const ledger = openLedger(store, root.name, { clock, headTrustedMs: shared.headTrustedMs ?? headTrustedMs })
  const journal = openJournal(context)
  const epochs = feed ? openEpochKeeper(context, feed) : null
  const publisher = feed && epochs ? openPublisher(context, { feed, ledger, epochs }) : null
  const paced = (bytes: number): Promise<void> => clock.delay((bytes / root.limits.proveBytesPerSecond) * 1000)
  const prover = openProver(context, { ledger, entries, journal, publisher, paced, remote: () => state.remote })
  const parts: VisitParts = {
    ledger,
    entries,
    journal,
    publisher,
    inFlight,
    debts: openDebts(),
    fit: openFit(root, { ledger, journal }),
    prove: (path, marks, options) => prover.add(path, marks, options),
    isProving: (source) => prover.isProving(source),
    visitFirst: (path) => working.queue.add(path, { local: false, size: 0, failures: 0, drain: true }),
  }
  const queue = openPathQueue<Asked>({
    clock,
    atOnce: visitsAtOnce,
    merge: (one, other) => ({
      local: one.local || other.local,
      drain: one.drain || other.drain,
      size: Math.max(one.size, other.size),
      failures: Math.max(one.failures, other.failures),
    }),
    run: (path, asked) => visitPath(working, path, asked),
  })
  const working: Working = { context, parts, prover, left, epochs, queue, state }
  return working
}

/** Gives when it comes back, as a visit does. Never rejects. */
async function visitPath(working: Working, path: string, asked: Asked): Promise<number | null> {
  const { context, parts, queue, state } = working
  const entry = parts.entries.at(path)
  if (asked.size > 0 && isDone(parts, path, asked.size)) return null
  if (asked.size > (entry.stat?.size ?? 0)) {
    entry.expected = { size: asked.size, untilMs: context.clock.monotonicMs() + context.root.settle.tailMs }
  }
  try {
    const reason = { local: asked.local, drain: state.draining || asked.drain }
    const { againMs } = await visit(context, parts, { entry, reason, remote: state.remote })
    // What comes later may have been written elsewhere: only the visit that a listener asked for trusts its page cache.
    const next = { local: false, drain: asked.drain && againMs === 0, size: 0, failures: 0 }
    if (againMs === 0) queue.add(path, next)
    else if (againMs !== null) queue.later(path, againMs, next)
    return againMs
  } catch (error) {
    failed(working, { path, asked, error })
    return null
  }
}

/** The look may be skipped only if the signal's size is both position and head. */
function isDone({ entries, ledger, publisher }: VisitParts, path: string, size: number): boolean {
  const entry = entries.get(path)
  const source = entry?.source ?? null
  if (!entry?.quiet || source === null || entry.stat?.size !== size) return false
  return ledger.known(source)?.end === size && (publisher === null || publisher.cached(source)?.published === size)
}

function failed(working: Working, { path, asked, error }: { path: string; asked: Asked; error: unknown }): void {
  const { context, parts, epochs, queue } = working
  const { root, telemetry } = context
  parts.entries.at(path).quiet = false
  if (isGleanerError(error, 'file-gone')) {
    // A name that never was a file here (a forged or late signal) is not remembered.
    if (parts.entries.get(path)?.stat === null) parts.entries.delete(path)
    return
  }
  if (isGleanerError(error, 'root-unavailable', 'root-stalled')) {
    telemetry.rootUp(root.name, false, error.message)
    return
  }
  if (isGleanerError(error, 'file-unreadable', 'file-not-regular', 'file-outside', 'file-torn')) {
    tellFile(working, { path, kind: error.code === 'file-torn' ? 'torn' : 'unreadable', detail: error.message })
    return
  }
  if (isGleanerError(error) && error.code.startsWith('redis-')) epochs?.forget()
  if (!isGleanerError(error, 'file-changed')) telemetry.trouble(error, { root: root.name, path })
  queue.later(path, backoffMs[asked.failures] ?? 5000, { ...asked, failures: asked.failures + 1 })
}

/** A file that stays unreadable or torn for `settle.tail` is an anomaly. */
function tellFile(
  { context, parts }: Working,
  { path, kind, detail }: { path: string; kind: 'torn' | 'unreadable'; detail: string },
): void {
  const entry = parts.entries.at(path)
  const nowMs = context.clock.monotonicMs()
  entry.blurredSinceMs ??= nowMs
  if (nowMs - entry.blurredSinceMs < context.root.settle.tailMs) return
  void parts.journal.record({ kind, source: entry.source ?? '', path, start: 0, end: 0, detail })
}

async function receive(
  { context, queue }: Working,
  { signal, stop }: { signal: Worker['signal']; stop: AbortSignal },
): Promise<void> {
  const { root, signals, clock, telemetry } = context
  if (!signals) return
  while (!stop.aborted) {
    try {
      const room = Math.max(1, receivedMax - queue.busy)
      for (const one of await signals.receive(root.name, room)) signal(one)
      if (queue.busy >= receivedMax) await clock.delay(50, stop)
    } catch (error) {
      if (stop.aborted) return
      telemetry.trouble(error, { root: root.name, role: 'work' })
      await clock.delay(1000, stop)
    }
  }
}

async function tendForEver(working: Working, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const { clock } = working.context
    const nextMs = await tend(working, clock.monotonicMs() + tendMsMax)
    await clock.delay(Math.min(nextMs ?? 1000, 1000), stop)
  }
}

async function tend({ context, prover, left, parts }: Working, untilMs?: number): Promise<number | null> {
  const { root, telemetry } = context
  if (parts.publisher) await parts.debts.settle(parts.publisher, parts.ledger)
  const trouble = (error: unknown): null => {
    if (!isGleanerError(error, 'root-unavailable', 'root-stalled'))
      telemetry.trouble(error, { root: root.name, role: 'prove' })
    return null
  }
  const nextMs = await prover.step(untilMs).catch(trouble)
  await left.step().catch(trouble)
  return nextMs
}
