/**
 * What only a full pass can do, since it has seen every file:
 *
 *  - a new archive with `feed.since: now`: set the position of each file that was there, then open the epoch
 *  - prove what is not proven yet
 *  - sweep: publish from the archive what lies between position and head of sources whose files may be gone
 *  - keep the catalog
 *  - raise the floor, so that Redis forgets the positions of sources that are archived and published
 */

import type { Position } from '../core/position.ts'
import { decodePosition, encodePosition } from '../core/position.ts'
import { parseSegmentKey, segmentPrefix } from '../core/segment.ts'
import type { Epoch, Feed } from '../ports/feed.ts'
import type { Listed } from '../ports/store.ts'
import { isGleanerError } from '../errors.ts'
import { saveCatalog } from './catalog.ts'
import type { RootContext } from './context.ts'
import type { Entry } from './entries.ts'
import type { Mark } from './ledger.ts'
import type { Worker } from './work.ts'

/** The floor stays at least this far behind the pass: what is being committed now must not count as stored by it. */
const floorDelayMs = 10 * 60_000
/** Raising the floor lists the whole archive of a root: not for a handful of positions. */
const positionsWorthDropping = 1000
const page = 10_000
/** Segments of one source that a full pass gives to be proven. */
const provenPerPassMax = 1000

export interface FullPassFacts {
  report: { files: number; bytes: number }
  /** Store time at which the pass began; null: the store was away. */
  startedAt: number | null
  sizes: Map<string, number>
  alone: boolean
}

/** Gives whether all of it could be done; if not, a full pass should follow before long. */
export type FullPass = (facts: FullPassFacts) => Promise<boolean>

export function openFullPass(context: RootContext, worker: Worker): FullPass {
  /** The epoch whose archive was swept by this process. */
  let swept = ''

  const feedPart = async (feed: Feed, facts: FullPassFacts, startedAt: number): Promise<boolean> => {
    worker.epochs?.forget()
    const epoch = await worker.epochs?.current()
    if (!epoch) return true
    if (epoch.state === 'starting') return openEpoch(context, worker, { feed, epoch, sizes: facts.sizes })
    const to = Math.floor(startedAt - floorDelayMs)
    const raise = !facts.alone && to > epoch.floorMs && worker.entries.size >= positionsWorthDropping
    if (raise || swept !== epoch.id) await sweep(context, worker, { feed, epoch, raiseTo: raise ? to : null })
    swept = epoch.id
    return true
  }

  return async (facts) => {
    await worker.caughtUp(2 * context.root.settle.readMs + 100)
    const { startedAt } = facts
    if (startedAt === null) return false
    await proveRest(context, worker)
    let isDone = true
    try {
      if (context.feed) isDone = await feedPart(context.feed, facts, startedAt)
    } catch (error) {
      if (!isGleanerError(error) || !error.code.startsWith('redis-')) throw error
      context.telemetry.trouble(error, { root: context.root.name, role: 'reconcile' })
      isDone = false
    }
    await saveCatalog(context, worker).catch((error: unknown) => {
      if (!isGleanerError(error)) throw error
      context.telemetry.trouble(error, { root: context.root.name, role: 'reconcile' })
    })
    if (facts.alone) await worker.journal.pass({ from: startedAt, to: await context.store.nowMs(), ...facts.report })
    return isDone
  }
}

/**
 * Each file counts as published up to its last line end of when the pass saw it. Not while a file that was there has not become a source yet:
 * without a position it would be published whole.
 */
async function openEpoch(
  context: RootContext,
  worker: Worker,
  { feed, epoch, sizes }: { feed: Feed; epoch: Epoch; sizes: Map<string, number> },
): Promise<boolean> {
  const { root } = context
  const unresolved = [...sizes.keys()]
    .map((path) => worker.entries.get(path))
    .filter((entry) => entry?.stat && entry.source === null && !entry.quiet)
  if (unresolved.length > 0) return false
  for (const [path, size] of sizes) {
    const entry = worker.entries.get(path)
    const head = entry?.source ? await worker.ledger.last(entry.source) : null
    if (!head) continue
    const published = head.end <= size ? head.end : await lastLineEnd(worker, head, size)
    const position = encodePosition({ published, announced: head.end, ahead: null })
    await feed.positionIfAbsent(root.name, epoch.id, { source: head.source, position })
  }
  await feed.open(root.name, epoch.id)
  worker.epochs?.forget()
  for (const path of sizes.keys()) worker.signal({ path, cause: 'reconcile' })
  return true
}

async function lastLineEnd(worker: Worker, head: Mark, size: number): Promise<number> {
  let end = 0
  for await (const { offset, bytes } of worker.ledger.read(head.source, { start: 0, end: size })) {
    const newline = bytes.lastIndexOf(10)
    if (newline >= 0) end = offset + newline + 1
  }
  return end
}

async function proveRest(context: RootContext, worker: Worker): Promise<void> {
  const { feed, root } = context
  const { prover, ledger } = worker
  const held = new Map<string, Entry>()
  for (const entry of worker.entries.all())
    if (entry.source !== null && prover.provenTo(entry.source) < entry.archived) held.set(entry.source, entry)
  const sources = [...held.keys()]
  for (let at = 0; at < sources.length; at += 1000) {
    const some = sources.slice(at, at + 1000)
    const texts = feed ? await feed.proven(root.name, some).catch(() => []) : []
    for (const [index, source] of some.entries()) {
      prover.learn(source, Number((texts[index] ?? '0').split(' ')[0]))
      const { path, archived } = held.get(source) as Entry
      if (prover.provenTo(source) >= archived || prover.isProving(source)) continue
      const listed = await ledger.segmentsFrom(source, prover.provenTo(source))
      for (const { key, storedAtMs } of listed.slice(0, provenPerPassMax)) {
        prover.add(path, [await ledger.header(key, storedAtMs)], { atOnce: false })
      }
    }
  }
}

export interface Reach {
  last: Listed
  /** The last one that was stored by the time asked for. */
  stored: Listed | null
}

/** How far the archive of each source reaches, by one listing of the root's segments. */
export async function reachOf(context: Pick<RootContext, 'root' | 'store'>, byMs: number): Promise<Map<string, Reach>> {
  const sources = new Map<string, Reach>()
  const prefix = segmentPrefix(context.root.name)
  for (let after: string | undefined; ; ) {
    const { objects, more } = await context.store.list(
      prefix,
      after === undefined ? { limit: page } : { after, limit: page },
    )
    for (const listed of objects) {
      const source = parseSegmentKey(listed.key)?.source
      if (!source) continue
      const stored = listed.storedAtMs <= byMs ? listed : (sources.get(source)?.stored ?? null)
      sources.set(source, { last: listed, stored })
    }
    after = objects.at(-1)?.key
    if (!more || after === undefined) return sources
  }
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
    for (const [index, [source, { last, stored }]] of some.entries()) {
      const text = texts[index] ?? null
      worker.publisher?.heard(source, text)
      const position = decodePosition(text ?? '')
      const head = await worker.ledger.header(last.key, last.storedAtMs)
      const isBehind = position ? position.published < head.end : last.storedAtMs > epoch.floorMs
      if (isBehind) await worker.catchUp(source)
      if (raiseTo === null || !stored) continue
      const { end } = await worker.ledger.header(stored.key, stored.storedAtMs)
      if (isBehind && (position?.published ?? 0) < end) complete = false
      else if (position && text !== null && isAt(position, end)) drops.push({ source, position: text })
    }
  }
  if (raiseTo !== null && complete)
    await feed.raiseFloor(root.name, { id: epoch.id, from: epoch.floorMs, to: raiseTo, drops })
}

/** Whether the floor would say the same. */
function isAt(position: Position, end: number): boolean {
  return position.published === end && position.announced === end && position.ahead === null
}
