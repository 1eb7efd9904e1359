/**
 * The proof of an answer, in a folder that can be checked without Gleaner and without the archive:
 *
 *     README.txt, check.sh     what it is, and a shell script that checks all of it with stock tools
 *     manifest.json            the summary (report-summary.ts)
 *     jobs.csv                 the answer
 *     records.raw              the raw bytes of its records, one after the other in the order of the archive
 *     records.csv              where each lies in it, and in which segments: position, length, sha256, root, source, offset, skip, from, segments
 *     segments.csv             key, sha256, start, end, records, digest, proven, state
 *     duplicates.csv           records that were left out, and which they repeat
 *     archive/evidence/...     the segments, the digests that name them with their signatures, and boundaries, as they lie in the archive
 *     SHA256SUMS               of all of these, written last
 *
 * Raw bytes are taken from the segments. Where those have expired, or are damaged, they are what the tables keep: `from` is then `table`.
 * One segment at a time is in memory.
 */

import { readFileSync } from 'node:fs'
import type { Json } from '@duckdb/node-api'
import { boundaryKey } from '../core/boundary.ts'
import type { Damage } from '../core/findings.ts'
import { digestKey, signatureKey } from '../core/digest.ts'
import { sha256 } from '../core/hash.ts'
import { framesOf } from '../core/segment.ts'
import { isGleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'
import type { BoundaryOf } from '../roles/digest-check.ts'
import { openBoundaries } from '../roles/digest-check.ts'
import { openLedger } from '../roles/ledger.ts'
import type { Folder } from './report-folder.ts'
import type { ReportSession } from './report.ts'
import { eachRow } from './report.ts'
import type { ReportSegment, Summary } from './report-summary.ts'
import { judged } from './report-summary.ts'
import type { Rows } from './answers.ts'
import { cellOf, csvLine } from './results.ts'
import { checkObject } from './segment-check.ts'

interface Evidence {
  folder: Folder
  store: Store
  report: ReportSession
  segments: ReadonlyMap<string, ReportSegment>
  states: Map<string, 'copied' | 'damaged' | 'expired' | 'missing'>
  damaged: Damage[]
  boundaryOf: BoundaryOf
  /** The last segment that was read. */
  current: { key: string; bytes: Buffer | null }
}

const archiveFolder = 'archive/'

/** Gives the summary with what was found on the way. Throws `store-*`, `query-failed`, and what writing throws. */
export async function writeEvidence(
  { folder, store, report }: Pick<Evidence, 'folder' | 'store' | 'report'>,
  segments: readonly ReportSegment[],
  summary: Summary,
): Promise<Summary> {
  const evidence: Evidence = {
    folder,
    store,
    report,
    segments: new Map(segments.map((one) => [one.key, one])),
    states: new Map(),
    damaged: [],
    boundaryOf: openBoundaries(store),
    current: { key: '', bytes: null },
  }
  await writeRows(folder, 'jobs.csv', await report.rows())
  await writeRecords(evidence)
  for (const { key } of segments) if (!evidence.states.has(key)) await readSegment(evidence, key)
  await writeSegments(evidence)
  await writeRows(folder, 'duplicates.csv', await report.duplicates())
  for (const { n } of summary.digests.used)
    for (const key of [digestKey(n), signatureKey(n)]) await copyOf(evidence, key)
  const whole = judged({ ...summary, damaged: [...summary.damaged, ...evidence.damaged] })
  await folder.put('manifest.json', `${JSON.stringify(whole, null, 2)}\n`)
  for (const name of ['README.txt', 'check.sh'])
    await folder.put(name, readFileSync(new URL(`../archive/report/${name}`, import.meta.url)))
  await folder.seal()
  return whole
}

async function writeRows(folder: Folder, path: string, rows: Rows): Promise<void> {
  const file = await folder.open(path)
  await file.write(`${csvLine(rows.names)}\n`)
  for await (const row of eachRow(rows)) await file.write(`${csvLine(row)}\n`)
  await file.end()
}

const recordNames = ['position', 'length', 'sha256', 'root', 'source', 'offset', 'skip', 'from', 'segments']

async function writeRecords(evidence: Evidence): Promise<void> {
  const [raw, index] = [await evidence.folder.open('records.raw'), await evidence.folder.open('records.csv')]
  await index.write(`${csvLine(recordNames)}\n`)
  let position = 0
  for await (const row of eachRow(await evidence.report.records())) {
    const record = recordOf(row)
    const found = await bytesIn(evidence, record)
    const bytes = found?.bytes ?? record.bytes
    const hash = sha256(bytes)
    if (hash !== record.sha256) {
      const key = `${record.root}/${record.source}:${record.offset}`
      evidence.damaged.push({ key, problem: 'record in its segment', expected: record.sha256, found: hash })
    }
    const first = evidence.segments.get(found?.keys[0] ?? record.segment)
    const place = [record.root, record.source, record.offset, record.offset - (first?.start ?? 0)]
    const keys = (found?.keys ?? [record.segment]).join(' ')
    await raw.write(bytes)
    await index.write(`${csvLine([position, bytes.length, hash, ...place, found ? 'segments' : 'table', keys])}\n`)
    position += bytes.length
  }
  await raw.end()
  await index.end()
}

interface TableRecord {
  root: string
  source: string
  offset: number
  end: number
  segment: string
  sha256: string
  bytes: Buffer
}

function recordOf(row: Json[]): TableRecord {
  const [root = '', source = '', offset, length, segment = '', hash = '', base64 = ''] = row.map(cellOf)
  const end = Number(offset) + Number(length)
  return { root, source, offset: Number(offset), end, segment, sha256: hash, bytes: Buffer.from(base64, 'base64') }
}

/** The record's bytes in the archive, and the segments that hold them; null where these are not there, or damaged. */
async function bytesIn(evidence: Evidence, record: TableRecord): Promise<{ bytes: Buffer; keys: string[] } | null> {
  const { segments, store } = evidence
  const { root, source, offset, end, segment } = record
  const whole = await readSegment(evidence, segment)
  const start = segments.get(segment)?.start ?? 0
  if (whole !== null && offset >= start) return { bytes: whole.subarray(offset - start, end - start), keys: [segment] }
  try {
    const pieces: Buffer[] = []
    const keys = new Set<string>()
    for await (const { bytes, mark } of openLedger(store, root).read(source, { start: offset, end })) {
      pieces.push(bytes)
      keys.add(mark.key)
    }
    return { bytes: Buffer.concat(pieces), keys: [...keys] }
  } catch (error) {
    if (!isGleanerError(error, 'expired', 'store-damaged')) throw error
    return null
  }
}

/** Its raw bytes, once it is copied and found to be what it says; else null, and its boundary is copied where it has expired. */
async function readSegment(evidence: Evidence, key: string): Promise<Buffer | null> {
  const { segments, current, states, store, damaged, folder } = evidence
  if (current.key === key) return current.bytes
  evidence.current = { key, bytes: null }
  const { root, source, start, sha256: expected } = segments.get(key) as ReportSegment
  const object = await store.get(key)
  if (object === null) {
    const boundary = await evidence.boundaryOf(root, source)
    const isExpired = boundary !== null && boundary.end > start
    if (isExpired) await copyOf(evidence, boundaryKey(root, source, boundary.end))
    else damaged.push({ key, problem: 'missing', expected, found: null })
    states.set(key, isExpired ? 'expired' : 'missing')
    return null
  }
  const checked = checkObject(object.body, key, { root, source, start })
  const found = checked.header?.sha256 ?? null
  if (found !== expected && checked.damaged.length === 0)
    checked.damaged.push({ key, problem: 'sha256 in the tables', expected, found })
  if (!states.has(key)) damaged.push(...checked.damaged)
  const isWhole = checked.damaged.length === 0
  states.set(key, isWhole ? 'copied' : 'damaged')
  await folder.put(archiveFolder + key, object.body)
  if (!isWhole) return null
  evidence.current.bytes = Buffer.concat([...framesOf(object.body, key)].map(({ bytes }) => bytes))
  return evidence.current.bytes
}

async function writeSegments({ folder, segments, states }: Evidence): Promise<void> {
  const file = await folder.open('segments.csv')
  await file.write(`${csvLine(['key', 'sha256', 'start', 'end', 'records', 'digest', 'proven', 'state'])}\n`)
  for (const { key, sha256, start, end, records, digest, proven } of segments.values())
    await file.write(`${csvLine([key, sha256, start, end, records, digest, proven, states.get(key) ?? null])}\n`)
  await file.end()
}

async function copyOf({ folder, store }: Evidence, key: string): Promise<void> {
  const object = await store.get(key)
  if (object) await folder.put(archiveFolder + key, object.body)
}
