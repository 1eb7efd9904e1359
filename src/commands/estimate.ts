/**
 * `gleaner reconcile --dry-run`: what a pass would archive, and how many requests it would take. Each file is resolved as a pass would do it, by
 * reading; nothing is written. An upper bound: two new files with the same beginning count twice, and a last line without newline counts.
 */

import type { RootConfig } from '../config/model.ts'
import { segmentBytesMax } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { RootContext } from '../roles/context.ts'
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
  /** Creates and the lists and reads before them. */
  requests: number
  /** Files that cannot be read now. */
  unreadable: number
}

const filesAtOnce = 16
/** For each file: one list for its source, one header, one list for the next candidate. */
const readsPerFile = 3

export async function estimate(app: App, roots: readonly RootConfig[]): Promise<void> {
  const sum: Estimate = { files: 0, bytes: 0, objects: 0, requests: 0, unreadable: 0 }
  let left = 0
  const progress = openProgress(() => ({ verb: 'looked at', done: sum.files, total: sum.files + left, unit: 'file' }))
  for (const root of roots) {
    const context = await app.context(root)
    await addRoot(context, sum, (files) => (left = files))
    await app.closeContext(context)
  }
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
  const ledger = openLedger(context.store, context.root.name)
  const { files } = await walkRoot(context)
  for (let at = 0; at < files.length; at += filesAtOnce) {
    const some = files.slice(at, at + filesAtOnce)
    const left = await Promise.all(
      some.map((path) => unarchivedBytes(context, ledger, { path, fresh: context.root.remote ?? remote })),
    )
    tellLeft(Math.max(0, files.length - at - filesAtOnce))
    for (const bytes of left) {
      const objects = Math.ceil((bytes ?? 0) / segmentBytesMax)
      sum.files++
      sum.unreadable += bytes === null ? 1 : 0
      sum.bytes += bytes ?? 0
      sum.objects += objects
      sum.requests += objects + readsPerFile
    }
  }
}

/** Null where the file cannot be read. */
async function unarchivedBytes(
  context: RootContext,
  ledger: Ledger,
  { path, fresh }: { path: string; fresh: boolean },
): Promise<number | null> {
  const asked = { path, fresh, whole: true, nulsCount: true, heldElsewhere: async () => false }
  try {
    const { resolution, look } = await resolve(context, ledger, asked)
    if (resolution.kind === 'behind') return 0
    const head = resolution.kind === 'same' ? (ledger.known(resolution.id)?.end ?? 0) : 0
    return Math.max(0, look.stat.size - head)
  } catch (error) {
    if (isGleanerError(error) && error.code.startsWith('file-')) return error.code === 'file-gone' ? 0 : null
    throw error
  }
}
