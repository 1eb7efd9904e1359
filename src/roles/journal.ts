/**
 * Anomalies and full passes, kept in the archive. An anomaly's key comes from its kind, source and range (or path), so that meeting it
 * again, on another node or after a wipe, does not repeat it.
 */

import type { AnomalyKind } from '../core/anomaly.ts'
import { anomalyId, journalKey, journalPrefix, unfinishedKind } from '../core/anomaly.ts'
import { sha256 } from '../core/hash.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'
import { GleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'
import { commit } from './commit.ts'
import type { RootContext } from './context.ts'
import { listAll } from './ledger.ts'

const readsAtOnce = 16

export interface Anomaly {
  kind: AnomalyKind
  source: string
  path: string
  /** The range it concerns; 0 to 0 where it concerns the whole file. */
  start: number
  end: number
  /** What was seen and what was expected. Never the content of a record. */
  detail: string
}

export interface JournalEntry extends Anomaly {
  v: 1
  id: string
  root: string
  at: string
  node: string
}

export interface Journal {
  /** Keeps it unless it is there already; gives whether it is new. Never throws: an anomaly that cannot be kept is told to telemetry. */
  record(anomaly: Anomaly): Promise<boolean>
  pass(facts: { from: number; to: number; files: number; bytes: number }): Promise<void>
}

export function openJournal(context: RootContext): Journal {
  const { root, node, store, clock, telemetry } = context
  const known = new Set<string>()

  const create = async (id: string, body: object): Promise<boolean> => {
    const bytes = Buffer.from(`${JSON.stringify(body)}\n`)
    const committed = await commit(store, clock, {
      key: journalKey(root.name, id),
      body: bytes,
      isOurs: (there) => there.equals(bytes),
    })
    return committed.by === 'us'
  }

  return {
    async record(anomaly) {
      const { kind, source, path, detail } = anomaly
      const id = anomalyId(anomaly)
      if (known.has(id)) return false
      known.add(id)
      try {
        const at = formatRfc3339(Math.floor(await store.nowMs()))
        const entry: JournalEntry = { v: 1, id, root: root.name, at, node, ...anomaly }
        const isNew = await create(id, entry)
        if (isNew) telemetry.anomaly(root.name, { kind, subject: source || path, detail, id, path })
        return isNew
      } catch (error) {
        known.delete(id)
        telemetry.trouble(error, { root: root.name, anomaly: kind, source, path })
        return false
      }
    },
    async pass(facts) {
      const from = formatRfc3339(Math.floor(facts.from))
      const body = {
        v: 1,
        kind: 'pass',
        root: root.name,
        node,
        ...facts,
        from,
        to: formatRfc3339(Math.floor(facts.to)),
      }
      await create(`pass-${from.replaceAll(':', '')}-${sha256(node).slice(0, 8)}`, body)
    },
  }
}

/** Where sources ended inside of a record (ending.ts). Throws `store-*`. */
export async function unfinishedOf(store: Store, root: string): Promise<Pick<JournalEntry, 'source' | 'end' | 'at'>[]> {
  const listed = await listAll(store, journalPrefix(root) + unfinishedKind)
  const keys = listed.map(({ key }) => key).filter((key) => !key.endsWith('.ack.json'))
  const entries: JournalEntry[] = []
  for (let at = 0; at < keys.length; at += readsAtOnce) {
    const objects = await Promise.all(keys.slice(at, at + readsAtOnce).map((key) => store.get(key)))
    for (const object of objects) if (object) entries.push(JSON.parse(object.body.toString('utf8')) as JournalEntry)
  }
  return entries
}

/** All anomalies of a root, each with whether it was acknowledged. */
export async function anomaliesOf(
  store: Store,
  root: string,
): Promise<(JournalEntry & { acknowledged: string | null })[]> {
  const prefix = journalPrefix(root)
  const keys = (await listAll(store, prefix)).map(({ key }) => key.slice(prefix.length))
  const wanted = keys.filter((key) => !key.startsWith('pass-') && key.endsWith('.json') && !key.endsWith('.ack.json'))
  const acknowledged = new Set(keys.filter((key) => key.endsWith('.ack.json')))
  const entries = await Promise.all(
    wanted.map(async (key) => {
      const object = await store.get(prefix + key)
      if (!object) return null
      const entry = JSON.parse(object.body.toString('utf8')) as JournalEntry
      const ack = key.replace(/\.json$/, '.ack.json')
      const reason = acknowledged.has(ack) ? await reasonOf(store, prefix + ack) : null
      return { ...entry, acknowledged: reason }
    }),
  )
  return entries.filter((entry) => entry !== null)
}

/** Acknowledges one anomaly; throws `not-found` if there is none with this id. Doing it twice changes nothing. */
export async function acknowledge(
  store: Store,
  root: string,
  ack: { id: string; reason: string; node: string },
): Promise<void> {
  const facts = { operation: 'acknowledge', subject: ack.id, message: `root ${root} has no such anomaly` }
  if (!/^[a-z]+-[0-9a-f]{16}$/.test(ack.id) || !(await store.get(journalKey(root, ack.id))))
    throw new GleanerError('not-found', facts)
  const at = formatRfc3339(Math.floor(await store.nowMs()))
  const body = Buffer.from(`${JSON.stringify({ v: 1, ...ack, at })}\n`)
  await store.create(journalKey(root, `${ack.id}.ack`), body)
}

async function reasonOf(store: Store, key: string): Promise<string> {
  const object = await store.get(key)
  return object ? (JSON.parse(object.body.toString('utf8')) as { reason: string }).reason : ''
}
