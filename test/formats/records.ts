/**
 * For each format, records as its sources hold them: what the tests of any input mutate and join. One row per format; a format without a
 * row is tested with random bytes alone.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lsfLine } from '../support/lsf-lines.ts'

interface Plausible {
  /** Whole records, newlines included. */
  records: string[]
  /** Pieces at which the format's rules turn. */
  pieces: string[]
  /** Folders of real records, below the samples. */
  samples: string[]
}

const table: Record<string, Plausible> = {
  lines: { records: ['a line\n', 'another\r\n', '\n'], pieces: ['\r', ' '], samples: [] },
  jsonl: {
    records: [
      '{"type":"a","time":"2026-03-01T00:00:00Z","n":12345678901234567890}\n',
      '{"a":["\\u0000",{"b":null}]}\n',
    ],
    pieces: ['"', '\\', '{', '}', '[', '\\ud800', '1e999'],
    samples: [],
  },
  lsf: {
    records: [
      lsfLine(1),
      lsfLine(2).replace(/ 2 1032 .*/, ' 0'),
      '"JOB_FINISH" "22" 1700000000 12 1000 0 1 1699999900 0 0 1699999950 "u" "normal" "" "" "" "h0" "/home/u" "" "" "" "1.12" 0 1 "h1" 64 60.0 "" "sleep 1" 0.01 0.02 1 0 -1 0 0 1 0 0 0 0 -1 0 0 0 1 1 -1 "" "default" 0 1 "" 0 100 200 "" ""\n',
      '"JOB_RESIZE" "10.1" 1644826549 386 0 "si\nmuser" 1 "h1"\n',
      '#comment "JOB_FINISH" "10.1" 1644826549 \n',
    ],
    pieces: [
      '"',
      '""',
      ' "',
      '" ',
      ' ',
      '"JOB_FINISH" "10.1" 1643910039 ',
      '"A" "1" 1234567890 ',
      '\r\n',
      '\t',
      ' 02 ',
      ' -1 ',
    ],
    samples: ['lsf', 'lsf-malformed', 'edge'],
  },
}

const anywhere = ['\n', '\0', '\xff', '\xc3', '']
const samplesDirectory = fileURLToPath(new URL('../../../shared/samples/', import.meta.url))

/** Records and pieces to build inputs of, with the real samples where they are there. */
export function plausible(format: string): { records: Buffer[]; pieces: Buffer[] } {
  const { records, pieces, samples } = table[format] ?? { records: [], pieces: [], samples: [] }
  return {
    records: [...records.map((text) => Buffer.from(text)), ...samples.flatMap(sampleLines)],
    pieces: [...pieces, ...anywhere].map((text) => Buffer.from(text, 'latin1')),
  }
}

function sampleLines(folder: string): Buffer[] {
  const directory = join(samplesDirectory, folder)
  if (!existsSync(directory)) return []
  const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'))
  return texts.flatMap((text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((line) => Buffer.from(line, 'latin1'))
}
