import type { Format } from '../../src/formats/format.ts'
import type { Job } from '../../src/formats/job.ts'
import { noJob } from '../../src/formats/job.ts'
import { jsonl } from '../../src/formats/jsonl.ts'

/** `jsonl` whose objects with a `job` tell of a finished job: its columns as they are, times in ms. */
export const jobLines: Format = {
  ...jsonl,
  name: 'job-lines',
  job({ fields }) {
    const job = fields['job'] as Partial<Job> | undefined
    return job === undefined ? null : { ...noJob, ...job }
  },
}

/** One record of it. */
export function jobLine(time: string, job: Partial<Job> & { job_id: string }): string {
  const endMs = Date.parse(time)
  return `${JSON.stringify({ type: 'FINISH', time, job: { state: 'completed', end_time: endMs, logged_time: endMs, ...job } })}\n`
}
