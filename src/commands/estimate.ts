/**
 * `gleaner reconcile --dry-run`: what a pass would archive, and how many requests it would take. Each file is resolved as a pass would do it, by
 * reading; nothing is written. An upper bound: two new files with the same beginning count twice, a last line without newline counts, and of
 * what is archived the catalog may save most requests.
 */

import type { RootConfig } from '../config/model.ts'
import { segmentBytesMax } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { RootContext } from '../roles/context.ts'
import { hasExpired } from '../roles/boundaries.ts'
import { openLedger } from '../roles/ledger.ts'
import type { Ledger } from '../roles/ledger.ts'
import { resolve } from '../roles/resolve.ts'
import { walkRoot } from '../roles/walk.ts'
import type { App } from './app.ts'
import { bytesText, countText, counted, openProgress } from './output.ts'

interface Estimate {
  files: number
  /** Not archived yet. */
  bytes: number
  /** Segments to create, of at most 64 MiB each. */
  objects: number
  /** Creates, the lists and reads before them, and what every pass begins with. */
  requests: number
  /** Files that cannot be read now. */
  unreadable: number
}

const filesAtOnce = 16
/**
 * Before a file is archived that nobody knows: is there a source or a boundary of this name, and one of its family's that began without a line?
 * As long as nothing has expired, one question for boundaries serves some ten. Of one that is known: its last segment, from a list, and that
 * one's header. Counted by a server.
 */
const readsPerFile = { unknown: 2.2, unknownOnceExpired: 4, known: 2 }
/** The probe of the store, the rules, the catalog and the journal: 70 counted. */
const requestsPerPass = 70

export async function estimate(app: App, roots: readonly RootConfig[]): Promise<void> {
  const sum: Estimate = { files: 0, bytes: 0, objects: 0, requests: requestsPerPass, unreadable: 0 }
  let left = 0
  const progress = openProgress(() => ({ verb: 'looked at', done: sum.files, total: sum.files + left, unit: 'file' }))
  for (const root of roots) {
    const context = await app.context(root)
    await addRoot(context, sum, (files) => (left = files))
    await app.closeContext(context)
  }
  sum.requests = Math.round(sum.requests)
  progress.end()
  if (app.json) app.out(JSON.stringify({ dryRun: true, ...sum }))
  else {
    app.out(
      `${counted(sum.files, 'file')}; to be archived: ${bytesText(sum.bytes)} in ${counted(sum.objects, 'object')}, about ${countText(sum.requests)} requests`,
    )
    if (sum.unreadable > 0) app.out(`${counted(sum.unreadable, 'file')} cannot be read now`)
  }
}

async function addRoot(context: RootContext, sum: Estimate, tellLeft: (files: number) => void): Promise<void> {
  const { remote } = await context.files.mount()
  const unknown = (await hasExpired(context.store, context.root.name)) ? 'unknownOnceExpired' : 'unknown'
  const ledger = openLedger(context.store, context.root.name)
  const { files } = await walkRoot(context)
  for (let at = 0; at < files.length; at += filesAtOnce) {
    const some = files.slice(at, at + filesAtOnce)
    const left = await Promise.all(
      some.map((path) => unarchived(context, ledger, { path, fresh: context.root.remote ?? remote })),
    )
    tellLeft(Math.max(0, files.length - at - filesAtOnce))
    for (const one of left) {
      const objects = Math.ceil((one?.bytes ?? 0) / segmentBytesMax)
      sum.files++
      sum.unreadable += one === null ? 1 : 0
      sum.bytes += one?.bytes ?? 0
      sum.objects += objects
      sum.requests += objects + (one === null ? 0 : readsPerFile[one.isKnown ? 'known' : unknown])
    }
  }
}

/** Null where the file cannot be read. */
async function unarchived(
  context: RootContext,
  ledger: Ledger,
  { path, fresh }: { path: string; fresh: boolean },
): Promise<{ bytes: number; isKnown: boolean } | null> {
  const asked = { path, fresh, whole: true, nulsCount: true, heldElsewhere: async () => false }
  try {
    const { resolution, look } = await resolve(context, ledger, asked)
    if (resolution.kind === 'behind') return { bytes: 0, isKnown: true }
    const head = resolution.kind === 'same' ? (ledger.known(resolution.id)?.end ?? 0) : 0
    return { bytes: Math.max(0, look.stat.size - head), isKnown: resolution.kind === 'same' }
  } catch (error) {
    if (isGleanerError(error) && error.code.startsWith('file-'))
      return error.code === 'file-gone' ? { bytes: 0, isKnown: true } : null
    throw error
  }
}
