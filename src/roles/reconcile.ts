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
import { isDue, isFullDue, openBudget, takeTokens, worstDetectionMs } from '../core/schedule.ts'
import { decodePosition } from '../core/position.ts'
import { isGleanerError } from '../errors.ts'
import type { FileStat } from '../ports/files.ts'
import { loadCatalog } from './catalog.ts'
import type { RootContext } from './context.ts'
import type { Entry } from './entries.ts'
import { isSameStat } from './entries.ts'
import type { Seen } from './full-pass.ts'
import { openFullPass } from './full-pass.ts'
import { tellVanished } from './left.ts'
import type { Worker } from './work.ts'

const directoriesAtOnce = 64
const filesAtOnce = 1000
/** The worker's queue is let run down to this before more is signalled. */
const backlogMax = 5000
const missesBeforeGone = 2

export interface PassOptions {
  full: boolean
  /** Pass without the lease: for `gleaner reconcile`. */
  alone: boolean
}

export interface PassReport {
  ran: boolean
  files: number
  bytes: number
  signalled: number
  /** Directories that may not be read: nothing in them was looked at. */
  unread: string[]
}

export interface Reconciler {
  /** One pass. `ran: false` if another node holds the lease, or the root does not answer. Throws what is no fault of the root. */
  pass(options?: Partial<PassOptions>): Promise<PassReport>
  /** Asks for the next pass to be a full one: events were lost. */
  askFull(): void
  readonly lastPassMs: number | null
}

interface Pass {
  context: RootContext
  worker: Worker
  full: boolean
  /** Heads are compared with positions: in a full pass, and where Redis may have lost some. */
  withPositions: boolean
  remote: boolean
  nowMs: number
  spend: (calls: number) => Promise<void>
  report: PassReport
  /** Every file listed, with its size where this pass asked for it. */
  seen: Map<string, Seen>
  /** Directories whose contents could not be told: nothing in them is gone. */
  unread: string[]
}

export function openReconciler(context: RootContext, worker: Worker): Reconciler {
  const { root, clock, telemetry } = context
  const holder = `${context.node}:${context.random().slice(0, 8)}`
  const policy = { everyMs: root.reconcile.everyMs, fullEveryMs: root.reconcile.fullEveryMs }
  const finishFullPass = openFullPass(context, worker)
  let lastFullMs: number | null = null
  let lastPassMs: number | null = null
  let longestMs = 0

  const spend = openSpending(context)
  const hasLost = openHistory(context)

  const pass: Reconciler['pass'] = async (options = {}) => {
    const report: PassReport = { ran: false, files: 0, bytes: 0, signalled: 0, unread: [] }
    const startMs = clock.monotonicMs()
    if (!(await isMounted(context, worker))) return report
    if (!options.alone && !(await mayPass(context, holder))) return report
    const full = options.full ?? isFullDue(lastFullMs, startMs, policy)
    const isLost = await hasLost()
    const one: Pass = {
      context,
      worker,
      full,
      withPositions: full || isLost,
      remote: worker.remote(),
      nowMs: startMs,
      spend,
      report,
      seen: new Map(),
      unread: report.unread,
    }
    if (lastPassMs === null) await loadCatalog(context, worker)
    const startedAt = await context.store.nowMs().catch(() => null)
    try {
      await walk(one)
      await context.files.mount()
      await dropMissing(one)
      const isDone =
        !full || (await finishFullPass({ report, startedAt, sizes: one.seen, alone: options.alone ?? false }))
      if (full) lastFullMs = isDone ? startMs : startMs - 0.9 * policy.fullEveryMs
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
    askFull() {
      lastFullMs = null
    },
    get lastPassMs() {
      return lastPassMs
    },
  }
}

function tellPass(
  { root, telemetry }: RootContext,
  { full, report, ms, longestMs }: { full: boolean; report: PassReport; ms: number; longestMs: number },
): void {
  const { everyMs, fullEveryMs, metadataPerSecondMax } = root.reconcile
  const { files, signalled } = report
  const worstMs = worstDetectionMs({ everyMs, fullEveryMs }, { files, metadataPerSecondMax, passMs: longestMs })
  telemetry.rootUp(root.name, true)
  telemetry.pass(root.name, { full, files, signalled, ms, worstDetectionMs: worstMs })
}

/**
 * Whether Redis has another history than at the last pass, or fewer entries than it had: then positions that were reached may be lost. A
 * path is left quiet only once its source was seen published, so nothing else can put a position behind.
 */
function openHistory({ feed, root }: RootContext): () => Promise<boolean> {
  let before = { id: '', seq: 0 }
  return async () => {
    if (!feed) return false
    try {
      const now = { id: (await feed.epoch(root.name))?.id ?? '', seq: await feed.lastSeq(root.name) }
      const isLost = now.id !== before.id || now.seq < before.seq
      before = now
      return isLost
    } catch (error) {
      if (!isGleanerError(error)) throw error
      before = { id: '', seq: 0 }
      return false
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

async function walk(one: Pass): Promise<void> {
  const { context, spend } = one
  const due: string[] = []
  const waiting = ['']
  while (waiting.length > 0) {
    const batch = waiting.splice(0, directoriesAtOnce)
    await spend(batch.length)
    for (const listing of await context.files.list(batch)) {
      if (listing.error !== undefined) one.unread.push(listing.directory)
      waiting.push(...listing.directories)
      for (const path of listing.files) {
        // Only what is collected has an entry: matching every name against the globs would cost more than asking the filesystem.
        if (!one.worker.entries.get(path) && !context.root.includes(path)) continue
        one.report.files++
        one.seen.set(path, { size: 0, ino: 0n })
        if (isPathDue(one, path)) due.push(path)
      }
      while (due.length >= filesAtOnce) await compare(one, due.splice(0, filesAtOnce))
    }
  }
  await compare(one, due)
}

function isPathDue({ context, worker, nowMs, full }: Pass, path: string): boolean {
  const entry = worker.entries.get(path)
  if (!entry?.stat || !entry.quiet || entry.revisitMs <= nowMs) return true
  const { everyMs, fullEveryMs } = context.root.reconcile
  return isDue(
    { lastChangedMs: entry.changedMs, lastLookedMs: entry.lookedMs },
    { nowMs, full },
    { everyMs, fullEveryMs },
  )
}

/** Sizes against heads, heads against positions. */
async function compare(one: Pass, paths: string[]): Promise<void> {
  if (paths.length === 0) return
  const { context, worker, report, spend } = one
  await spend(paths.length)
  const { stats, errors } = await context.files.stat(paths, { fresh: one.remote })
  const entries = paths.map((path) => worker.entries.get(path))
  const published = one.withPositions ? await publishedOf(context, worker, entries) : []
  for (const [index, path] of paths.entries()) {
    const stat = stats[index]
    // What cannot be told by a stat is visited, which says why.
    if (!stat && errors > 0) worker.signal({ path, cause: 'reconcile' })
    if (!stat) continue
    report.bytes += stat.size
    one.seen.set(path, { size: stat.size, ino: stat.ino })
    if (isUnchanged(one, { stat, entry: entries[index], published: published[index] ?? null })) continue
    report.signalled++
    worker.signal({ path, cause: 'reconcile' })
  }
  while (worker.busy > backlogMax) await context.clock.delay(20)
}

function isUnchanged(
  one: Pass,
  { stat, entry, published }: { stat: FileStat; entry: Entry | undefined; published: number | null },
): boolean {
  if (!entry?.stat) return false
  entry.missed = 0
  const same = isSameStat(entry.stat, stat)
  if (!same && entry.quiet) one.worker.saw('reconcile')
  if (!same || !entry.quiet || entry.revisitMs <= one.nowMs) return false
  entry.lookedMs = one.nowMs
  if (entry.source === null || entry.state === 'behind' || entry.state === 'truncated') return true
  const head = one.worker.ledger.known(entry.source)
  return head !== null && (published === null || published >= Math.max(head.end, entry.published))
}

/**
 * How far the source of each entry is published, by Redis; null where that cannot or need not be told. An absent position counts as
 * published up to the head if the head was stored by the floor, else as not published.
 */
async function publishedOf(
  context: RootContext,
  worker: Worker,
  entries: (Entry | undefined)[],
): Promise<(number | null)[]> {
  const { feed, root } = context
  if (!feed || !worker.epochs) return []
  try {
    worker.epochs.forget()
    const epoch = await worker.epochs.current()
    if (epoch.state !== 'open') return []
    const sources = entries.map((entry) => entry?.source ?? '')
    const texts = await feed.positions(root.name, sources)
    return sources.map((source, index) => {
      if (source === '') return null
      worker.publisher?.heard(source, texts[index] ?? null)
      const position = decodePosition(texts[index] ?? '')
      if (position) return position.published
      const head = worker.ledger.known(source)
      return head && head.storedAtMs <= epoch.floorMs ? head.end : 0
    })
  } catch (error) {
    if (!isGleanerError(error)) throw error
    context.telemetry.trouble(error, { root: root.name, role: 'reconcile' })
    return []
  }
}

/** A path that two passes in a row did not list is gone; its source is gone with its last file. */
async function dropMissing(one: Pass): Promise<void> {
  const { worker, seen, unread } = one
  for (const entry of worker.entries.all()) {
    if (seen.has(entry.path) || unread.some((directory) => directory === '' || entry.path.startsWith(`${directory}/`)))
      continue
    entry.missed++
    if (entry.missed >= missesBeforeGone) await drop(one, entry)
  }
}

async function drop({ worker }: Pass, entry: Entry): Promise<void> {
  const { source, path, family, stat } = entry
  worker.entries.delete(path)
  if (source === null) {
    // Renamed before it could be resolved, or gone for good.
    const isElsewhere = worker.entries
      .members(family)
      .some((other) => worker.entries.get(other)?.stat?.ino === stat?.ino)
    if (stat && stat.size > 0 && !isElsewhere)
      await tellVanished(worker.journal, { source: '', path, archived: 0, seen: stat.size })
    return
  }
  if (worker.entries.holders(source).length > 0) return
  const known = worker.ledger.known(source)
  if (known && known.end >= entry.seen && (worker.publisher?.cached(source)?.published ?? 0) >= known.end) return
  const head = await worker.ledger.last(source)
  if (head && worker.publisher) await worker.catchUp(source)
  if (entry.seen > (head?.end ?? 0))
    await tellVanished(worker.journal, { source, path, archived: head?.end ?? 0, seen: entry.seen })
}
