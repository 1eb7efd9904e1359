import test from 'ava'
import { guessFormat } from '../../src/formats/guess.ts'
import { formats } from '../../src/formats/registry.ts'
import { samplesOf } from '../support/samples.ts'

const ad = 'MyType = "Job"\nClusterId = 1\n*** Offset = 0 ClusterId = 1 ProcId = 0 Owner = "o" CompletionDate = 5\n'
const accounting =
  'q:h:g:o:n:1:sge:0:1:2:3:0:0:1:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:NONE:d:NONE:1:0:0:0:0:-l a=1:2:0:NONE:5\n'

const guesses: [string, string][] = [
  ['{"a":1}\n{"b":2}\n', 'jsonl'],
  ['{"a":1}\n\n{"b":', 'jsonl'],
  ['{"a":1}', 'jsonl'],
  ['{"a":1}\nplain\n', 'lines'],
  ['{"a":1}\n{"b":2}\nplain\n', 'jsonl'],
  ['[1]\n', 'lines'],
  ['plain\n', 'lines'],
  ['', 'lines'],
  ['\n\n', 'lines'],
  ['# only\n# comments\n', 'lines'],
  ['\0\u0001\n\xFF', 'lines'],
  [`# Version\n${accounting}`, 'gridengine'],
  [accounting.trimEnd(), 'gridengine'],
  [ad, 'htcondor'],
  ['MyType = "Job"\n', 'htcondor'],
  [`${ad}MyType = "Job"\nOwn`, 'htcondor'],
  ['host = "a"\nport = 5\n', 'lines'],
  ['a,b\n1,2\n3,4\n', 'csv'],
  ['a,b\n1,2\n3,4\n5,"x\n', 'csv'],
  ['a,b\n1,2\n', 'lines'],
  ['a,b\n1,2\n3\n', 'lines'],
  ['a\n1\n2\n', 'lines'],
]
for (const [text, expected] of guesses) {
  test(`${JSON.stringify(text).slice(0, 60)} (${text.length}) is taken for ${expected}`, (t) =>
    t.is(guessFormat(Buffer.from(text), formats).format.name, expected))
}

const kinds: [string, string][] = [
  ['gridengine', 'gridengine'],
  ['htcondor-history', 'htcondor'],
  ['htcondor-perjob', 'htcondor'],
  ['lsf', 'lsf'],
  ['pbs', 'pbs'],
  ['slurm-sacct', 'slurm'],
  ['slurm-filetxt', 'slurm'],
]
for (const [kind, format] of kinds) {
  if (!formats.some(({ name }) => name === format)) continue
  for (const { name, bytes } of samplesOf(kind))
    test(`${name} is taken for ${format}`, (t) => t.is(guessFormat(bytes, formats).format.name, format))
}
