import test from 'ava'
import { mutationNames, runMutant } from './mutations.ts'
import { simulate } from './run.ts'

const seeds = 60

test('whatever fails, everything is archived and published once', async (t) => {
  let archived = 0
  let published = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const outcome = await simulate(seed)
    t.deepEqual(outcome.problems, [], `seed ${seed}: npm run simulate -- --seed ${seed} --trace`)
    archived += outcome.archived
    published += outcome.published
  }
  t.true(archived > 100_000, 'the runs archived something')
  t.true(published > 1000, 'the runs published something')
})

test('the same seed gives the same run', async (t) => {
  const [one, other] = [await simulate(4711), await simulate(4711)]
  t.deepEqual(one, other)
})

for (const name of mutationNames) {
  test(`a planted fault is found: ${name}`, async (t) => {
    t.timeout(300_000)
    const found = await runMutant(name, 3000)
    t.not(found, null, 'no seed failed: the simulation cannot see this fault')
    t.log(`seed ${found?.seed}: ${found?.problem}`)
  })
}
