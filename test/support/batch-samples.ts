/**
 * Real accounting records, third-party and not part of this project: read in place where they are, and the tests that need them say so
 * where they are not.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Format, Framed } from '../../src/formats/format.ts'
import { frame } from '../../src/formats/format.ts'
import { frameStream } from '../../src/formats/stream.ts'

const folder = resolve(import.meta.dirname, '../../../shared/samples')

/** The files of one kind; none where there are no samples. */
export function batchSamples(kind: string): { name: string; bytes: Buffer }[] {
  const path = `${folder}/${kind}`
  if (!existsSync(path)) return []
  return readdirSync(path).map((name) => ({ name, bytes: readFileSync(`${path}/${name}`) }))
}

export interface Expected {
  line: string
  options: { mpi: boolean }
  raises?: string
  /** Of APEL; times in seconds since 1970, memory in KiB. Null: it takes no notice of the line. */
  result?: {
    JobName: string
    LocalUserID: string | null
    LocalUserGroup: string | null
    WallDuration: number
    CpuDuration: number
    StartTime: number
    StopTime: number
    MemoryReal: number | null
    Processors: number
    NodeCount: number
  } | null
}

/** What another accounting tool made of lines that its own tests hold; none where there are no samples. */
export function expectedByApel(name: string): Expected[] {
  const path = `${folder}/expected/${name}`
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Expected[]) : []
}

const all = { offset: 0, recordBytesMax: 1 << 24, final: true }

export function framedWhole(format: Format, bytes: Buffer): Framed[] {
  return frame(format, bytes, all)
}

export async function framedInPieces(format: Format, bytes: Buffer, cuts: number[]): Promise<Framed[]> {
  const ends = [...new Set(cuts.map((at) => at % (bytes.length + 1))), bytes.length].sort((a, b) => a - b)
  const pieces = ends.map((end, index) => bytes.subarray(index === 0 ? 0 : (ends[index - 1] as number), end))
  const records: Framed[] = []
  for await (const some of frameStream(format, pieces, all)) records.push(...some)
  return records
}

/** Whether the records are the bytes, in order, nothing left out and nothing twice. */
export function isCovered(records: Framed[], bytes: Buffer): boolean {
  const inOrder = records.every(({ start }, index) => start === (index === 0 ? 0 : records[index - 1]?.end))
  return inOrder && Buffer.concat(records.map(({ raw }) => raw)).equals(bytes)
}
