/**
 * Digests (core/digest.ts), made by every process that archives and has a key. Nobody is elected:
 *
 *   due       the newest digest is `sign.every` old, or something that this process created has waited as long for one
 *   make      what this process created, what Redis was told of (`:segments`), and once a day what a list of the archive finds besides
 *   create    of several that make digest n at once, the conditional create lets one be it. The others read it, strike out what it holds,
 *             and go on: their rest is due again by the same rule, and stands in n + 1
 *   sign      whoever created it, at once. One whose maker died before that is checked against the archive by the next process with a
 *             key, and signed by it
 *
 * A process that dies forgets what it created: the segments that were announced are found in Redis, the rest by the next list of the archive.
 * Where there is no Redis, each process begins with such a list.
 */

import type { Digest, DigestItems, Listed } from '../core/digest.ts'
import {
  digestBytes,
  digestItemsMax,
  digestKey,
  digestSignature,
  headsOf,
  readDigest,
  signatureKey,
} from '../core/digest.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import type { SigningKey } from '../core/ssh-key.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Feed } from '../ports/feed.ts'
import type { Store } from '../ports/store.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { commit } from './commit.ts'
import type { ChainLink } from './digest-chain.ts'
import { digestNumbers, lastDigestNumber, linkAt } from './digest-chain.ts'
import { checkDigest, openBoundaries } from './digest-check.ts'
import { digestItems, digestObjects } from './digest-items.ts'
import type { DigestNews } from './digest-news.ts'
import { digestProof } from './digest-news.ts'

const listEveryMs = 86_400_000
/** A list goes by store times, which may lie a little before the create was answered. */
const listMarginMs = 3_600_000
/** Redis has its own clock. */
const announcedMarginMs = 600_000
const announcedPage = 1000
const announcedPagesMax = 200
const partsMax = 10_000
const coveredMax = 200_000
/** How far back a missing signature is looked for, and how long its maker is given. */
const unsignedMax = 50
const unsignedAfterMs = 60_000
const againMs = 60_000

export interface DigestParts {
  store: Store
  clock: Clock
  node: string
  key: SigningKey
  everyMs: number
  news: DigestNews
  feed: Feed | null
  roots: () => string[]
  telemetry: Pick<Telemetry, 'digest' | 'trouble'>
}

export interface Made {
  n: number
  sha256: string
  segments: number
  to: string
}

export interface Digester {
  /** Makes what is due; with `force` one at least, with a list of the archive. Throws `store-*`. */
  turn(options?: { force: boolean }): Promise<{ made: Made[]; againMs: number }>
}

interface State {
  last: ChainLink | null
  /** Where reading `:segments` goes on, by root. */
  heard: Map<string, string>
  /** Keys in digests since `to`, which a list since then need not give again. */
  covered: { to: string; keys: Set<string> } | null
}

export function openDigester(parts: DigestParts): Digester {
  const state: State = { last: null, heard: new Map(), covered: null }
  return {
    async turn({ force } = { force: false }) {
      const { store, news, telemetry } = parts
      const made: Made[] = []
      const before = state.last?.n
      let last = await catchUp(parts, state)
      await hear(parts, state)
      await signMissing(parts, last)
      for (let part = 0; part < partsMax; part++) {
        const nowMs = Math.floor(await store.nowMs())
        const isMore =
          made.length > 0 && (listedOf(last).began !== null || news.keys(digestItemsMax).length === digestItemsMax)
        const isWanted = isMore || (force && made.length === 0) || dueInMs(parts, last, nowMs) === 0
        if (!isWanted) break
        const one = await makeOne(parts, state, { last, nowMs, force })
        if (one) made.push(one)
        last = await catchUp(parts, state)
      }
      if (last.read && last.n !== before)
        telemetry.digest({ n: last.n, toMs: Date.parse(last.read.digest.to), sha256: last.read.sha256 })
      return { made, againMs: dueInMs(parts, last, Math.floor(await store.nowMs())) }
    },
  }
}

/** Makes digests as they become due, until `signal` aborts. */
export async function digestForEver(parts: DigestParts, signal: AbortSignal): Promise<void> {
  const digester = openDigester(parts)
  while (!signal.aborted) {
    const waitMs = await digester.turn().then(
      (turn) => turn.againMs,
      (error: unknown) => {
        parts.telemetry.trouble(error, { role: 'digest' })
        return againMs
      },
    )
    await parts.clock.delay(Math.min(parts.everyMs, Math.max(100, waitMs)), signal)
  }
}

function dueInMs({ everyMs, news }: DigestParts, last: ChainLink, nowMs: number): number {
  if (last.read === null) return 0
  const waited = news.oldestAgeMs()
  const rest = Date.parse(last.read.digest.to) + everyMs - nowMs
  return Math.max(0, Math.min(rest, waited === null ? rest : everyMs - waited))
}

function listedOf(last: ChainLink): Listed {
  return last.read?.digest.listed ?? { to: null, began: null, after: null }
}

/** Reads the digests that came since, and strikes out what they hold. Gives the newest; n is 0 where there is none. */
async function catchUp({ store, news, telemetry }: DigestParts, state: State): Promise<ChainLink> {
  const numbers: number[] = []
  if (state.last === null) {
    const n = await lastDigestNumber(store)
    if (n > 0) numbers.push(n)
  } else for await (const { n } of digestNumbers(store, state.last.n)) numbers.push(n)
  for (const n of numbers) {
    const link = await linkAt(store, n)
    if (link.problem) telemetry.trouble(link.problem, { role: 'digest' })
    if (link.read) {
      news.settle(link.read.digest)
      cover(state, link.read.digest)
    }
    state.last = link
  }
  return state.last ?? { n: 0, sha256: null, read: null, problem: null }
}

function cover({ covered }: State, { segments, revisions, anomalies, expired }: DigestItems): void {
  if (covered === null) return
  for (const list of [segments, revisions, anomalies, expired])
    for (const { key } of list) if (covered.keys.size < coveredMax) covered.keys.add(key)
}

/** Segments that were announced, by any process. Redis being away delays a digest of them, until a list finds them. */
async function hear({ feed, roots, store, news }: DigestParts, { last, heard }: State): Promise<void> {
  if (feed === null) return
  const nowMs = await store.nowMs()
  const fromMs = (last?.read ? Date.parse(last.read.digest.to) : nowMs) - announcedMarginMs
  try {
    for (const root of roots()) {
      for (let page = 0; page < announcedPagesMax; page++) {
        const after = heard.get(root) ?? String(Math.max(0, Math.floor(fromMs)))
        const entries = await feed.announced(root, after, announcedPage)
        for (const { fields } of entries) news.created(String(fields['key'] ?? ''))
        heard.set(root, entries.at(-1)?.id ?? after)
        if (entries.length < announcedPage) break
      }
    }
  } catch (error) {
    if (!isGleanerError(error) || !error.code.startsWith('redis-')) throw error
  }
  if (last?.read) news.settle(last.read.digest)
}

/** Null: another process has made digest n. */
async function makeOne(
  parts: DigestParts,
  state: State,
  at: { last: ChainLink; nowMs: number; force: boolean },
): Promise<Made | null> {
  const { store, clock, node, news, key, telemetry } = parts
  const { last, nowMs } = at
  const before = listedOf(last)
  const isOld = before.to === null || nowMs - Date.parse(before.to) >= listEveryMs
  const keys = new Set(news.keys(digestItemsMax))
  const listed =
    at.force || isOld || news.missed || before.began !== null
      ? await fill(parts, state, { keys, listed: before, nowMs })
      : before
  const { damaged, ...items } = await digestItems(store, [...keys])
  for (const { error } of damaged) telemetry.trouble(error, { role: 'digest' })
  const to = formatRfc3339(Math.max(nowMs, last.read ? Date.parse(last.read.digest.to) : 0))
  const n = last.n + 1
  const bytes = digestBytes({
    v: 1,
    n,
    previous: last.sha256,
    from: last.read?.digest.to ?? null,
    to,
    ...items,
    heads: headsOf(items.segments),
    proven: news.proofs(digestItemsMax).map((proof) => digestProof(proof, { at: to, node })),
    listed,
    node,
    signer: key.publicKey.line,
  } satisfies Digest)
  const isOurs = (there: Buffer): boolean => there.equals(bytes)
  const committed = await commit(store, clock, { key: digestKey(n), body: bytes, isOurs })
  if (committed.by === 'other') return null
  await sign(parts, n, bytes)
  const read = readDigest(bytes, digestKey(n))
  news.settle(read.digest, [...keys])
  if (listed.began === null && listed.to !== before.to) news.missed = false
  return { n, sha256: read.sha256, segments: items.segments.length, to }
}

/** Adds what a list of the archive finds that is in no digest yet, as far as there is room; gives how far the list came. */
async function fill(
  { store }: DigestParts,
  state: State,
  { keys, listed, nowMs }: { keys: Set<string>; listed: Listed; nowMs: number },
): Promise<Listed> {
  const began = listed.began ?? formatRfc3339(nowMs)
  const sinceMs = listed.to === null ? Number.NEGATIVE_INFINITY : Date.parse(listed.to) - listMarginMs
  const covered = listed.to === null ? null : await coveredSince(store, state, listed.to)
  let { after } = listed
  for await (const { key, storedAtMs } of digestObjects(store, after)) {
    const isWanted = storedAtMs >= sinceMs && !covered?.has(key) && !keys.has(key)
    if (isWanted && keys.size >= digestItemsMax) return { to: listed.to, began, after }
    if (isWanted) keys.add(key)
    after = key
  }
  return { to: began, began: null, after: null }
}

/** The keys in the digests since a time, as far as memory is given to it: what is more stands in two digests. */
async function coveredSince(store: Store, state: State, to: string): Promise<Set<string>> {
  if (state.covered?.to === to) return state.covered.keys
  state.covered = { to, keys: new Set() }
  const fromMs = Date.parse(to) - listMarginMs
  for (let n = state.last?.n ?? 0; n > 0 && state.covered.keys.size < coveredMax; n--) {
    const { read } = await linkAt(store, n)
    if (read === null || Date.parse(read.digest.to) < fromMs) break
    cover(state, read.digest)
  }
  return state.covered.keys
}

async function sign({ store, clock, key }: DigestParts, n: number, bytes: Buffer): Promise<void> {
  const body = digestSignature(bytes, key)
  await commit(store, clock, { key: signatureKey(n), body, isOurs: () => true })
}

/** Signs what its maker did not live to sign, if all that it says is so. */
async function signMissing(parts: DigestParts, last: ChainLink): Promise<void> {
  const { store, everyMs, telemetry } = parts
  const nowMs = await store.nowMs()
  for await (const { n, hasDigest, hasSignature, storedAtMs } of digestNumbers(
    store,
    Math.max(0, last.n - unsignedMax),
  )) {
    if (!hasDigest || hasSignature || nowMs - storedAtMs < Math.min(unsignedAfterMs, everyMs)) continue
    const { read } = await linkAt(store, n)
    const previous = n === 1 ? null : (await linkAt(store, n - 1)).read
    if (read === null || (previous === null && n > 1)) continue
    const checking = { store, boundaryOf: openBoundaries(store), root: null }
    const { damaged, missing } = await checkDigest(checking, read, { n, previous })
    if (damaged.length + missing.length === 0) await sign(parts, n, read.bytes)
    else {
      const message = 'it has no signature and gets none, since the archive is not as it says'
      telemetry.trouble(new GleanerError('store-damaged', { operation: 'sign', subject: digestKey(n), message }), {})
    }
  }
}
