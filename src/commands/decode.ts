/**
 * `gleaner decode`: a file, or stdin, to NDJSON records, with no configuration, archive or Redis. A `.gz` or `.zst` file is read as its content.
 *
 * Streams: what is held is one record of at most 16 MiB (a longer one is cut, as collecting does) and one piece of input.
 */

import { createReadStream } from 'node:fs'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import type { Command } from 'commander'
import { compileFamilyRules, familyOf } from '../core/family.ts'
import { encodePath } from '../core/path.ts'
import { GleanerError, messageOf } from '../errors.ts'
import { entryLine, recordEntry } from '../formats/entry.ts'
import type { Format, ParseContext } from '../formats/format.ts'
import { sourceContext } from '../formats/format.ts'
import { guessFormat } from '../formats/guess.ts'
import { formatNames, formatOf, formats } from '../formats/registry.ts'
import { frameStream } from '../formats/stream.ts'
import type { App } from './app.ts'
import { openLines } from './lines.ts'

/** The defaults of `limits.lineBytesMax` and `feed.recordBytesMax`: the records that a collector would make. */
const recordBytesMax = 16 * 1024 * 1024
const rawBytesMax = 1024 * 1024
const guessBytes = 64 * 1024

interface Options {
  format: string
  timezone?: string
}

export function decodeCommand(program: Command, app: App): void {
  program
    .command('decode')
    .description('a file or stdin to NDJSON records; needs no configuration')
    .argument('[file]', 'the file; stdin if left out, or -')
    .option('--format <name>', `auto, or one of ${formatNames.join(', ')}`, 'auto')
    .option('--timezone <zone>', 'IANA zone of times that have none, such as Europe/Zurich')
    .action((file: string | undefined, options: Options) => decode(app, file === '-' ? undefined : file, options))
}

async function decode(app: App, file: string | undefined, { format: name, timezone }: Options): Promise<void> {
  const known = name === 'auto' ? null : formatNamed(name)
  const parse: ParseContext = timezone === undefined ? {} : { timezone: checkedZone(timezone) }
  const input = named(openInput(file), file)
  const begun = await begin(input, known)
  const format = known ?? guess(Buffer.concat(begun.beginning))
  const path = file === undefined ? '' : encodePath(Buffer.from(file))
  const family = familyOf(path, compileFamilyRules({ rotation: format.rotation, oldDirectories: [] }))
  const context = sourceContext(format, parse, Buffer.concat(begun.beginning))
  const place = { source: '', path, family, rawBytesMax, parse: context }
  const lines = openLines(app)
  for await (const records of frameStream(format, joined(begun.beginning, begun.rest), { recordBytesMax })) {
    for (const framed of records) {
      if (!(await lines.put(entryLine(recordEntry(format, framed, place))))) return
    }
    if (!(await lines.flush())) return
  }
}

function formatNamed(name: string): Format {
  if (formatNames.includes(name)) return formatOf(name)
  throw usage('--format', `${name} is no format; expected auto or one of ${formatNames.join(', ')}`)
}

function checkedZone(timezone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: timezone }).resolvedOptions().timeZone
  } catch {
    throw usage('--timezone', `${timezone} is no IANA time zone`)
  }
}

function guess(beginning: Buffer): Format {
  const { format, tally } = guessFormat(beginning, formats)
  const { understood, tried } = tally
  const counted =
    tried === 0 ? 'there is nothing to tell by' : `${understood} of its first ${tried} records are understood`
  process.stderr.write(`gleaner: --format auto: taken for ${format.name}: ${counted}\n`)
  return format
}

function openInput(file: string | undefined): Readable {
  if (file === undefined) return process.stdin
  const raw = createReadStream(file, { highWaterMark: 256 * 1024 })
  const expand = file.endsWith('.gz') ? createGunzip() : file.endsWith('.zst') ? createZstdDecompress() : null
  // A failure of either reaches whoever reads the end of the pipe.
  return expand === null ? raw : pipeline(raw, expand, () => undefined)
}

/** The pieces, each failure with its name. */
async function* named(input: Readable, file: string | undefined): AsyncGenerator<Buffer> {
  try {
    for await (const piece of input) yield piece as Buffer
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    const subject = file ?? 'stdin'
    if (code === 'ENOENT' || code === 'EISDIR')
      throw usage(subject, code === 'ENOENT' ? 'no such file' : 'it is a directory')
    const known =
      code === 'EACCES'
        ? 'file-unreadable'
        : code.startsWith('Z_') || code.startsWith('ZSTD_')
          ? 'file-torn'
          : 'file-io'
    throw new GleanerError(known, { operation: 'decode', subject, message: messageOf(cause) ?? code, cause })
  }
}

/** As much as a guess needs, or a format whose sources begin with a line of column names: some whole lines, but no waiting for more. */
async function begin(
  input: AsyncGenerator<Buffer>,
  known: Format | null,
): Promise<{ beginning: Buffer[]; rest: AsyncGenerator<Buffer> }> {
  const beginning: Buffer[] = []
  if (known !== null && !known.columns) return { beginning, rest: input }
  for (let bytes = 0; bytes < guessBytes; ) {
    const next = await input.next()
    if (next.done) break
    beginning.push(next.value)
    bytes += next.value.length
    const isEnough = known === null ? next.value.includes(10) : known.endOf(Buffer.concat(beginning), 0, false) !== null
    if (isEnough) break
  }
  return { beginning, rest: input }
}

async function* joined(beginning: Buffer[], rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield* beginning
  yield* rest
}

function usage(subject: string, message: string): GleanerError {
  return new GleanerError('usage', { operation: 'decode', subject, message })
}
