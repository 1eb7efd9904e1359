/** Each filesystem in turn, or all together: started, every scenario run on it, ended. One that cannot start, or a scenario that throws, is a failure of its own. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Filesystem, Mounted } from './filesystem.ts'
import type { Result } from './matrix.ts'
import type { Outcome, Scenario, Scene } from './scene.ts'
import { sceneOf } from './scene.ts'

export interface RunOptions {
  rounds: number
  seconds: number
  scenarios: Scenario[]
  /** All filesystems at once: only those that need nothing that is there once, such as the network. */
  together: boolean
  say: (text: string) => void
}

export async function runAll(filesystems: Filesystem[], work: string, options: RunOptions): Promise<Result[]> {
  const run = (filesystem: Filesystem): Promise<Result> => {
    const say = (text: string): void => options.say(`${filesystem.name}: ${text}`)
    return runOne(filesystem, join(work, filesystem.name), { ...options, say })
  }
  if (options.together) return Promise.all(filesystems.map(run))
  const results: Result[] = []
  for (const filesystem of filesystems) results.push(await run(filesystem))
  return results
}

async function runOne(filesystem: Filesystem, dir: string, options: RunOptions): Promise<Result> {
  const { say } = options
  const began = performance.now()
  const result: Result = { filesystem: filesystem.name, version: '', outcomes: [], left: [], failed: null, seconds: 0 }
  mkdirSync(dir, { recursive: true })
  let mounted: Mounted | null = null
  try {
    mounted = await filesystem.start(dir)
    result.version = mounted.version
    say(`mounted on both nodes after ${seconds(began)} s (${mounted.version})`)
    const scene = sceneOf(mounted, dir, options)
    for (const scenario of options.scenarios) {
      const reason = scenario.notFor?.(mounted) ?? null
      if (reason === null) result.outcomes.push(await attempt(scenario, scene))
      else result.left.push({ scenario: scenario.name, reason })
    }
  } catch (error) {
    result.failed = messageOf(error)
    say(result.failed)
  }
  await mounted?.stop().catch((error: unknown) => say(messageOf(error)))
  return { ...result, seconds: seconds(began) }
}

async function attempt(scenario: Scenario, scene: Scene): Promise<Outcome> {
  const began = performance.now()
  const found = await scenario.run(scene).catch(async (error: unknown) => {
    await renew(scene)
    return { facts: {}, problems: [`it broke off: ${messageOf(error)}`] }
  })
  const passed = found.problems.length === 0
  scene.say(`${scenario.name} ${passed ? 'passed' : 'FAILED'} in ${seconds(began)} s ${JSON.stringify(found.facts)}`)
  for (const problem of found.problems.slice(0, 5)) scene.say(`  ${problem.slice(0, 400)}`)
  return { scenario: scenario.name, passed, ...found }
}

/** Both nodes anew: one of them may have died, or still be at what broke off. */
async function renew({ mounted }: Scene): Promise<void> {
  for (const node of [mounted.a, mounted.b]) {
    await node.kill()
    await node.revive()
  }
}

function seconds(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 100) / 10
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
