import test from 'ava'
import type { Framed } from '../../src/formats/format.ts'
import { gridengine } from '../../src/formats/gridengine.ts'
import { rowOf } from '../../src/query/rows.ts'

const place = {} as Parameters<typeof rowOf>[1]

/** A Grid Engine record with this exit status, and this many slots. */
function record(exit: string, slots: string): Framed {
  const usage = '0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0'
  const text = `q:h:g:o:n:1:sge:0:1:2:3:0:${exit}:${usage}:NONE:d:NONE:${slots}:0:1.0:0.0:0.0:-l a=1:0.0:NONE:5.0\n`
  const raw = Buffer.from(text)
  return { start: 0, end: raw.length, raw, flags: [] }
}

test('a number that its column cannot hold is not known, and the rest of the job is', (t) => {
  const jobOf = (framed: Framed) => rowOf(framed, place, { format: gridengine, parse: {} }).job
  t.like(jobOf(record('3', '4')), { exit_code: 3, slots: 4, job_id: '1' })
  t.like(jobOf(record('12345678901230', '99999999999')), { exit_code: null, slots: null, job_id: '1' })
})
