/**
 * The manifest of one root: which table files count, and which bytes of which sources are in them. It is the only truth about the tables;
 * a file that it does not name does not exist for readers.
 *
 *     derived/tables/manifest/<root>/<n>.json.zst     n counts up from 1, in 16 digits; the greatest counts
 *
 * A build reads manifest n, writes files under fresh names, and creates manifest n+1, exclusively: the create is a compare-and-set. Of two
 * builders that began with n one wins; the other removes what it wrote and begins again from the winner's. A builder that dies before its
 * create has changed nothing. So no row is lost or doubled, and no lock is needed.
 *
 * A manifest never changes. What no manifest of the last hour names is removed (sweep.ts), so that a query under way keeps its files.
 *
 * `current` is what readers use. `next` is there while all is built anew for another parser: it takes the place of `current` once it covers
 * what was archived when that build began. The covered bytes of a source are the ranges of all batches: together [first, to), `to` a
 * record boundary.
 */

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { formatRfc3339 } from '../core/rfc3339.ts'
import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import { commit } from '../roles/commit.ts'
import { listAll } from '../roles/ledger.ts'
import type { TableName } from './table-schema.ts'

/** What rows were parsed with: another gives other rows. */
export interface Parser {
  format: string
  version: number
  timezone: string | null
}

/** [source, family, from, to): bytes whose records are in. */
export type CoveredRange = readonly [source: string, family: string, from: number, to: number]

export interface Batch {
  id: number
  ranges: CoveredRange[]
}

export interface TableFile {
  table: TableName
  /** YYYY-MM-DD; null: rows without a time. */
  date: string | null
  key: string
  bytes: number
  rows: number
  /** The batches that its rows are from. */
  batches: number[]
  /** Store times of its segments, ms: the first and the last. */
  archived: [number, number]
  /**
   * Least and greatest value of each time column, ms, and of `job_id` as a number; null where all are NULL. `job_id` is left out where some
   * are no plain numbers.
   */
  times: Record<string, [number, number] | null>
}

export interface TableSet {
  parser: Parser
  batches: Batch[]
  files: TableFile[]
}

export interface Manifest {
  v: 1
  root: string
  /** 0: there is none yet. */
  n: number
  writeId: string
  writtenAt: string
  current: TableSet | null
  next: TableSet | null
}

const bytesMax = 1024 * 1024 * 1024
const attemptsMax = 5

export function manifestPrefix(root: string): string {
  return `derived/tables/manifest/${root}/`
}

function manifestKey(root: string, n: number): string {
  return `${manifestPrefix(root)}${String(n).padStart(16, '0')}.json.zst`
}

/** Manifest key → n, or null for anything else. */
export function manifestNumber(root: string, key: string): number | null {
  const match = /^(\d{16})\.json\.zst$/.exec(key.slice(manifestPrefix(root).length))
  return match ? Number(match[1]) : null
}

/** The one that counts; with n = 0 where nothing has been built. Throws `store-*`, `archive-newer`, `table-missing`. */
export async function latestManifest(derived: Store, root: string): Promise<Manifest> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const numbers = (await listAll(derived, manifestPrefix(root))).flatMap(({ key }) => manifestNumber(root, key) ?? [])
    const n = numbers.at(-1)
    if (n === undefined) return { v: 1, root, n: 0, writeId: '', writtenAt: '', current: null, next: null }
    const manifest = await readManifest(derived, root, n)
    // An old one is removed only when there are newer ones.
    if (manifest) return manifest
  }
  throw new GleanerError('table-missing', {
    operation: 'read',
    subject: manifestPrefix(root),
    message: 'its manifest was listed and is gone',
  })
}

/** Null where it is gone. */
export async function readManifest(derived: Store, root: string, n: number): Promise<Manifest | null> {
  const key = manifestKey(root, n)
  const object = await derived.get(key)
  if (!object) return null
  let manifest: Manifest
  try {
    manifest = JSON.parse(zstdDecompressSync(object.body, { maxOutputLength: bytesMax }).toString('utf8')) as Manifest
  } catch (cause) {
    const message = 'the manifest is not what was written'
    throw new GleanerError('table-missing', { operation: 'read', subject: key, message, cause })
  }
  if (manifest.v === 1) return manifest
  const message = `manifest version ${String(manifest.v)}, this Gleaner knows 1`
  throw new GleanerError('archive-newer', { operation: 'read', subject: key, message })
}

/** Commits the sets as the manifest after `base`; null where another builder was first. Throws `store-*`. */
export async function commitManifest(
  { derived, clock, random }: { derived: Store; clock: Clock; random: () => string },
  base: Manifest,
  sets: Pick<Manifest, 'current' | 'next'>,
): Promise<Manifest | null> {
  const writeId = random()
  const writtenAt = formatRfc3339(clock.wallMs())
  const manifest: Manifest = { v: 1, root: base.root, n: base.n + 1, writeId, writtenAt, ...sets }
  const body = zstdCompressSync(JSON.stringify(manifest))
  const key = manifestKey(base.root, manifest.n)
  const committed = await commit(derived, clock, { key, body, isOurs: (object) => object.equals(body) })
  return committed.by === 'us' ? manifest : null
}

/** How far each source is covered. */
export function coverageOf(set: TableSet | null): Map<string, number> {
  const covered = new Map<string, number>()
  for (const { ranges } of set?.batches ?? []) {
    for (const [source, , , to] of ranges) covered.set(source, Math.max(to, covered.get(source) ?? 0))
  }
  return covered
}
