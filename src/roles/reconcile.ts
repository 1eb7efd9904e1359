/**
 * The reconciler of one root: walks it, compares every file with its archived head and the head with the position, and hands what differs to
 * the worker. It is what finds the changes that inotify cannot see, and the retry for everything that was lost on the way.
 *
 *   lease ─ mount ─ list ─ stat what is due ─ compare ─ signal ─ who is gone ─┬─ (full) first positions, proving, sweep, floor
 *                                                                            └─ report
 *
 * A pass lists every directory but stats only the files that the schedule says are due; a full one stats all. Metadata calls are taken
 * from a budget. The lease lets one node pass at a time; a coordinator that errors means run, not skip.
 */

import type { Budget } from '../core/schedule.ts'
import { isFullDue, openBudget, takeTokens, worstDetectionMs } from '../core/schedule.ts'
import { isGleanerError } from '../errors.ts'
import { loadCatalog } from './catalog.ts'
import type { RootContext } from './context.ts'
import { openFullPass } from './full-pass.ts'
import { dropMissing } from './gone.ts'
import type { Pass, PassReport, Places } from './pass.ts'
import { walkPass } from './pass.ts'
import type { Worker } from './work.ts'

/** A full pass counts as recent for so many times `fullEvery`. */
const passesCounted = 3

export interface PassOptions {
  full: boolean
  /** Pass without the lease: for `gleaner reconcile`. */
  alone: boolean
}

export interface Reconciler {
  /** One pass. `ran: false` if another node holds the lease, or the root does not answer. Throws what is no fault of the root. */
  pass(options?: Partial<PassOptions>): Promise<PassReport>
  /** Keeps what became known since the last full pass, of whatever that saw. Nothing where none was made. */
  keep(): Promise<void>
  /** Asks for the next pass to be a full one: events were lost. */
  askFull(): void
  /** For how long from now this process's last full pass counts as recent, ms; 0: it made none lately. */
  recentForMs(): number
}

export function openReconciler(context: RootContext, worker: Worker): Reconciler {
  const { root, clock, telemetry } = context
  const holder = `${context.node}:${context.random().slice(0, 8)}`
  const policy = { everyMs: root.reconcile.everyMs, fullEveryMs: root.reconcile.fullEveryMs }
  const fullPass = openFullPass(context, worker)
  let lastFullMs: number | null = null
  let lastPassMs: number | null = null
  let recentUntilMs = 0
  let longestMs = 0
  let number = 0
  let places: Places = new Map()

  const spend = openSpending(context)
  const historyOf = openHistory(context)

  const pass: Reconciler['pass'] = async (options = {}) => {
    const report: PassReport = { ran: false, files: 0, bytes: 0, signalled: 0, unread: [] }
    const startMs = clock.monotonicMs()
    if (!(await isMounted(context, worker))) return report
    if (!options.alone && !(await mayPass(context, holder))) return report
    const full = options.full ?? isFullDue(lastFullMs, startMs, policy)
    const history = await historyOf()
    const one: Pass = {
      context,
      worker,
      number: ++number,
      full,
      withPositions: full || history.isLost,
      remote: worker.remote(),
      nowMs: startMs,
      spend,
      report,
      sizes: full && history.isNew ? new Map() : null,
    }
    if (lastPassMs === null) await loadCatalog(context, worker)
    const startedAt = await context.store.nowMs().catch(() => null)
    try {
      places = await walkPass(one, places)
      await endWalk(one)
      const isDone =
        !full || (await fullPass.finish({ report, startedAt, sizes: one.sizes, alone: options.alone ?? false }))
      if (full) lastFullMs = isDone ? startMs : startMs - 0.9 * policy.fullEveryMs
      if (full) await notePass(context, (recentUntilMs = clock.monotonicMs() + passesCounted * policy.fullEveryMs))
    } catch (error) {
      if (!isGleanerError(error, 'root-unavailable', 'root-stalled')) throw error
      telemetry.rootUp(root.name, false, error.message)
      return report
    }
    lastPassMs = clock.monotonicMs()
    longestMs = Math.max(lastPassMs - startMs, full ? 0 : longestMs)
    tellPass(context, { full, report, ms: lastPassMs - startMs, longestMs })
    return { ...report, ran: true }
  }

  return {
    pass,
    keep: () => fullPass.keep(),
    askFull() {
      lastFullMs = null
    },
    recentForMs: () => Math.max(0, recentUntilMs - clock.monotonicMs()),
  }
}

/** Where Redis cannot be told, this process's own word has to do (roles/run.ts). */
async function notePass({ root, node, clock, feed }: RootContext, untilMs: number): Promise<void> {
  await feed?.reconcilers(root.name, { node, countsMs: untilMs - clock.monotonicMs() }).catch(() => undefined)
}

/** Who is gone is judged only while the root is still there. It is up then, however long the work that was found takes. */
async function endWalk(one: Pass): Promise<void> {
  const { files, telemetry, root } = one.context
  await files.mount()
  await dropMissing(one)
  telemetry.rootUp(root.name, true)
}

function tellPass(
  { root, telemetry }: RootContext,
  { full, report, ms, longestMs }: { full: boolean; report: PassReport; ms: number; longestMs: number },
): void {
  const { everyMs, fullEveryMs, metadataPerSecondMax } = root.reconcile
  const { files, signalled } = report
  const worstMs = worstDetectionMs({ everyMs, fullEveryMs }, { files, metadataPerSecondMax, passMs: longestMs })
  telemetry.pass(root.name, { full, files, signalled, ms, worstDetectionMs: worstMs })
}

/**
 * `isLost`: whether Redis has another history than at the last pass, or fewer entries than it had: then positions that were reached may be
 * lost. A path is left quiet only once its source was seen published, so nothing else can put a position behind. `isNew`: whether it
 * has no positions yet that count.
 */
function openHistory({ feed, root }: RootContext): () => Promise<{ isLost: boolean; isNew: boolean }> {
  let before = { id: '', seq: 0 }
  return async () => {
    if (!feed) return { isLost: false, isNew: false }
    try {
      const epoch = await feed.epoch(root.name)
      const now = { id: epoch?.id ?? '', seq: await feed.lastSeq(root.name) }
      const isLost = now.id !== before.id || now.seq < before.seq
      before = now
      return { isLost, isNew: epoch?.state !== 'open' }
    } catch (error) {
      if (!isGleanerError(error)) throw error
      before = { id: '', seq: 0 }
      return { isLost: false, isNew: true }
    }
  }
}

/** Waits until so many metadata calls may be made. */
function openSpending({ root, clock, telemetry }: RootContext): (calls: number) => Promise<void> {
  const ratePerSecond = root.reconcile.metadataPerSecondMax
  let budget: Budget = openBudget(clock.monotonicMs(), ratePerSecond)
  return async (calls) => {
    for (let left = calls; left > 0; ) {
      const granted = takeTokens(budget, { nowMs: clock.monotonicMs(), ratePerSecond, wanted: left })
      budget = granted.budget
      left -= granted.taken
      if (granted.waitMs > 0) await clock.delay(granted.waitMs)
    }
    telemetry.metadataCalls(root.name, calls)
  }
}

/** Learns what is mounted; false where the root does not answer. */
async function isMounted({ root, files, telemetry }: RootContext, worker: Worker): Promise<boolean> {
  try {
    const mount = await files.mount()
    worker.setRemote(root.remote ?? mount.remote)
    return true
  } catch (error) {
    if (!isGleanerError(error, 'root-unavailable', 'root-stalled')) throw error
    telemetry.rootUp(root.name, false, error.message)
    return false
  }
}

/** A coordinator that errors means run, not skip. */
async function mayPass(context: RootContext, holder: string): Promise<boolean> {
  if (!context.feed) return true
  const { root } = context
  const ttlMs = Math.max(5000, 3 * root.reconcile.everyMs)
  return context.feed.lease(root.name, holder, ttlMs).catch(() => true)
}
