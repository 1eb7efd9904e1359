/** Holds the archive against what was written, or against the files as they are now. */

import { createHash } from 'node:crypto'
import { segmentPrefix, parseSegmentKey } from '../core/segment.ts'
import type { RootContext } from '../roles/context.ts'
import type { Ledger } from '../roles/ledger.ts'
import { listAll, openLedger } from '../roles/ledger.ts'
import { lookRequest } from '../roles/resolve.ts'
import type { Worker } from '../roles/work.ts'
import type { Generation } from './demo-cluster.ts'
import { bytesText, counted } from './output.ts'

export interface Check {
  equal: boolean
  files: number
  bytes: number
  segments: number
  sources: number
  text: string
  /** The key prefix of a source to look at. */
  example: string | null
}

/** Every generation is one source, byte for byte, and there is no other source. */
export async function checkGenerations(context: RootContext, written: readonly Generation[]): Promise<Check> {
  const archived = await archivedSources(context)
  const digests = new Map(archived.map((source) => [source.sha256, source]))
  const equal =
    archived.length === written.length && written.every(({ sha256, bytes }) => digests.get(sha256)?.bytes === bytes)
  return resultOf(context, archived, { equal, files: written.length, what: 'generations of lsb.acct' })
}

/** What is archived of each file equals the file's own bytes; a file may be longer by a last line without newline. */
export async function checkFiles(context: RootContext, worker: Worker): Promise<Check> {
  const archived = await archivedSources(context)
  const sources = new Map(archived.map((source) => [source.source, source]))
  let equal = true
  let files = 0
  for (const { path, source } of worker.entries.all()) {
    const there = source === null ? undefined : sources.get(source)
    if (!there) continue
    files++
    const probes = [{ start: 0, end: there.bytes }]
    const look = await context.files.look(path, lookRequest({ probes, fresh: worker.remote() })).catch(() => null)
    const [sha256] = look?.probes ?? []
    equal &&= typeof sha256 !== 'string' || sha256 === there.sha256
  }
  return resultOf(context, archived, { equal, files, what: 'files' })
}

interface Archived {
  source: string
  bytes: number
  segments: number
  sha256: string
}

async function archivedSources({ store, root }: RootContext): Promise<Archived[]> {
  const ledger = openLedger(store, root.name)
  const counts = new Map<string, number>()
  for (const { key } of await listAll(store, segmentPrefix(root.name))) {
    const source = parseSegmentKey(key)?.source
    if (source) counts.set(source, (counts.get(source) ?? 0) + 1)
  }
  const sources: Archived[] = []
  for (const [source, segments] of counts) sources.push({ source, segments, ...(await digestOf(ledger, source)) })
  return sources
}

async function digestOf(ledger: Ledger, source: string): Promise<{ bytes: number; sha256: string }> {
  const bytes = (await ledger.last(source))?.end ?? 0
  const hash = createHash('sha256')
  for await (const piece of ledger.read(source, { start: 0, end: bytes })) hash.update(piece.bytes)
  return { bytes, sha256: hash.digest('hex') }
}

function resultOf(
  { root }: RootContext,
  archived: readonly Archived[],
  found: { equal: boolean; files: number; what: string },
): Check {
  const bytes = archived.reduce((sum, one) => sum + one.bytes, 0)
  const segments = archived.reduce((sum, one) => sum + one.segments, 0)
  const text = `${found.files} ${found.what}, ${bytesText(bytes)} in ${counted(segments, 'segment')} of ${counted(archived.length, 'source')}.`
  const example = archived[0] ? segmentPrefix(root.name) + archived[0].source : null
  return { equal: found.equal, files: found.files, bytes, segments, sources: archived.length, text, example }
}
