import test from 'ava'
import { frame } from '../../src/formats/format.ts'
import { gridengine } from '../../src/formats/gridengine.ts'
import { jsonl } from '../../src/formats/jsonl.ts'
import { tallyOf } from '../../src/formats/tally.ts'

const records = (text: string) => frame(jsonl, Buffer.from(text), { offset: 5, recordBytesMax: 1e6, final: true })

test('records are counted, empty lines and comments are not, and the first error has its place', (t) => {
  t.deepEqual(tallyOf(jsonl, records('\n{"a":1}\nx\n[1]\n'), {}), {
    tried: 3,
    understood: 1,
    jobs: 0,
    firstError: { offset: 14, code: 'not-json' },
  })
  t.deepEqual(tallyOf(gridengine, records('# a\n\n'), {}), { tried: 0, understood: 0, jobs: 0, firstError: null })
})

test('a hundred records tell', (t) => {
  t.is(tallyOf(jsonl, records('{}\n'.repeat(150)), {}).tried, 100)
})
