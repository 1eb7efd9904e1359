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
  pbs: {
    records: [
      '03/01/2026 10:00:00;E;7.server;user=u group=g account="a b" jobname=n queue=q ctime=1 qtime=1 etime=1 start=2 exec_host=n1/0*8+n2/0 Exit_status=0 resources_used.walltime=00:01:00 end=3 \n',
      '03/29/2026 02:30:00;Q;123[].server;queue=q\n',
      '03/01/2026 10:00:01;L;license;floating license hour:3\n',
    ],
    pieces: [';', '=', '"', "'", ' ', '03/01/2026 10:00:00;E;', '13/41/2026 25:00:00;'],
    samples: ['pbs'],
  },
  slurm: {
    records: [
      'JobID|User|Submit|Start|End|State|ExitCode|Elapsed\n',
      '12_3|u|2026-03-01T10:00:00|2026-03-01T10:00:01|2026-03-01T10:01:00|CANCELLED by 5|0:15|00:00:59\n',
      'JobId=1 UserId=u(1) GroupId=g(1) Name=n JobState=COMPLETED Partition=p TimeLimit=1 StartTime=2026-03-01T10:00:00 EndTime=2026-03-01T10:00:01 NodeList=n[1-3] NodeCnt=3 ProcCnt=3 WorkDir=/ \n',
    ],
    pieces: ['|', ' JobState=', 'Unknown', 'n[1-999999999]', '12.batch|', '#'],
    samples: ['slurm-sacct', 'slurm-filetxt'],
  },
  gridengine: {
    records: [
      '# Version: 6.0u9\n',
      'q:h:g:o:n:1:sge:0:1:2:3:0:0:1:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:NONE:d:NONE:1:0:0:0:0:-l a=1:2:0:NONE:5\n',
    ],
    pieces: [':', 'NONE', '-l h_rt=24:00:00', '1234567890123', '#'],
    samples: ['gridengine'],
  },
  htcondor: {
    records: [
      'MyType = "Job"\nClusterId = 1\nProcId = 0\nCmd = "a\\"b"\nCompletionDate = 5\n*** Offset = 0 ClusterId = 1 ProcId = 0 Owner = "o" CompletionDate = 5\n',
      'ClusterId = 2\nProcId = 0\nJobStatus = 4\n',
    ],
    pieces: [
      '\n*** ',
      ' = ',
      'Cmd = "a\n',
      '__proto__ = 1\n',
      '\\"',
      '*** Offset = -1 ClusterId = 2 ProcId = 0 Owner = "o" CompletionDate = 5\n',
    ],
    samples: ['htcondor-history', 'htcondor-perjob'],
  },
  csv: {
    records: ['time,name,n\n', '2026-03-01T00:00:00Z,"a\nb ""c""",1\n', 'x;y\n'],
    pieces: [',', ';', '\t', '"', '""', '"\n'],
    samples: [],
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
