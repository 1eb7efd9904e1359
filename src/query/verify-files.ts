/**
 * Every archived byte against the files that still exist; of what has expired, the hashes that its boundary keeps.
 *
 * The files' own threads hash each segment's range; only hashes cross. Where one differs from the segment and from each of its revisions,
 * twice, the first byte that differs is looked for. A file that begins like a source but fits none was rewritten, unless another file
 * holds that source.
 */

import { readHeader } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import { boundaryOf } from '../roles/boundaries.ts'
import type { RootContext } from '../roles/context.ts'
import { reachOf } from '../roles/reach.ts'
import type { Ledger, Mark } from '../roles/ledger.ts'
import { openLedger } from '../roles/ledger.ts'
import { lookRequest } from '../roles/resolve.ts'
import type { Held } from './holders.ts'
import { holders } from './holders.ts'
import { lastMarks } from './sources.ts'

export interface Difference {
  root: string
  path: string
  source: string
  /** The first archived byte that the file does not hold. */
  offset: number
}

export interface FilesReport {
  files: number
  bytes: number
  different: Difference[]
  /** What could not be read, and so was not compared. */
  unread: { path: string; reason: string }[]
}

const segmentsAtOnce = 16
const pieceBytes = 1024 * 1024

/** Throws `root-unavailable`, `root-stalled`, `store-*`. */
export async function verifyFiles(
  context: RootContext,
  progress?: (done: { looked: number; of: number; bytes: number }) => void,
): Promise<FilesReport> {
  const report: FilesReport = { files: 0, bytes: 0, different: [], unread: [] }
  const ledger = openLedger(context.store, context.root.name)
  const marks = await lastMarks(ledger, await reachOf(context, 0))
  const fresh = context.root.remote ?? (await context.files.mount()).remote
  const comparison: Comparison = { context, ledger, report, fresh }
  const held = new Set<string>()
  const strangers: Held[] = []
  let [looked, of] = [0, 0]
  for await (const found of holders(context, ledger, { marks: marks.values(), walked: (files) => (of = files) })) {
    if (found.kind === 'unread') report.unread.push({ path: found.path, reason: found.reason })
    else if (found.held.kind === 'new' && found.held.alike.length > 0) strangers.push(found.held)
    else if (found.held.kind === 'same' || found.held.kind === 'behind') {
      held.add(found.held.source as string)
      await guarded(comparison, found.held.path, () => compareFile(comparison, found.held))
    }
    looked++
    progress?.({ looked, of, bytes: report.bytes })
  }
  for (const one of strangers) {
    const own = one.alike
      .map((id) => marks.get(id))
      .filter((mark) => mark !== undefined && !held.has(mark.source)) as Mark[]
    const mark = own.find(({ path }) => path === one.path) ?? own.at(-1)
    if (mark) await guarded(comparison, one.path, () => compareStranger(comparison, one, mark))
  }
  return report
}

interface Comparison {
  context: RootContext
  ledger: Ledger
  report: FilesReport
  fresh: boolean
}

async function guarded({ report }: Comparison, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (isGleanerError(error, 'file-gone')) return
    if (
      !isGleanerError(
        error,
        'file-unreadable',
        'file-not-regular',
        'file-outside',
        'file-torn',
        'file-io',
        'file-changed',
      )
    )
      throw error
    report.unread.push({ path, reason: error.message })
  }
}

async function compareFile(comparison: Comparison, held: Held): Promise<void> {
  const { ledger, report } = comparison
  const source = held.source as string
  report.files++
  const listed = await ledger.segmentsFrom(source, await compareExpired(comparison, held, source))
  for (let at = 0; at < listed.length; at += segmentsAtOnce) {
    const some = await Promise.all(
      listed.slice(at, at + segmentsAtOnce).map((one) => ledger.header(one.key, one.storedAtMs)),
    )
    // What lies past the end of a file that is behind was compared when it was resolved.
    const within = some.filter((mark) => mark.end <= held.stat.size)
    for (const mark of await differing(comparison, held.path, within)) {
      const offset = await firstDifference(comparison, held.path, mark)
      if (offset !== null)
        report.different.push({ root: comparison.context.root.name, path: held.path, source, offset })
    }
    report.bytes += within.reduce((sum, mark) => sum + mark.end - mark.start, 0)
  }
}

/** Which byte differs cannot be told any more: the first of the segment that does stands for it. Gives up to where the source has expired. */
async function compareExpired(comparison: Comparison, held: Held, source: string): Promise<number> {
  const { context, report, fresh } = comparison
  const root = context.root.name
  const boundary = await boundaryOf(context.store, root, source)
  const within = boundary?.segments.filter(({ end }) => end <= held.stat.size) ?? []
  for (let at = 0; at < within.length; at += segmentsAtOnce) {
    let left = within.slice(at, at + segmentsAtOnce)
    report.bytes += left.reduce((sum, { start, end }) => sum + end - start, 0)
    for (let looks = 0; looks < 2 && left.length > 0; looks++) {
      const look = await context.files.look(held.path, lookRequest({ probes: left, fresh }))
      left = left.filter(({ start, sha256 }, index) => {
        const revised = boundary?.revisions?.filter((revision) => revision.start === start) ?? []
        return ![sha256, ...revised.map((revision) => revision.sha256)].includes(look.probes[index] ?? '')
      })
    }
    report.different.push(...left.map(({ start }) => ({ root, path: held.path, source, offset: start })))
  }
  return boundary?.end ?? 0
}

/** The segments whose range holds something else in the file, on two looks. */
async function differing(comparison: Comparison, path: string, marks: Mark[]): Promise<Mark[]> {
  let left = marks
  for (let looks = 0; looks < 2 && left.length > 0; looks++) {
    const look = await comparison.context.files.look(path, lookRequest({ probes: left, fresh: comparison.fresh }))
    const different: Mark[] = []
    for (const [index, mark] of left.entries()) {
      const hash = look.probes[index] ?? null
      if (hash !== mark.sha256 && !(await isRevision(comparison, mark, hash))) different.push(mark)
    }
    left = different
  }
  return left
}

async function isRevision({ context, ledger }: Comparison, mark: Mark, hash: string | null): Promise<boolean> {
  for (const { key, start } of await ledger.revisions(mark.source)) {
    if (start !== mark.start) continue
    const object = await context.store.get(key)
    if (object && readHeader(object.body, key)?.sha256 === hash) return true
  }
  return false
}

async function compareStranger(comparison: Comparison, held: Held, mark: Mark): Promise<void> {
  const { report, context } = comparison
  report.files++
  const start = await compareExpired(comparison, held, mark.source)
  const range = { source: mark.source, start, end: Math.max(start, Math.min(mark.end, held.stat.size)) }
  const offset = await firstDifference(comparison, held.path, range)
  if (offset !== null) report.different.push({ root: context.root.name, path: held.path, source: mark.source, offset })
}

/** Where the file first differs from the archive in a range; null: nowhere (any more). */
async function firstDifference(
  { context, ledger, fresh }: Comparison,
  path: string,
  range: { source: string; start: number; end: number },
): Promise<number | null> {
  for await (const { offset, bytes } of ledger.read(range.source, range)) {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const expected = bytes.subarray(at, at + pieceBytes)
      const start = offset + at
      const read = {
        start,
        end: start + expected.length,
        as: 'bytes' as const,
        lineBytesMax: 0,
        tail: true,
        stopAtNul: false,
      }
      const { bytes: found } = await context.files.look(path, lookRequest({ probes: [], read, fresh }))
      if (found?.equals(expected)) continue
      let same = 0
      while (same < expected.length && found?.[same] === expected[same]) same++
      return start + same
    }
  }
  return null
}
