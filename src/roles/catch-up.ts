/**
 * One root, once: a full pass without the lease, with a drain on, then waiting until nothing is left that can be done now. Whatever is left
 * after that is named with its reason: a file that cannot be read, a store or a Redis that does not answer.
 *
 * Where complete lines wait for `settle.tail` (a path that holds something else now, NULs that may still become data), so does this:
 * what one process waits for in memory, the next one would wait for again, for ever. Not left: a last line without its newline, and a file
 * shorter than its archive. The next pass takes those up.
 *
 * What it archives it does not stay to prove: `settle.tail` later another run does, before it ends.
 */

import { GleanerError, isGleanerError } from '../errors.ts'
import type { RootContext } from './context.ts'
import type { Entry } from './entries.ts'
import { openReconciler } from './reconcile.ts'
import { lookRequest } from './resolve.ts'
import { unreadable } from './run.ts'
import type { Throttle } from './throttle.ts'
import { openWaiting } from './waiting.ts'
import type { Worker } from './work.ts'
import { openWorker } from './work.ts'

/** How often waiting starts over while files go on growing. */
const roundsMax = 20
const leftMax = 1000
/** How often `settle.tail` is waited for: what differs from its archive is read twice, or once more where both looks differ too. */
const tailsMax = 3
/** A run ends, however much others left to be proven. */
const provingMsMax = 60_000

export interface Left {
  /** Empty: the root itself. */
  path: string
  error: unknown
}

export interface CaughtUp {
  files: number
  left: Left[]
}

/** What is to be done yet. */
export interface CatchingUp {
  /** That were seen and are not archived. */
  unarchivedBytes(): number
  /** Segments of earlier runs. */
  unproven(): number
}

/** `begun` is told whom to ask how far it is. */
export async function catchUpRoot(
  given: RootContext,
  inFlight: Throttle,
  begun?: (catchingUp: CatchingUp) => void,
): Promise<CaughtUp> {
  const troubles = new Map<string, unknown>()
  const context = { ...given, signals: null, telemetry: { ...given.telemetry, ...noting(given, troubles) } }
  const worker = openWorker(context, { inFlight })
  worker.drain(true)
  const reconciler = openReconciler(context, worker)
  const sample = openWaiting(worker)
  begun?.({
    unarchivedBytes: () => sample(context.clock.monotonicMs()).unarchivedBytes,
    unproven: () => worker.prover.ripe,
  })
  const left: Left[] = []
  let files = 0
  try {
    const report = await reconciler.pass({ full: true, alone: true })
    files = report.files
    for (const directory of report.unread) left.push({ path: directory, error: unreadable(directory) })
    if (!report.ran)
      left.push({
        path: '',
        error:
          troubles.get('') ?? new GleanerError('root-unavailable', { operation: 'pass', subject: context.root.name }),
      })
  } catch (error) {
    if (!isGleanerError(error)) throw error
    left.push({ path: '', error })
  }
  await settled(context, worker)
  await waitingIsDone(context, worker)
  // A visit may have begun meanwhile.
  await settled(context, worker)
  await reconciler.keep()
  return { files, left: [...left, ...(await leftOf(context, worker, troubles))] }
}

/** Keeps the last trouble of each path; '' for the root's own. */
function noting(
  { telemetry }: RootContext,
  troubles: Map<string, unknown>,
): Pick<RootContext['telemetry'], 'trouble' | 'rootUp'> {
  return {
    trouble(error, facts) {
      troubles.set(typeof facts['path'] === 'string' ? facts['path'] : '', error)
      telemetry.trouble(error, facts)
    },
    rootUp(root, up, reason) {
      if (!up)
        troubles.set(
          '',
          new GleanerError('root-unavailable', {
            operation: 'pass',
            subject: root,
            ...(reason && { message: reason }),
          }),
        )
      telemetry.rootUp(root, up, reason)
    },
  }
}

async function settled({ root }: RootContext, worker: Worker): Promise<void> {
  for (let round = 0; round < roundsMax; round++) {
    await worker.caughtUp(2 * root.settle.readMs + 100)
    if (worker.busy === 0) return
  }
}

/**
 * Proves what earlier runs archived and is old enough; and waits for what takes a second look by the same process: complete lines that wait for
 * `settle.tail`, and segments that differed.
 */
async function waitingIsDone(context: RootContext, worker: Worker): Promise<void> {
  const { root, clock, telemetry } = context
  for (let tail = 0; ; tail++) {
    await worker.tend(clock.monotonicMs() + provingMsMax)
    const withheld = [...worker.entries.all()].filter((entry) => isWithheld(context, worker, entry))
    const doubtsRipeInMs = worker.prover.doubtsRipeInMs()
    if (tail === tailsMax || (withheld.length === 0 && doubtsRipeInMs === null)) return
    const waitMs = withheld.length > 0 ? root.settle.tailMs + root.settle.readMs : (doubtsRipeInMs ?? 0)
    telemetry.notice('waits: what files hold may still change', {
      root: root.name,
      files: withheld.length,
      path: withheld[0]?.path,
      seconds: Math.round(waitMs / 1000),
    })
    await clock.delay(waitMs)
    // Whether a path is another source now is decided only when what it was is proven, or cannot be.
    worker.prover.hurry(new Set(withheld.map(({ source }) => source).filter((source) => source !== null)))
    await worker.tend(clock.monotonicMs() + provingMsMax)
    for (const { path } of withheld) worker.signal({ path, cause: 'reconcile' })
    await settled(context, worker)
  }
}

/** Whether complete lines of it are not archived before `settle.tail` is over. */
function isWithheld({ root, clock }: RootContext, { prover }: Worker, entry: Entry): boolean {
  const { turningSinceMs, weakSinceMs, hole, source } = entry
  if (turningSinceMs !== null && source !== null && prover.isProving(source)) return true
  // One that cannot be read is not quiet, and is named as left.
  const blurredSinceMs = entry.quiet ? entry.blurredSinceMs : null
  return [turningSinceMs, weakSinceMs, blurredSinceMs, hole?.sinceMs ?? null].some(
    (sinceMs) => sinceMs !== null && clock.monotonicMs() - sinceMs < root.settle.tailMs,
  )
}

/** Files whose last visit ended without an answer. */
async function leftOf(context: RootContext, worker: Worker, troubles: Map<string, unknown>): Promise<Left[]> {
  const open = [...worker.entries.all()].filter((entry) => !entry.quiet).slice(0, leftMax)
  const left = await Promise.all(open.map((entry) => whyLeft(context, entry, troubles)))
  return left.filter((one) => one !== null)
}

async function whyLeft({ files }: RootContext, { path }: Entry, troubles: Map<string, unknown>): Promise<Left | null> {
  const known = troubles.get(path)
  if (known !== undefined) return { path, error: known }
  try {
    await files.look(path, lookRequest({ probes: [], fresh: true }))
    return {
      path,
      error: new GleanerError('file-changed', {
        operation: 'archive',
        subject: path,
        message: 'it kept changing while it was read',
      }),
    }
  } catch (error) {
    return isGleanerError(error, 'file-gone') ? null : { path, error }
  }
}
