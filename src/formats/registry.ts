/** The formats by name. */

import { GleanerError } from '../errors.ts'
import type { Format } from './format.ts'
import { csv } from './csv.ts'
import { gridengine } from './gridengine.ts'
import { htcondor } from './htcondor.ts'
import { jsonl } from './jsonl.ts'
import { lines } from './lines.ts'
import { lsf } from './lsf.ts'
import { pbs } from './pbs.ts'
import { slurm } from './slurm.ts'

export const formats: readonly Format[] = [lsf, pbs, slurm, gridengine, htcondor, csv, jsonl, lines]

export const formatNames = formats.map((format) => format.name)

export function formatOf(name: string): Format {
  const format = formats.find((one) => one.name === name)
  if (format) return format
  const facts = { operation: 'choose format', subject: name, message: `expected one of ${formatNames.join(', ')}` }
  throw new GleanerError('config-invalid', facts)
}
