/**
 * `npm run container [-- CHECK...]`: builds the images and tries them, in real containers. As root, with Debian's buildah and podman; all
 * state is in a temporary directory and gone at the end, also after a failure. `--dir DIR` keeps images there, for the next time.
 *
 * Exit status 1 where a check failed, 2 where something that is needed is missing.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { checks } from './checks.ts'
import { missingHere, openEngine } from './engine.ts'
import type { Engine } from './engine.ts'
import { makeBase, makeImages } from './images.ts'
import { openSite } from './site.ts'

const { values, positionals } = parseArgs({ allowPositionals: true, options: { dir: { type: 'string' } } })
const unknown = positionals.filter((name) => !Object.hasOwn(checks, name))
const refused =
  unknown.length > 0
    ? `no such check: ${unknown.join(', ')}; expected some of ${Object.keys(checks).join(', ')}`
    : missingHere()
if (refused === null) process.exitCode = await all()
else {
  process.stderr.write(`container: ${refused}\n`)
  process.exitCode = 2
}

async function all(): Promise<number> {
  const engine = openEngine(
    values.dir === undefined ? mkdtempSync(join(tmpdir(), 'gleaner-oci-')) : resolve(values.dir),
  )
  const close = (): void => (values.dir === undefined ? engine.close() : clear(engine))
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      close()
      process.exit(130)
    })
  try {
    timed('base images', () => makeBase(engine))
    timed('images', () => makeImages(engine))
    let failed = 0
    for (const [name, check] of Object.entries(checks)) {
      if (positionals.length > 0 && !positionals.includes(name)) continue
      try {
        say(name, await check(openSite(engine, name)))
      } catch (error) {
        failed += 1
        say(name, `FAILED: ${error instanceof Error ? error.message : String(error)}`)
      }
      clear(engine)
    }
    return failed > 0 ? 1 : 0
  } finally {
    close()
  }
}

/** The containers and what they worked on. */
function clear(engine: Engine): void {
  engine.tryPodman('rm', '--all', '--force', '--time', '1')
  rmSync(join(engine.dir, 'sites'), { recursive: true, force: true })
}

function timed(name: string, make: () => void): void {
  const began = performance.now()
  make()
  say(name, `${((performance.now() - began) / 1000).toFixed(1)} s`)
}

function say(name: string, text: string): void {
  process.stdout.write(`${name.padEnd(12)} ${text}\n`)
}
