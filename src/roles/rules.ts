/**
 * What an archive is begun with, each created once and never changed:
 *
 *     evidence/store.json             {v, reader, id}: the format's version, the lowest version that can read it, the archive's id
 *     evidence/roots/<root>.json      the root's frozen rules (core/rules.ts)
 *     evidence/roots/<root>.<k>.json  what was added to them; k counts up from 1
 *
 * Many nodes may begin one archive at once: one create wins, the others read what it wrote and are judged by it. Two that add at once
 * race for the same k; the loser reads the winner's addition and adds what is still missing as the next.
 */

import type { RootRules } from '../core/family.ts'
import type { RulesAddition, RulesDifference } from '../core/rules.ts'
import { compareRules, withAdditions } from '../core/rules.ts'
import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import { commit } from './commit.ts'

const version = 1
const additionsMax = 1000

export interface StoreFile {
  v: number
  /** The lowest format version that a reader must know. */
  reader: number
  id: string
}

export interface Archive {
  store: Store
  clock: Clock
  random: () => string
}

/** Begins the archive or finds it begun, to write to it. Throws `archive-newer`, `store-*`. */
export async function openArchive({ store, clock, random }: Archive): Promise<StoreFile> {
  const there = await store.get(storeKey)
  if (there) return checkedStore(there.body, 'write')
  const body = bytesOf({ v: version, reader: version, id: random() } satisfies StoreFile)
  const committed = await commit(store, clock, { key: storeKey, body, isOurs: (object) => object.equals(body) })
  return checkedStore(committed.by === 'us' ? body : committed.object.body, 'write')
}

/** What `store.json` says, or null where the archive has not been begun. Throws `archive-newer`, `store-*`. */
export async function readArchive(store: Store): Promise<StoreFile | null> {
  const object = await store.get(storeKey)
  return object && checkedStore(object.body, 'read')
}

/**
 * Freezes the rules of a root, or checks them against those that are frozen, and adds what may be added. Gives the effective ones.
 * Throws `rules-frozen` naming every difference, `store-*`.
 */
export async function freezeRules(
  { store, clock }: Pick<Archive, 'store' | 'clock'>,
  wanted: RootRules,
): Promise<RootRules> {
  const body = bytesOf(wanted)
  const key = rulesKey(wanted.root)
  if (!(await store.get(key))) await commit(store, clock, { key, body, isOurs: (object) => object.equals(body) })
  for (let attempt = 0; attempt < additionsMax; attempt++) {
    const frozen = await readRules(store, wanted.root)
    if (!frozen) throw damaged(key, 'it was created and is missing')
    const { added } = checked(frozen, wanted)
    if (added === null) return withAdditions(frozen.base, frozen.additions)
    const addition: RulesAddition = { v: 1, root: wanted.root, addition: frozen.next, ...added }
    const bytes = bytesOf(addition)
    await commit(store, clock, {
      key: rulesKey(`${wanted.root}.${frozen.next}`),
      body: bytes,
      isOurs: (object) => object.equals(bytes),
    })
  }
  throw damaged(key, `it has more than ${additionsMax} additions`)
}

/**
 * The effective rules for reading: the frozen ones, or those of the configuration where the archive has none yet. Writes nothing. Throws
 * `rules-frozen`, `archive-newer`, `store-*`.
 */
export async function effectiveRules(store: Store, wanted: RootRules): Promise<RootRules> {
  const [, frozen] = await Promise.all([readArchive(store), readRules(store, wanted.root)])
  if (!frozen) return wanted
  const { added } = checked(frozen, wanted)
  const more: RulesAddition[] = added === null ? [] : [{ v: 1, root: wanted.root, addition: frozen.next, ...added }]
  return withAdditions(frozen.base, [...frozen.additions, ...more])
}

interface Frozen {
  base: RootRules
  additions: RulesAddition[]
  /** The number of the next addition. */
  next: number
}

async function readRules(store: Store, root: string): Promise<Frozen | null> {
  const key = rulesKey(root)
  const object = await store.get(key)
  if (!object) return null
  const base = parsed(object.body, key) as RootRules
  if (base.root !== root || 'addition' in base) throw taken(key, base.root)
  const additions: RulesAddition[] = []
  for (let k = 1; ; k++) {
    const keyOfK = rulesKey(`${root}.${k}`)
    const there = await store.get(keyOfK)
    if (!there) return { base, additions, next: k }
    // A root may be called `a.1`: then this key holds its rules, and the additions of `a` go on behind it.
    const addition = parsed(there.body, keyOfK) as RulesAddition
    if (addition.root === root && 'addition' in addition) additions.push(addition)
  }
}

function checked({ base, additions }: Frozen, wanted: RootRules): RulesDifference {
  const difference = compareRules(base, additions, wanted)
  if (difference.refused.length === 0) return difference
  throw new GleanerError('rules-frozen', {
    operation: 'open root',
    subject: wanted.root,
    message: difference.refused.join('; '),
  })
}

/** A reader needs the version that `reader` names; a writer must know all that may be there. */
function checkedStore(body: Buffer, use: 'read' | 'write'): StoreFile {
  const found = parsed(body, storeKey) as StoreFile
  if (version >= (use === 'read' ? found.reader : Math.max(found.v, found.reader))) return found
  const message = `its format is ${found.v}, this Gleaner knows ${version}`
  throw new GleanerError('archive-newer', { operation: 'open archive', subject: storeKey, message })
}

function parsed(body: Buffer, key: string): { v: number } {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (typeof value === 'object' && value !== null && typeof (value as { v?: unknown }).v === 'number')
      return value as { v: number }
  } catch {
    // Said below.
  }
  throw damaged(key, 'it is not the JSON that was written')
}

function taken(key: string, root: string): GleanerError {
  const message = `${key} belongs to root ${root}; give this root another name`
  return new GleanerError('config-invalid', { operation: 'open root', subject: key, message })
}

function damaged(subject: string, message: string): GleanerError {
  return new GleanerError('store-damaged', { operation: 'read', subject, message })
}

function bytesOf(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}

function rulesKey(name: string): string {
  return `evidence/roots/${name}.json`
}

const storeKey = 'evidence/store.json'
