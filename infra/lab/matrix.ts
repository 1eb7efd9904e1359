/** What was found, as a table per filesystem that a person reads. */

import type { Outcome } from './scene.ts'

export interface Result {
  filesystem: string
  version: string
  outcomes: Outcome[]
  /** Scenarios that make no sense there, and why. */
  left: { scenario: string; reason: string }[]
  /** Why it could not be started. */
  failed: string | null
  seconds: number
}

export function isPassed({ failed, outcomes }: Result): boolean {
  return failed === null && outcomes.every(({ passed }) => passed)
}

export interface About {
  date: string
  kernel: string
  version: string
  /** Of failover, and of what goes on for a time. */
  rounds: number
  seconds: number
}

export function markdownOf(results: Result[], about: About): string {
  const head = `# Where it was tried

Two nodes, real mounts, real processes: \`npm run lab\`. Gleaner ${about.version}, Linux ${about.kernel}, ${about.date}; ${about.rounds} failovers, ${about.seconds} seconds. A watches and B is the
master unless a row says otherwise; times include \`settle.read\` (250 ms) and passes every second. *Lost* and *doubled* count records in the
archive and in the stream against the files as they are in the end.
`
  return [head, overview(results), ...results.map(section)].join('\n')
}

function overview(results: Result[]): string {
  const rows = results.map((result) => {
    const seen = fact(result, 'visibility', 'B: heard by A')
    const lag = `${fact(result, 'visibility', 'B: lag p50 ms')} / ${fact(result, 'visibility', 'B: lag max ms')}`
    const own = `${fact(result, 'visibility', 'A: lag p50 ms')} / ${fact(result, 'visibility', 'A: lag max ms')}`
    const sum = (name: string): number =>
      result.outcomes.map(({ facts }) => Number(facts[name] ?? 0)).reduce((total, one) => total + one, 0)
    const mark = result.failed === null ? (isPassed(result) ? 'passed' : 'FAILED') : 'not started'
    return `| ${result.filesystem} | ${mark} | ${seen} | ${lag} | ${own} | ${sum('written')} | ${sum('lost')} | ${sum('doubled')} |`
  })
  return `| filesystem | | B's changes that A's inotify heard | lag of B's records p50 / max, ms | lag of A's own, ms | records | lost | doubled |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`
}

function fact({ outcomes }: Result, scenario: string, name: string): string {
  return String(outcomes.find((one) => one.scenario === scenario)?.facts[name] ?? '–')
}

function section({ filesystem, version, outcomes, left, failed, seconds }: Result): string {
  if (failed !== null) return `## ${filesystem}\n\nIt could not be started: ${failed}\n`
  const rows = outcomes.map(({ scenario, passed, facts }) => {
    const found = Object.entries(facts).map(([name, value]) => `${name} ${value ?? '–'}`)
    return `| ${scenario} | ${passed ? 'passed' : 'FAILED'} | ${found.join(' · ')} |`
  })
  const problems = outcomes.flatMap(({ scenario, problems }) =>
    problems.map((one) => `- ${scenario}: ${one.slice(0, 300)}`),
  )
  const not = left.map(({ scenario, reason }) => `| ${scenario} | – | ${reason} |`)
  return `## ${filesystem}

${version}. ${Math.round(seconds)} s.

| | | |
|---|---|---|
${[...rows, ...not].join('\n')}
${problems.length === 0 ? '' : `\n${problems.join('\n')}\n`}`
}
