/**
 * Finished jobs from a root's records stream → PostgreSQL, each exactly once.
 *
 *     GLEANER_CONFIG=gleaner.yaml REDIS_URL=redis://... PGDATABASE=... node subscriber.ts ROOT
 *
 * Rows and position are written in one transaction, so a crash at any moment neither loses nor repeats. A gap shows twice: `seq` jumps or
 * `epoch` changes, and within a source `start` lies beyond what is loaded. Either is filled by `gleaner replay`, which gives the same
 * entries; the primary key leaves out those that are there. What is not archived yet at that time comes with a later filling.
 */

import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { Client } from 'pg'

type Entry = { [name in 'source' | 'start' | 'end' | 'kind' | 'type' | 'time' | 'error' | 'fields']: unknown }
type Place = { epoch: string; seq: string; id: string }

const [root = ''] = process.argv.slice(2)
const stream = `{gleaner:${root}}:records`
const gleaner = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const fillEveryMs = Number(process.env['FILL_EVERY_S'] ?? 600) * 1000
const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const db = new Client()
await db.connect()
await db.query('select pg_advisory_lock(hashtext($1))', [stream]) // a second subscriber waits here for the first to end
await db.query(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'))
const before = await db.query<Place>('select epoch, seq, id from gleaner_stream where root = $1', [root])
const sources = await db.query<{ source: string; loaded: string }>('select * from gleaner_source where root = $1', [
  root,
])
const loaded = new Map(sources.rows.map((row) => [row.source, Number(row.loaded)]))
const loadedOf = (source: unknown): number => loaded.get(String(source)) ?? 0

/** One transaction: the rows of these entries, how far their sources are loaded, and the place in the stream where they came from it. */
async function insert(entries: Entry[], place?: Place): Promise<void> {
  for (const { kind, source, start, end } of entries) {
    if (kind === 'record' && Number(start) <= loadedOf(source))
      loaded.set(String(source), Math.max(loadedOf(source), Number(end)))
  }
  const positions = [...new Set(entries.map(({ source }) => source))].map((source) => [source, loadedOf(source)])
  await db.query('begin')
  await db.query('select gleaner_load($1, $2, $3)', [root, JSON.stringify(entries), JSON.stringify(positions)])
  if (place) await db.query('select gleaner_at($1, $2, $3, $4)', [root, place.epoch, place.seq, place.id])
  await db.query('commit')
}

/** [from, to) of a source out of the archive, as far as it is there by now. */
async function fill(source: unknown, from: number, to: number): Promise<void> {
  const range = ['--source', String(source), '--from', String(from), '--to', String(to)]
  const child = spawn(process.execPath, [gleaner, 'replay', root, ...range], { stdio: ['ignore', 'pipe', 'inherit'] })
  let entries: Entry[] = []
  for await (const line of createInterface(child.stdout)) {
    if (entries.push(JSON.parse(line) as Entry) >= 500) await insert(entries.splice(0))
  }
  await insert(entries)
}

async function fillAll(): Promise<void> {
  const options = { maxBuffer: 2 ** 30 }
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [gleaner, '--json', 'sources', '--root', root],
    options,
  )
  for (const { source, archived } of JSON.parse(stdout) as { source: string; archived: number }[]) {
    if (loadedOf(source) < archived) await fill(source, loadedOf(source), archived)
  }
}

let at: Place = before.rows[0] ?? { epoch: '', seq: '0', id: '0-0' }
for (let filledAt = Number.NEGATIVE_INFINITY; ; ) {
  const read = await redis.xread('COUNT', 500, 'BLOCK', 1000, 'STREAMS', stream, at.id)
  const entries = (read?.[0]?.[1] ?? []).map(([id, texts]) => {
    const entry = Object.fromEntries(texts.flatMap((text, i) => (i % 2 === 0 ? [[text, texts[i + 1] ?? '']] : [])))
    return { ...(entry as Entry & Place), fields: JSON.parse(String(entry['fields'])) as unknown, id }
  })
  const isGap = entries.some(({ epoch, seq }, i) => {
    const last = entries[i - 1] ?? at
    return epoch !== last.epoch || BigInt(seq) !== BigInt(last.seq) + 1n
  })
  if (isGap || performance.now() - filledAt > fillEveryMs) {
    await fillAll()
    filledAt = performance.now()
  }
  for (const { kind, source, start } of entries) {
    if (kind === 'record' && Number(start) > loadedOf(source)) await fill(source, loadedOf(source), Number(start))
  }
  const last = entries.at(-1)
  if (last) await insert(entries, (at = { epoch: last.epoch, seq: last.seq, id: last.id }))
}
