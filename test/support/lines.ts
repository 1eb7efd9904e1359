/**
 * Counting, after everything: what was written (a directory of files, each the whole content of one source) against what the archive and
 * the stream hold. Each answer is a list of what is wrong, with its place, and empty where nothing is.
 */

import type { Redis } from 'ioredis'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from './process.ts'

/** Name → bytes. */
export type Truth = Map<string, Buffer>

export interface ArchivedSource {
  id: string
  bytes: Buffer
  /** Where each segment ends, and when it was stored. */
  segments: { start: number; end: number; storedAtMs: number }[]
}

export async function readTruth(directory: string): Promise<Truth> {
  const names = (await readdir(directory)).sort()
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)))
}

/** What stock tools make of the archive: `zstd -dc` of each segment, in the order of the keys. */
export async function readArchive(archive: string, root: string): Promise<ArchivedSource[]> {
  const directory = join(archive, 'evidence', 'segments', root)
  const ids = (await readdir(directory).catch((): string[] => [])).sort()
  const sources: ArchivedSource[] = []
  for (const id of ids) {
    const names = (await readdir(join(directory, id))).filter((name) => name.endsWith('.zst')).sort()
    if (names.length > 0)
      sources.push(
        await readSource(
          id,
          names.map((name) => join(directory, id, name)),
        ),
      )
  }
  return sources
}

async function readSource(id: string, files: string[]): Promise<ArchivedSource> {
  const segments: ArchivedSource['segments'] = []
  const { status, stdout: bytes } = await runProgram('zstd', ['-dcq', ...files])
  if (status !== 0) throw new Error(`zstd -dc of ${id} ended with ${status}`)
  const starts = files.map((file) => Number(/(\d{16})\.zst$/.exec(file)?.[1]))
  for (const [index, file] of files.entries()) {
    const { mtimeMs } = await stat(file)
    // In whole milliseconds, as the store tells it: the floor may be of the same one.
    segments.push({
      start: starts[index] ?? 0,
      end: starts[index + 1] ?? bytes.length,
      storedAtMs: Math.floor(mtimeMs),
    })
  }
  return { id, bytes, segments }
}

export interface Counted {
  problems: string[]
  /** Lines that were written, and that are archived. */
  written: number
  archived: number
  /** Each source, with the name of what it holds. */
  sources: Map<string, { name: string; content: Buffer; archived: ArchivedSource }>
}

/**
 * Every complete line of every file is in the archive exactly once: each source is one file's content from its beginning, at least up to its
 * last newline, and no two sources are the same file.
 */
export function countArchive(truth: Truth, archive: ArchivedSource[]): Counted {
  const problems: string[] = []
  const sources: Counted['sources'] = new Map()
  const left = new Map([...truth].filter(([, content]) => completeBytes(content) > 0))
  for (const one of archive) {
    const fits = [...truth].filter(([, content]) => content.subarray(0, one.bytes.length).equals(one.bytes))
    const match = fits.find(([name]) => left.has(name)) ?? fits[0]
    if (match === undefined) {
      problems.push(`source ${one.id} is no file that was written: ${nearest(truth, one.bytes)}`)
      continue
    }
    const [name, content] = match
    if (truth.has(name) && !left.delete(name) && completeBytes(content) > 0)
      problems.push(`source ${one.id} is ${name}, which another source holds too (${linesOf(one.bytes)} lines doubled)`)
    sources.set(one.id, { name, content, archived: one })
    if (one.bytes.length < completeBytes(content))
      problems.push(`source ${one.id}, ${name}: ${lostText(content, one.bytes.length)}`)
  }
  for (const [name, content] of left) problems.push(`${name} is in no source: ${lostText(content, 0)}`)
  return {
    problems,
    written: sum([...truth.values()].map(linesOf)),
    archived: sum(archive.map(({ bytes }) => linesOf(bytes))),
    sources,
  }
}

function lostText(content: Buffer, from: number): string {
  const lost = content.subarray(from, completeBytes(content))
  return `${linesOf(lost)} lines lost from ${from} on: ${lineAt(content, from)}`
}

/** The file that begins most like it, and where they part. */
function nearest(truth: Truth, bytes: Buffer): string {
  let [best, name] = [-1, '']
  for (const [one, content] of truth) {
    const common = commonBytes(content, bytes)
    if (common > best) [best, name] = [common, one]
  }
  const content = truth.get(name) ?? Buffer.alloc(0)
  return `it is ${name} (${content.length} bytes) up to ${best} of ${bytes.length}; then it has ${lineAt(bytes, best)}, written was ${lineAt(content, best)}`
}

export interface StreamEntry {
  id: string
  fields: Record<string, Buffer>
}

/** The whole records stream. */
export async function readStream(client: Redis, root: string): Promise<StreamEntry[]> {
  const entries: StreamEntry[] = []
  for await (const page of streamPages(client, root)) entries.push(...page)
  return entries
}

/** The records stream, some thousands of entries at a time. */
export async function* streamPages(client: Redis, root: string): AsyncGenerator<StreamEntry[]> {
  for (let from = '-'; ; ) {
    const page = (await client.xrangeBuffer(`{gleaner:${root}}:records`, from, '+', 'COUNT', 5000)) as [
      Buffer,
      Buffer[],
    ][]
    yield page.map(([id, flat]) => {
      const fields: Record<string, Buffer> = {}
      for (let n = 0; n + 1 < flat.length; n += 2) fields[String(flat[n])] = flat[n + 1] as Buffer
      return { id: id.toString(), fields }
    })
    const last = page.at(-1)
    if (last === undefined) return
    from = `(${last[0].toString()}`
  }
}

/**
 * Every complete line is in the stream once, in order within its source and without a gap, from where `begins` says (0 by default), with the
 * bytes of the file; `seq` counts from 1 without a gap, in one epoch. What a `revision` entry names may be wrong where `revisable`.
 */
export function countStream(
  entries: StreamEntry[],
  counted: Pick<Counted, 'sources'>,
  { begins, revisable = false }: { begins?: (source: ArchivedSource) => number; revisable?: boolean } = {},
): string[] {
  const counter = streamCounter(counted, { begins, ...(revisable && { isRevised: revisedIn(entries) }) })
  for (const entry of entries) counter.add(entry)
  return counter.problems()
}

export interface StreamCounter {
  /** The next entry. */
  add(entry: StreamEntry): void
  /** All that is wrong, once the last one was added. */
  problems(): string[]
}

/** `countStream` for a stream that is read piece by piece. */
export function streamCounter(
  { sources }: Pick<Counted, 'sources'>,
  {
    begins = () => 0,
    isRevised,
  }: {
    begins?: ((source: ArchivedSource) => number) | undefined
    isRevised?: (source: string, start: number, end: number) => boolean
  } = {},
): StreamCounter {
  const problems: string[] = []
  const at = new Map([...sources].map(([id, { archived }]) => [id, begins(archived)]))
  const mayDiffer = isRevised ?? ((): boolean => false)
  let [epoch, count] = ['', 0]
  const add = ({ id, fields }: StreamEntry): void => {
    const text = (name: string): string => String(fields[name] ?? '')
    const [source, start, end] = [text('source'), Number(text('start')), Number(text('end'))]
    const place = `entry ${id} (${source}, ${start} to ${end}, ${text('path')})`
    if (count++ === 0) epoch = text('epoch')
    if (text('epoch') !== epoch) problems.push(`${place}: epoch ${text('epoch')}, before ${epoch}`)
    if (Number(text('seq')) !== count) problems.push(`${place}: seq ${text('seq')}, expected ${count}`)
    if (text('kind') === 'revision' && isRevised !== undefined) return
    if (text('kind') !== 'record') problems.push(`${place}: kind ${text('kind')}`)
    const known = sources.get(source)
    const expected = at.get(source)
    if (known === undefined || expected === undefined)
      return void problems.push(`${place}: a source that is not archived`)
    if (start < expected) problems.push(`${place}: published again, ${known.name} was at ${expected}`)
    if (start > expected && !mayDiffer(source, expected, start))
      problems.push(
        `${place}: ${known.name} lost in the stream: ${lostText(known.content.subarray(0, start), expected)}`,
      )
    const raw = fields['raw'] ?? Buffer.alloc(0)
    if (!raw.equals(known.content.subarray(start, end)) && !mayDiffer(source, start, end))
      problems.push(`${place}: other bytes than ${known.name}`)
    at.set(source, Math.max(expected, end))
  }
  return {
    add,
    problems() {
      const short = [...sources].filter(([id, { content }]) => (at.get(id) ?? 0) < completeBytes(content))
      const lacking = short.map(
        ([id, { name, content }]) =>
          `the stream lacks the end of ${id}, ${name}: ${lostText(content, at.get(id) ?? 0)}`,
      )
      return [...problems, ...lacking]
    },
  }
}

/** Whether a range of a source lies within what revisions name: one that spans two segments has an entry for each. */
function revisedIn(entries: StreamEntry[]): (source: string, start: number, end: number) => boolean {
  const revised = new Map<string, { start: number; end: number }[]>()
  const ranges = entries
    .filter(({ fields }) => String(fields['kind']) === 'revision')
    .map(({ fields }) => ({
      source: String(fields['source']),
      start: Number(fields['start']),
      end: Number(fields['end']),
    }))
    .toSorted((a, b) => a.start - b.start)
  for (const { source, start, end } of ranges) {
    const joined = revised.get(source) ?? []
    const last = joined.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else joined.push({ start, end })
    revised.set(source, joined)
  }
  return (source, start, end) => revised.get(source)?.some((one) => one.start <= start && end <= one.end) ?? false
}

export function completeBytes(content: Buffer): number {
  return content.lastIndexOf(10) + 1
}

export function linesOf(content: Buffer): number {
  let count = 0
  for (let at = content.indexOf(10); at !== -1; at = content.indexOf(10, at + 1)) count++
  return count
}

function lineAt(content: Buffer, at: number): string {
  const begin = content.lastIndexOf(10, Math.max(0, at - 1)) + 1
  return JSON.stringify(
    content
      .subarray(begin, begin + 70)
      .toString('latin1')
      .split('\n')[0],
  )
}

function commonBytes(a: Buffer, b: Buffer): number {
  let [low, high] = [0, Math.min(a.length, b.length)]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (a.subarray(0, middle).equals(b.subarray(0, middle))) low = middle
    else high = middle - 1
  }
  return low
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
