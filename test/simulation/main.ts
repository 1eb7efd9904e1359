/**
 * npm run simulate -- [--seeds N] [--from S] [--stop-after K] | --seed S [--trace] | --mutate NAME [--seeds N]
 * [--scenario JSON]: overrules what a seed draws, such as '{"wipes":true}'
 *
 * Runs N seeds (from S on), or one seed with a trace. A failing seed is printed and replays exactly. With --mutate the product's source is
 * changed by one of the planted faults, and the run must find it.
 */

import { parseArgs } from 'node:util'
import { mutationNames, runMutant } from './mutations.ts'
import type { Outcome, Scenario } from './run.ts'
import { simulate } from './run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    seed: { type: 'string' },
    from: { type: 'string' },
    trace: { type: 'boolean', default: false },
    mutate: { type: 'string' },
    scenario: { type: 'string', default: '{}' },
    'stop-after': { type: 'string', default: '5' },
  },
})

const forced = JSON.parse(values.scenario) as Partial<Scenario>

if (values.mutate !== undefined) {
  if (!mutationNames.includes(values.mutate))
    throw new Error(`no mutation ${values.mutate}; there are: ${mutationNames.join(', ')}`)
  const found = await runMutant(values.mutate, Number(values.seeds))
  console.log(found === null ? `not caught in ${values.seeds} seeds` : `caught by seed ${found.seed}: ${found.problem}`)
  process.exit(found === null ? 1 : 0)
}

if (values.seed !== undefined) {
  const outcome = await simulate(Number(values.seed), {
    forced,
    trace: values.trace ? (line) => console.log(line) : null,
  })
  report(outcome)
  process.exit(outcome.problems.length === 0 ? 0 : 1)
}

const from = Number(values.from ?? '1')
const count = Number(values.seeds)
const startedMs = performance.now()
const totals = { failed: 0, events: 0, archived: 0, published: 0 }
let toldMs = startedMs
for (let seed = from; seed < from + count; seed++) {
  const outcome = await simulate(seed, { forced })
  totals.events += outcome.events
  totals.archived += outcome.archived
  totals.published += outcome.published
  if (outcome.problems.length > 0) {
    totals.failed++
    report(outcome)
    if (totals.failed >= Number(values['stop-after'])) break
  }
  if (performance.now() - toldMs > 60_000) {
    toldMs = performance.now()
    console.error(`seed ${seed}: ${seed - from + 1} of ${count}, ${totals.failed} failed`)
  }
}
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
console.log(
  `${count} seeds from ${from}: ${totals.failed} failed; ${totals.events} events, ${totals.archived} bytes, ${totals.published} entries in ${seconds} s`,
)
process.exit(totals.failed === 0 ? 0 : 1)

function report({ seed, problems, scenario }: Outcome): void {
  if (problems.length === 0) console.log(`seed ${seed}: all holds`)
  else
    console.log(
      `seed ${seed} FAILED ${JSON.stringify(scenario)}\n${problems
        .slice(0, 6)
        .map((problem) => `  ${problem}`)
        .join('\n')}\n  replay: npm run simulate -- --seed ${seed} --trace`,
    )
}
