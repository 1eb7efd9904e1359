/**
 * What only a full pass can do, since it has seen every file:
 *
 *  - a new archive with `feed.since: now`: set the position of each file that was there, then open the epoch
 *  - prove what is not proven yet
 *  - sweep: publish from the archive what lies between position and head of sources whose files may be gone, and disown what was published
 *    beyond the head of sources whose files are
 *  - keep the catalog
 *  - raise the floor, so that Redis forgets the positions of sources that are archived and published
 */

import type { Position } from '../core/position.ts'
import { decodePosition, encodePosition } from '../core/position.ts'
import { parseSegmentKey, segmentBytesMax, segmentKey } from '../core/segment.ts'
import type { Epoch, Feed } from '../ports/feed.ts'
import type { Listed } from '../ports/store.ts'
import { isGleanerError } from '../errors.ts'
import { knownBy, saveCatalog } from './catalog.ts'
import type { RootContext } from './context.ts'
import type { Entry } from './entries.ts'
import { isHeld } from './left.ts'
import type { Mark } from './ledger.ts'
import type { Seen } from './pass.ts'
import type { Reach } from './reach.ts'
import { reachOf } from './reach.ts'
import { recordBoundary } from './record-boundary.ts'
import type { Worker } from './work.ts'

/** The floor stays at least this far behind the pass: what is being committed now must not count as stored by it. */
const floorDelayMs = 10 * 60_000
/** Raising the floor lists the whole archive of a root: not for a handful of positions. */
const positionsWorthDropping = 1000
/** Another node may have died between archiving and publishing a file that is gone since. A sweep lists the whole archive of a root. */
const passesPerSweep = 6
const caughtUpMsMax = 60_000
/** Segments of one source that a full pass gives to be proven. */
const provenPerPassMax = 1000

export interface FullPassFacts {
  report: { files: number; bytes: number }
  /** Store time at which the pass began; null: the store was away. */
  startedAt: number | null
  /** What each file was, if Redis was found to be new. */
  sizes: Map<string, Seen> | null
  alone: boolean
}

export interface FullPass {
  /** Gives whether all of it could be done; if not, a full pass should follow before long. */
  finish(facts: FullPassFacts): Promise<boolean>
  /** Keeps in the catalog what became known since the last one was finished. */
  keep(): Promise<void>
}

export function openFullPass(context: RootContext, worker: Worker): FullPass {
  /** The epoch for which this process swept the archive last, and when. */
  let swept = { epoch: '', atMs: 0 }
  /** What was known, and how much waited, when all of it was proven or waited; what was known when the catalog was saved. */
  let proven = ''
  let saved = -1
  /** Of the last one, in store time. */
  let begunAt: number | null = null
  const unproven = (known: number): string => `${known} ${worker.prover.waiting}`

  const feedPart = async (feed: Feed, facts: FullPassFacts, startedAt: number): Promise<boolean> => {
    worker.epochs?.forget()
    const epoch = await worker.epochs?.current()
    if (!epoch) return true
    if (epoch.state === 'starting')
      return facts.sizes !== null && openEpoch(context, worker, { feed, epoch, sizes: facts.sizes })
    const to = Math.floor(startedAt - floorDelayMs)
    const raise = !facts.alone && to > epoch.floorMs && worker.entries.size >= positionsWorthDropping
    const sweepEveryMs = passesPerSweep * context.root.reconcile.fullEveryMs
    const isDue = swept.epoch !== epoch.id || startedAt - swept.atMs >= sweepEveryMs
    if (raise || isDue) {
      await sweep(context, worker, { feed, epoch, raiseTo: raise ? to : null })
      swept = { epoch: epoch.id, atMs: startedAt }
    }
    return true
  }

  const keep = async (): Promise<void> => {
    const known = knownBy(worker)
    if (begunAt !== null && known !== saved && (await saveCatalog(context, worker, begunAt))) saved = known
  }

  const finish = async (facts: FullPassFacts): Promise<boolean> => {
    const caughtUp = worker.caughtUp(2 * context.root.settle.readMs + 100)
    // A backlog of hours must not keep the next pass from finding what has changed meanwhile.
    await (facts.alone ? caughtUp : Promise.race([caughtUp, context.clock.delay(caughtUpMsMax)]))
    const { startedAt } = facts
    if (startedAt === null) return false
    const before = knownBy(worker)
    if (unproven(before) !== proven && (await proveRest(context, worker, startedAt))) proven = unproven(before)
    let isDone = true
    try {
      if (context.feed) isDone = await feedPart(context.feed, facts, startedAt)
    } catch (error) {
      if (!isGleanerError(error) || !error.code.startsWith('redis-')) throw error
      context.telemetry.trouble(error, { root: context.root.name, role: 'reconcile' })
      isDone = false
    }
    begunAt = startedAt
    await keep()
    if (facts.alone) await worker.journal.pass({ from: startedAt, to: await context.store.nowMs(), ...facts.report })
    return isDone
  }

  return { finish, keep }
}

/**
 * Each file counts as published up to its last record's end of when the pass saw it. Not while a file that was there has not become a source yet:
 * without a position it would be published whole.
 */
async function openEpoch(
  context: RootContext,
  worker: Worker,
  { feed, epoch, sizes }: { feed: Feed; epoch: Epoch; sizes: Map<string, Seen> },
): Promise<boolean> {
  const { root } = context
  const places: { source: string; size: number }[] = []
  for (const [path, seen] of sizes) {
    if (seen.size === 0) continue
    const entry = entryOf(worker, path, seen)
    if (entry?.source)
      places.push({ source: entry.source, size: entry.stat?.storedSize === undefined ? seen.size : entry.stat.size })
    else if (!entry?.quiet) return false
  }
  for (const { source, size } of places) {
    const head = await worker.ledger.last(source)
    if (!head) return false
    const end = head.end <= size ? head.end : await lastLineEnd(worker, head, size)
    const published = await recordBoundary(root, worker.ledger, { source, end })
    const position = encodePosition({ published, announced: head.end, ahead: null })
    await feed.positionIfAbsent(root.name, epoch.id, { source, position })
  }
  await feed.open(root.name, epoch.id)
  worker.epochs?.forget()
  for (const path of sizes.keys()) worker.signal({ path, cause: 'reconcile' })
  return true
}

/** What the file that the pass saw at this path is now: it may have been rotated since. */
function entryOf(worker: Worker, path: string, { size, ino }: Seen): Entry | undefined {
  const { entries } = worker
  const isIt = (entry: Entry | undefined): boolean => entry?.stat?.ino === ino && entry.stat.size >= size
  const entry = entries.get(path)
  if (isIt(entry)) return entry
  const family = entry?.family ?? ''
  return entries
    .members(family)
    .map((other) => entries.get(other))
    .find(isIt)
}

async function lastLineEnd(worker: Worker, head: Mark, size: number): Promise<number> {
  const near = await segmentBefore(worker, head.source, size)
  let end = near
  for await (const { offset, bytes } of worker.ledger.read(head.source, { start: near, end: size })) {
    const newline = bytes.lastIndexOf(10)
    if (newline >= 0) end = offset + newline + 1
  }
  return end
}

/** The start of the segment that holds the byte before `size`: a line ends there, or a little after. */
async function segmentBefore(worker: Worker, source: string, size: number): Promise<number> {
  const listed = await worker.ledger.segmentsFrom(source, Math.max(0, size - segmentBytesMax))
  return listed.map(({ key }) => parseSegmentKey(key)?.start ?? 0).findLast((start) => start < size) ?? 0
}

/** Gives whether every source is proven or waits to be. `nowMs`: store time. */
async function proveRest(context: RootContext, worker: Worker, nowMs: number): Promise<boolean> {
  const { feed, root } = context
  const { prover } = worker
  if (prover.isFull) return false
  const held = new Map<string, Entry>()
  for (const entry of worker.entries.all())
    if (entry.source !== null && prover.provenTo(entry.source) < entry.archived) held.set(entry.source, entry)
  const sources = [...held.keys()]
  for (let at = 0; at < sources.length; at += 1000) {
    const some = sources.slice(at, at + 1000)
    const texts = feed ? await feed.proven(root.name, some).catch(() => []) : []
    for (const [index, source] of some.entries()) {
      prover.learn(source, Number((texts[index] ?? '0').split(' ')[0]))
      const entry = held.get(source) as Entry
      if (prover.provenTo(source) >= entry.archived || prover.isProving(source)) continue
      const segments = (await unprovenOf(context, worker, entry)).slice(0, provenPerPassMax)
      if (prover.isFull) return false
      prover.add(
        entry.path,
        segments.map(({ key, storedAtMs }) => ({ key, source, storedAtMs })),
        { atOnce: false, nowMs },
      )
    }
  }
  return true
}

/** The segments that are not proven yet; for most sources that is the last one, whose key is known. */
async function unprovenOf(
  { root }: RootContext,
  { prover, ledger }: Worker,
  { source, head }: Entry,
): Promise<Pick<Listed, 'key' | 'storedAtMs'>[]> {
  if (source === null) return []
  const provenTo = prover.provenTo(source)
  if (head === null || head.start !== provenTo) return ledger.segmentsFrom(source, provenTo)
  return [{ key: segmentKey(root.name, source, head.start), storedAtMs: head.storedAtMs }]
}

async function sweep(
  context: RootContext,
  worker: Worker,
  { feed, epoch, raiseTo }: { feed: Feed; epoch: Epoch; raiseTo: number | null },
): Promise<void> {
  const { root } = context
  const reaches = [...(await reachOf(context, raiseTo ?? epoch.floorMs))]
  const drops: { source: string; position: string }[] = []
  let complete = true
  for (let at = 0; at < reaches.length; at += 1000) {
    const some = reaches.slice(at, at + 1000)
    const texts = await feed.positions(
      root.name,
      some.map(([source]) => source),
    )
    for (const [index, [source, reach]] of some.entries()) {
      const text = texts[index] ?? null
      worker.publisher?.heard(source, text)
      // No position, and nothing later than the floor: published, and nothing to drop.
      if (text === null && reach.last.storedAtMs <= epoch.floorMs) continue
      const swept = await sweepSource(context, worker, { source, text, reach, isRaising: raiseTo !== null }).catch(
        (error: unknown) => {
          // One that is damaged keeps the floor where it is, and no other source from being swept.
          if (!isGleanerError(error)) throw error
          context.telemetry.trouble(error, { root: root.name, source })
          return 'behind' as const
        },
      )
      if (swept === 'behind') complete = false
      if (swept === 'droppable' && text !== null) drops.push({ source, position: text })
    }
  }
  if (raiseTo !== null && complete)
    await feed.raiseFloor(root.name, { id: epoch.id, from: epoch.floorMs, to: raiseTo, drops })
}

async function sweepSource(
  { root, clock }: RootContext,
  worker: Worker,
  at: { source: string; text: string | null; reach: Reach; isRaising: boolean },
): Promise<'behind' | 'droppable' | 'kept'> {
  const { last, stored } = at.reach
  const position = decodePosition(at.text ?? '')
  const head = await endOf(worker, at.source, last)
  const isBehind = !position || position.published < head
  if (isBehind) await worker.catchUp(at.source)
  else if (position.published > head && !isHeld(worker.entries, at.source)) {
    const mark = await worker.ledger.last(at.source)
    // A view of the path may be stale for as long as a tail takes to settle.
    const lastLookedMs = clock.monotonicMs() + root.settle.tailMs
    if (mark) worker.left(at.source, { path: mark.path, seen: position.published, lastLookedMs, swept: true })
  }
  if (!at.isRaising || !stored) return 'kept'
  const end = await endOf(worker, at.source, stored)
  // What a last, unfinished record holds of it cannot be published yet.
  const due = isBehind ? await recordBoundary(root, worker.ledger, { source: at.source, end }) : end
  if (isBehind && (position?.published ?? 0) < due) return 'behind'
  return position && isAt(position, end) ? 'droppable' : 'kept'
}

/** Where a listed segment ends: for most it is known from the files, and its header need not be read. */
async function endOf({ entries, ledger }: Worker, source: string, { key, storedAtMs }: Listed): Promise<number> {
  const start = parseSegmentKey(key)?.start
  const held = entries.holders(source).map((path) => entries.get(path)?.head)
  return held.find((head) => head?.start === start)?.end ?? (await ledger.header(key, storedAtMs)).end
}

/** Whether the floor would say the same. */
function isAt(position: Position, end: number): boolean {
  return position.published === end && position.announced === end && position.ahead === null
}
