/**
 * Which source each file of a root is now, asked from outside the collector.
 *
 * One look per file answers for all sources of its family by their last witness. Only a file that none of them fits so
 * (new, behind, edited near its end) is resolved as the collector would, which asks the archive for more.
 */

import { familyOf } from '../core/family.ts'
import { firstRecordBytes, parseSourceId } from '../core/identity.ts'
import { isGleanerError } from '../errors.ts'
import type { FileStat } from '../ports/files.ts'
import type { RootContext } from '../roles/context.ts'
import { openEntries } from '../roles/entries.ts'
import { isHeldElsewhere } from '../roles/family.ts'
import type { Ledger, Mark } from '../roles/ledger.ts'
import { candidateOf } from '../roles/ledger.ts'
import type { Evidence } from '../roles/resolve.ts'
import { confirm, contentIdOf, lookRequest, probesOf, resolve } from '../roles/resolve.ts'
import { walkRoot } from '../roles/walk.ts'
import { mapInOrder } from './concurrent.ts'

const looksAtOnce = 8
/** A family of more sources than this is resolved file by file. */
const probedMax = 256
const attemptsMax = 3

export interface Held {
  path: string
  family: string
  stat: FileStat
  /** same: it goes on at the source's head. behind: a prefix of it. new: the id it would get. none: it has no source. */
  kind: 'same' | 'behind' | 'new' | 'none'
  source: string | null
  /** new: sources that begin alike, which the file does not fit. */
  alike: string[]
}

export type Finding = { kind: 'file'; held: Held } | { kind: 'unread'; path: string; reason: string }

interface Question {
  context: RootContext
  ledger: Ledger
  remote: boolean
  entries: ReturnType<typeof openEntries>
  /** Last segments by family. */
  heads: Map<string, Mark[]>
}

/**
 * Every collected file of the root, and every directory and file that could not be read (nothing may be concluded about those). Throws
 * `root-unavailable`, `root-stalled`, `store-*`.
 */
export async function* holders(
  context: RootContext,
  ledger: Ledger,
  { marks, walked }: { marks: Iterable<Mark>; walked?: (files: number) => void },
): AsyncGenerator<Finding> {
  const { root } = context
  const mount = await context.files.mount()
  const heads = Map.groupBy(marks, (mark) => mark.family)
  const entries = openEntries((path) => familyOf(path, root.family))
  const question: Question = { context, ledger, remote: root.remote ?? mount.remote, entries, heads }
  const { files, unread } = await walkRoot(context)
  walked?.(files.length)
  for (const path of unread) yield { kind: 'unread', path, reason: 'the directory cannot be read' }
  for await (const found of mapInOrder(files, looksAtOnce, (path) => identify(question, path))) {
    if (found !== null) yield found
  }
}

async function identify(question: Question, path: string): Promise<Finding | null> {
  try {
    const held = await heldAt(question, path)
    return held === null ? null : { kind: 'file', held }
  } catch (error) {
    if (isGleanerError(error, 'file-gone', 'file-not-regular')) return null
    if (isGleanerError(error, 'file-unreadable', 'file-outside', 'file-torn', 'file-io', 'file-changed')) {
      return { kind: 'unread', path, reason: error.message }
    }
    throw error
  }
}

async function heldAt(question: Question, path: string): Promise<Held | null> {
  const { context, ledger, remote: fresh, entries } = question
  const family = familyOf(path, context.root.family)
  const quick = await byLastWitness(question, path, family)
  if (quick !== null) return quick
  for (let attempt = 1; ; attempt++) {
    const stats = await context.files.stat([path], { fresh })
    const stat = stats.stats[0]
    if (!stat) return null
    const { resolution, look } = await resolve(context, ledger, {
      path,
      whole: context.clock.wallMs() - Number(stat.mtimeNs / 1_000_000n) >= context.root.settle.finalMs,
      nulsCount: true,
      fresh,
      heldElsewhere: (candidate) => isHeldElsewhere({ context, entries, fresh }, candidate, path),
    })
    if (resolution.kind === 'none' && resolution.reason === 'unsteady' && attempt < attemptsMax) continue
    const alike = resolution.kind === 'new' ? resolution.evidence.candidates.map((candidate) => candidate.id) : []
    const source = resolution.kind === 'none' ? null : resolution.id
    return { path, family, stat: look.stat, kind: resolution.kind, source, alike }
  }
}

async function byLastWitness(
  { context, remote: fresh, heads }: Question,
  path: string,
  family: string,
): Promise<Held | null> {
  const marks = heads.get(family) ?? []
  if (marks.length === 0 || marks.length > probedMax) return null
  const probes = probesOf({ c0: '', candidates: marks.map(candidateOf), next: 0 }, Number.MAX_SAFE_INTEGER)
  const look = await context.files.look(path, lookRequest({ beginning: firstRecordBytes + 4096, probes, fresh }))
  const c0 = contentIdOf(context, { path, whole: true }, look)
  const alike = marks.filter((mark) => parseSourceId(mark.source)?.c0 === c0).sort((a, b) => b.end - a.end)
  const isSame = (some: Mark[]): boolean => {
    const evidence: Evidence = { c0: c0 ?? '', candidates: some.map(candidateOf), next: 0 }
    return confirm(evidence, probes, look) === 'same'
  }
  if (!isSame(alike)) return null
  const longest = alike.find((mark) => isSame([mark]))
  return longest ? { path, family, stat: look.stat, kind: 'same', source: longest.source, alike: [] } : null
}
