/**
 * Proof that the simulation can fail: each planted fault changes one place of the product's source, in a copy, and a run over the copy
 * must find it. A fault whose place is no longer there is an error, so that the list keeps up with the source.
 */

import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Mutation {
  file: string
  find: string
  replace: string
}

const mutations: Record<string, Mutation> = {
  'skip-412-comparison': {
    file: 'roles/segments.ts',
    find: 'if (await isEqual(context, storing, { theirs, object: committed.object.body }))',
    replace: 'if (committed.object)',
  },
  'trust-cache-without-witness': {
    file: 'roles/visit.ts',
    find: "if (confirm(evidence, probes, look) !== 'same') return null",
    replace: 'if (look.stat.size < mark.end) return null',
  },
  'read-fresh-sizes': {
    file: 'roles/settling.ts',
    find: 'return one.fresh ? one.context.root.settle.readMs : 0',
    replace: 'return 0 * (one.fresh ? 1 : 0)',
  },
  'absent-position-is-head': {
    file: 'roles/publish.ts',
    find: 'listed.storedAtMs <= floorMs).at(-1)',
    replace: 'listed.storedAtMs + floorMs > 0).at(-1)',
  },
  'pass-compares-sizes-only': {
    file: 'roles/reconcile.ts',
    find: 'return head !== null && (published === null || published >= Math.max(head.end, entry.published))',
    replace: 'return head !== null && (published === null || published >= 0)',
  },
  'publish-under-stale-epoch': {
    file: 'adapters/memory-feed.ts',
    find: 'if (epoch?.id !== batch.epoch || epoch.floorMs !== batch.floorMs || epoch.state',
    replace: 'if (epoch === null || epoch.state',
  },
  'forget-published-ahead': {
    file: 'roles/ahead.ts',
    find: 'if (ahead === null || head <= ahead.at) return { position: before, entries: [] }',
    replace: 'if (ahead === null || head !== -1) return { position: head < before.published ? before : { ...before, ahead: null }, entries: [] }',
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
    const path = `${copy}src/${mutation.file}`
    const text = await readFile(path, 'utf8')
    if (text.split(mutation.find).length !== 2) throw new Error(`${name}: ${mutation.file} does not hold its place exactly once`)
    await writeFile(path, text.replace(mutation.find, () => mutation.replace))
    const output = await run(copy, seeds)
    const failed = /seed (\d+) FAILED.*\n\s+(.*)/.exec(output)
    if (!failed && !/ 0 failed;/.test(output)) throw new Error(`${name}: the run ended early: ${output.slice(-400)}`)
    return failed ? { seed: Number(failed[1]), problem: failed[2] as string } : null
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

function run(copy: string, seeds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${copy}test/simulation/main.ts`, '--seeds', String(seeds), '--stop-after', '1'], { stdio: ['ignore', 'pipe', 'pipe'] })
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
