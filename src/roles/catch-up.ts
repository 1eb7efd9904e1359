/**
 * One root, once: a full pass without the lease, with a drain on, then waiting until nothing is left that can be done now. Whatever is left
 * after that is named with its reason: a file that cannot be read, a store or a Redis that does not answer.
 *
 * Not left: a last line without its newline, a file shorter than its archive, and what must settle for longer than a few seconds. The next
 * pass takes those up.
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

export interface Left {
  /** Empty: the root itself. */
  path: string
  error: unknown
}

export interface CaughtUp {
  files: number
  left: Left[]
}

/** `begun` is told how to ask for the bytes that were seen and are not archived yet. */
export async function catchUpRoot(
  given: RootContext,
  inFlight: Throttle,
  begun?: (unarchivedBytes: () => number) => void,
): Promise<CaughtUp> {
  const troubles = new Map<string, unknown>()
  const context = { ...given, signals: null, telemetry: { ...given.telemetry, ...noting(given, troubles) } }
  const worker = openWorker(context, { inFlight })
  worker.drain(true)
  const sample = openWaiting(worker)
  begun?.(() => sample(context.clock.monotonicMs()).unarchivedBytes)
  const left: Left[] = []
  let files = 0
  try {
    const report = await openReconciler(context, worker).pass({ full: true, alone: true })
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
