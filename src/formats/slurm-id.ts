/**
 * Slurm's ids of jobs and steps: `123`, `123_4` (array element), `123_[1-3,5%2]` (elements still together), `123+1` (part of a
 * heterogeneous job), each with a step behind it or not: `.batch`, `.extern`, `.0`.
 */

export interface SlurmId {
  /** Without element and step, `+1` included: a part is a job of its own to the accounting. */
  job: string
  element: string | null
  range: string | null
  step: string | null
}

const form = /^(\d{1,20}(?:\+\d{1,10})?)(?:_(?:(\d{1,20})|\[([^\]]{0,4096})\]))?(\+\d{1,10})?(?:\.([\w+.-]{1,64}))?$/

/** Null for what is no such id. */
export function readSlurmId(text: string): SlurmId | null {
  const match = form.exec(text)
  if (!match) return null
  const [, job = '', element, range, part = '', step] = match
  return { job: job + part, element: element ?? null, range: range ?? null, step: step ?? null }
}

/** The record's type. */
export function slurmType({ step }: SlurmId): string {
  if (step === null) return 'job'
  return step === 'batch' || step === 'extern' || step === 'interactive' ? step : 'step'
}
