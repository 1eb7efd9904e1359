/**
 * One walk over a root: every directory is listed, every file that is due is asked for its size, and what differs from its archived head, or
 * whose head differs from its position, is signalled.
 *
 *     list ──▶ which files are due ──▶ ask for their sizes ──▶ compare ──▶ signal
 *      ▲           │                        ▲                     │
 *      └─ the next directories are listed ──┴── and the next sizes asked for, while these are compared
 *
 * Most files are as they were. So a file's entry is found by its place in the directory's last listing, and compared without
 * making anything.
 */

import { decodePosition } from '../core/position.ts'
import { isDue } from '../core/schedule.ts'
import { isGleanerError } from '../errors.ts'
import type { DirectoryListing, FileStat, StatResult } from '../ports/files.ts'
import type { RootContext } from './context.ts'
import type { Entry } from './entries.ts'
import { isSameStat } from './entries.ts'
import type { Worker } from './work.ts'

const directoriesAtOnce = 32
const filesAtOnce = 2000
/** The worker's queue is let run down to this before more is signalled. */
const backlogMax = 5000

export interface PassReport {
  ran: boolean
  files: number
  bytes: number
  signalled: number
  /** Directories whose contents could not be told: nothing in them was looked at, and nothing in them is gone. */
  unread: string[]
}

/** A file as a pass saw it. */
export interface Seen {
  size: number
  ino: bigint
}

/** The files of each directory in the order of its last listing. */
export type Places = Map<string, Entry[]>

export interface Pass {
  context: RootContext
  worker: Worker
  /** Counts the passes of this process. */
  number: number
  full: boolean
  /** Heads are compared with positions: in a full pass, and where Redis may have lost some. */
  withPositions: boolean
  remote: boolean
  nowMs: number
  spend: (calls: number) => Promise<void>
  report: PassReport
  /** What every file was, where that will be asked for. */
  sizes: Map<string, Seen> | null
}

/** Gives the places for the next walk. Throws `root-unavailable`, `root-stalled`. */
export async function walkPass(one: Pass, places: Places): Promise<Places> {
  const next: Places = new Map()
  const compare = openComparing(one)
  const waiting = ['']
  let due: Entry[] = []
  for (let asked = askList(one, waiting); asked !== null; ) {
    const listings = await asked
    for (const { directories } of listings) waiting.push(...directories)
    asked = askList(one, waiting)
    for (const listing of listings) {
      if (listing.error !== undefined) one.report.unread.push(listing.directory)
      const entries = entriesOf(one, listing, places.get(listing.directory) ?? [])
      next.set(listing.directory, entries)
      for (const entry of entries) if (isEntryDue(one, entry)) due.push(entry)
    }
    for (; due.length >= filesAtOnce; due = due.slice(filesAtOnce)) await compare(due.slice(0, filesAtOnce))
  }
  await compare(due)
  await compare([])
  return next
}

/** Takes the next directories off those that wait. Null: none is left. */
function askList({ context, spend }: Pass, waiting: string[]): Promise<DirectoryListing[]> | null {
  if (waiting.length === 0) return null
  const some = waiting.splice(0, directoriesAtOnce)
  const listings = spend(some.length).then(() => context.files.list(some))
  // It is awaited, unless the walk ends before.
  listings.catch(() => undefined)
  return listings
}

/** What is collected of a directory. `before`: the same as of the last walk. */
function entriesOf({ worker, context, report, number }: Pass, { files }: DirectoryListing, before: Entry[]): Entry[] {
  const entries: Entry[] = []
  for (const path of files) {
    const guess = before[entries.length]
    const entry = guess?.path === path && !guess.forgotten ? guess : collected(worker, context, path)
    if (entry === null) continue
    entry.listedIn = number
    entry.missed = 0
    entries.push(entry)
  }
  report.files += entries.length
  return entries
}

/** Only what is collected has an entry: matching every name against the globs would cost more than asking the filesystem. */
function collected({ entries }: Worker, { root }: RootContext, path: string): Entry | null {
  return entries.get(path) ?? (root.includes(path) ? entries.at(path) : null)
}

function isEntryDue(one: Pass, entry: Entry): boolean {
  const { context, nowMs, full } = one
  if (full || !entry.stat || !entry.quiet || entry.revisitMs <= nowMs) return true
  return isDue(entry, one, context.root.reconcile)
}

interface Asked {
  entries: Entry[]
  answer: Promise<[StatResult, (number | null)[]]>
}

/** Asks for these, and compares those that were asked for before. */
function openComparing(one: Pass): (entries: Entry[]) => Promise<void> {
  let asked: Asked | null = null
  return async (entries) => {
    await one.spend(entries.length)
    const before = asked
    asked = { entries, answer: ask(one, entries) }
    // It is awaited, unless the walk ends before.
    asked.answer.catch(() => undefined)
    if (before !== null) compareAll(one, before.entries, await before.answer)
    while (one.worker.busy > backlogMax) await one.context.clock.delay(20)
  }
}

function ask(one: Pass, entries: Entry[]): Asked['answer'] {
  const paths = entries.map(({ path }) => path)
  const known = entries.map(({ stat }) => stat)
  return Promise.all([one.context.files.stat(paths, { fresh: one.remote, known }), publishedOf(one, entries)])
}

/** Sizes against heads, heads against positions. */
function compareAll(one: Pass, entries: Entry[], [{ stats, errors }, published]: Awaited<Asked['answer']>): void {
  const { worker, report, sizes } = one
  let index = 0
  for (const entry of entries) {
    const { path } = entry
    const stat = stats[index]
    const reached = published[index++] ?? null
    // What cannot be told by a stat is visited, which says why.
    if (!stat && errors > 0) worker.signal({ path, cause: 'reconcile' })
    if (!stat) continue
    report.bytes += stat.size
    sizes?.set(path, { size: stat.size, ino: stat.ino })
    if (isUnchanged(one, entry, stat) && isPublished(one, entry, reached)) continue
    report.signalled++
    worker.signal({ path, cause: 'reconcile' })
  }
}

/** Whether the file is as it was, and nothing is to be done about it; then it was looked at. */
function isUnchanged(one: Pass, entry: Entry, stat: FileStat): boolean {
  if (!entry.stat) return false
  const same = isSameStat(entry.stat, stat)
  if (!same && entry.quiet) one.worker.saw('reconcile')
  if (!same || !entry.quiet || entry.revisitMs <= one.nowMs) return false
  entry.lastLookedMs = one.nowMs
  return true
}

/** Whether a file that is as it was is published as far as it is archived. `published`: as Redis says, null: not asked. */
function isPublished(one: Pass, entry: Entry, published: number | null): boolean {
  if (published === null || entry.source === null || entry.state === 'behind' || entry.state === 'truncated')
    return true
  const head = one.worker.ledger.known(entry.source) ?? entry.head
  // Beyond the file's end: another file's records were published as this source's, and Redis lost what was said of that.
  const size = entry.stat?.size ?? 0
  return head !== null && published >= Math.max(head.end, entry.published) && published <= size
}

/**
 * How far the source of each entry is published, by Redis; null where that cannot or need not be told. An absent position counts as
 * published up to the head if the head was stored by the floor, else as not published.
 */
async function publishedOf(one: Pass, entries: Entry[]): Promise<(number | null)[]> {
  const { context, worker } = one
  const { feed, root } = context
  if (!one.withPositions || !feed || !worker.epochs) return []
  try {
    worker.epochs.forget()
    const epoch = await worker.epochs.current()
    if (epoch.state !== 'open') return []
    const texts = await feed.positions(
      root.name,
      entries.map(({ source }) => source ?? ''),
    )
    return entries.map(({ source, head: kept }, index) => {
      if (source === null) return null
      worker.publisher?.heard(source, texts[index] ?? null)
      const position = decodePosition(texts[index] ?? '')
      if (position) return position.published
      const head = worker.ledger.known(source) ?? kept
      return head && head.storedAtMs <= epoch.floorMs ? head.end : 0
    })
  } catch (error) {
    if (!isGleanerError(error)) throw error
    context.telemetry.trouble(error, { root: root.name, role: 'reconcile' })
    return []
  }
}
