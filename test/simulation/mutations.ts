/**
 * Proof that the simulation can fail: each planted fault changes one place of the product's source, in a copy, and a run over the copy
 * must find it. A fault whose place is no longer there is an error, so that the list keeps up with the source.
 */

import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Scenario } from './run.ts'

interface Place {
  file: string
  find: string
  replace: string
}

interface Mutation extends Place {
  /** What makes the fault likely to show. */
  scenario: Partial<Scenario>
  /** What would make good for it before the run ends. */
  also?: Place
}

const mutations: Record<string, Mutation> = {
  'skip-412-comparison': {
    scenario: { nodes: 3, remote: false, sameHeader: true, rotations: true, storeFaults: 0.25, kills: true },
    file: 'roles/segments.ts',
    find: 'if (await isEqual(context, storing, { theirs, object: committed.object.body }))',
    replace: 'if (committed.object)',
  },
  'trust-cache-without-witness': {
    scenario: { rotations: true },
    file: 'roles/visit.ts',
    find: "if (confirm(evidence, probes, look) !== 'same') return null",
    replace: 'if (look.stat.size < mark.end) return null',
  },
  'read-fresh-sizes': {
    scenario: { remote: true, freshLies: 0.5, stickyLies: 0, sameHeader: false, rollbacks: false },
    file: 'roles/settling.ts',
    find: 'return one.fresh ? one.context.root.settle.readMs : 0',
    replace: 'return 0 * (one.fresh ? 1 : 0)',
  },
  'absent-position-is-head': {
    scenario: { redis: true, since: 'all' },
    file: 'roles/publish.ts',
    find: 'listed.storedAtMs <= floorMs).at(-1)',
    replace: 'listed.storedAtMs + floorMs > 0).at(-1)',
  },
  'pass-compares-sizes-only': {
    scenario: { redis: true, rollbacks: true, kills: false },
    file: 'roles/pass.ts',
    find: 'return head !== null && published >= Math.max(head.end, entry.published)',
    replace: 'return head !== null && published >= 0',
    also: { file: 'roles/full-pass.ts', find: 'const passesPerSweep = 6', replace: 'const passesPerSweep = 600' },
  },
  'reconcile-proves-nothing': {
    scenario: { alone: true, nodes: 3, remote: true, stickyLies: 0.3 },
    file: 'roles/catch-up.ts',
    find: 'const provingMsMax = 60_000',
    replace: 'const provingMsMax = 0',
  },
  'publish-under-stale-epoch': {
    scenario: { redis: true, since: 'all', wipes: true },
    file: 'adapters/memory-feed.ts',
    find: 'if (epoch?.id !== batch.epoch || epoch.floorMs !== batch.floorMs || epoch.state',
    replace: 'if (epoch === null || epoch.state',
  },
  'forget-published-ahead': {
    scenario: { redis: true, remote: true, stickyLies: 0.1 },
    file: 'roles/ahead.ts',
    find: 'if (ahead === null || (head <= ahead.at && (ahead.isFalse || !isDisowned))) return { position: before, entries: [] }',
    replace:
      'if (ahead === null || head !== -1) return { position: head < before.published ? before : { ...before, ahead: null }, entries: [] }',
  },
  // A wrong block that is older than settle.read, as ceph-fuse once served: published, and then nobody is told.
  'lasting-lie-not-announced': {
    scenario: { redis: true, remote: true, freshLies: 0, stickyLies: 0.1, rollbacks: false },
    file: 'roles/ahead.ts',
    find: 'return { position: { ...position, published, ahead: rest }, entries }',
    replace: 'return { position: { ...position, published, ahead: rest }, entries: entries.slice(entries.length) }',
  },
  'ignore-boundary': {
    scenario: { expires: true },
    file: 'roles/ledger-segments.ts',
    find: 'const last = mark ?? (await lastExpired(known, source))',
    replace: 'const last = mark ?? (source === "" ? await lastExpired(known, source) : null)',
  },
}

export const mutationNames = Object.keys(mutations)

const project = fileURLToPath(new URL('../../', import.meta.url))

/** Runs the simulation over a changed copy; gives the first failing seed, or null if none of `seeds` fails. */
export async function runMutant(name: string, seeds: number): Promise<{ seed: number; problem: string } | null> {
  const mutation = mutations[name] as Mutation
  const copy = `${await mkdtemp(join(tmpdir(), 'gleaner-mutant-'))}/`
  try {
    await symlink(`${project}node_modules`, `${copy}node_modules`)
    await cp(`${project}src`, `${copy}src`, { recursive: true })
    await cp(`${project}test/simulation`, `${copy}test/simulation`, { recursive: true })
    await writeFile(`${copy}package.json`, '{"type":"module"}')
    for (const { file, find, replace } of [mutation, ...(mutation.also ? [mutation.also] : [])]) {
      const path = `${copy}src/${file}`
      const text = await readFile(path, 'utf8')
      if (text.split(find).length !== 2) throw new Error(`${name}: ${file} does not hold its place exactly once`)
      await writeFile(
        path,
        text.replace(find, () => replace),
      )
    }
    const output = await run(copy, { seeds, scenario: mutation.scenario })
    const failed = /seed (\d+) FAILED.*\n\s+(.*)/.exec(output)
    if (!failed && !/ 0 failed;/.test(output)) throw new Error(`${name}: the run ended early: ${output.slice(-400)}`)
    return failed ? { seed: Number(failed[1]), problem: failed[2] as string } : null
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

function run(copy: string, { seeds, scenario }: { seeds: number; scenario: Partial<Scenario> }): Promise<string> {
  const options = ['--seeds', String(seeds), '--stop-after', '1', '--scenario', JSON.stringify(scenario)]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${copy}test/simulation/main.ts`, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const gather = (chunk: Buffer): void => {
      output += chunk.toString()
    }
    child.stdout.on('data', gather)
    child.stderr.on('data', gather)
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}
