/** The lab's command line → what is to be done, or what is wrong with it. */

import { parseArgs } from 'node:util'
import { filesystems, kernelFilesystem, quickFilesystems, quickScenarios, scenarios } from './all.ts'
import type { Filesystem } from './filesystem.ts'
import type { Scenario } from './scene.ts'

export const usage = `npm run lab -- [FILESYSTEM...] [options]

Gleaner on two nodes of real shared filesystems: ${filesystems.map(({ name }) => name).join(', ')}. Default: all of them. Needs root.

  --kernel       ${kernelFilesystem.name} too, AFS by the kernel's own client: builds a module first, a minute
  --only A,B     only these scenarios: ${scenarios.map(({ name }) => name).join(', ')}
  --rounds N     failovers (default 20)
  --seconds N    how long what goes on for a time goes on (default 30)
  --quick        a few seconds and one round, all at once, on ${quickFilesystems.map(({ name }) => name).join(', ')}: what CI runs
  --json         the results as JSON; default: as Markdown (--markdown)
  --keep         leaves the logs in the lab's directory
`

export interface LabOptions {
  filesystems: Filesystem[]
  scenarios: Scenario[]
  rounds: number
  seconds: number
  /** Filesystems are tried at once, not in turn. */
  together: boolean
  json: boolean
  keep: boolean
  help: boolean
  /** Which of its three processes this is; a user starts the first. */
  stage: 'outside' | 'locked' | 'inside'
}

/** Throws with what is wrong, for a person. */
export function optionsOf(argv: string[]): LabOptions {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string' },
      kernel: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      stage: { type: 'string', default: 'outside' },
    },
  })
  const { quick, json, keep, help } = values
  const all = [...filesystems, kernelFilesystem]
  const chosen = named(all, positionals, 'filesystem') ?? (quick ? quickFilesystems : filesystems)
  if (json && values.markdown) throw new Error('--json and --markdown are two ways to say one thing: give one')
  return {
    filesystems: values.kernel ? [...new Set([...chosen, kernelFilesystem])] : chosen,
    scenarios: named(scenarios, values.only?.split(',') ?? [], 'scenario') ?? (quick ? quickScenarios : scenarios),
    rounds: numberOf('--rounds', values.rounds) ?? (quick ? 1 : 20),
    seconds: numberOf('--seconds', values.seconds) ?? (quick ? 4 : 30),
    together: quick && positionals.length === 0 && !values.kernel,
    json,
    keep,
    help,
    stage: values.stage as LabOptions['stage'],
  }
}

/** Those of `all` that are named, in its order; null where none is. */
function named<One extends { name: string }>(all: One[], names: string[], what: string): One[] | null {
  const unknown = names.filter((name) => !all.some((one) => one.name === name))
  if (unknown.length > 0)
    throw new Error(`no ${what} ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`)
  return names.length === 0 ? null : all.filter(({ name }) => names.includes(name))
}

function numberOf(option: string, text: string | undefined): number | null {
  if (text === undefined) return null
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new Error(`${option} takes a whole number from 1 on, not ${text}`)
  return Number(text)
}
