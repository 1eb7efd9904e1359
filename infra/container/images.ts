/**
 * The images: stand-ins for the base and for Redis, made of Debian's packages and npm's, and Gleaner's own two by the project's Dockerfile.
 * Given `dir`, what was made there before is used again.
 */

import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Engine } from './engine.ts'

export const images = {
  base: 'docker.io/library/node:26-bookworm-slim',
  redis: 'docker.io/library/redis:7-bookworm',
  collector: 'localhost/gleaner:0.1.0',
  whole: 'localhost/gleaner:0.1.0-query',
}

const here = fileURLToPath(new URL('.', import.meta.url))
const project = fileURLToPath(new URL('../..', import.meta.url))
const leftOut = ['doc', 'man', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)

/** The two stand-ins. */
export function makeBase(engine: Engine): void {
  const context = join(engine.dir, 'base')
  mkdirSync(context, { recursive: true })
  const tar = join(context, 'base.tar')
  if (!existsSync(tar)) {
    // Node's binary wants libatomic1.
    const how = ['--variant=minbase', '--include=libatomic1', '--format=tar', ...leftOut]
    run('mmdebstrap', ['-q', ...how, 'bookworm', tar, '/etc/apt/sources.list.d/debian.sources'])
  }
  if (!existsSync(join(context, 'npm'))) {
    run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', join(engine.dir, 'npm'), 'npm@11'])
    cpSync(join(engine.dir, 'npm/node_modules/npm'), join(context, 'npm'), { recursive: true })
  }
  // The project's own dependency `node` is the version that it is tested with.
  copyFileSync(process.execPath, join(context, 'node'))
  run('strip', ['--strip-unneeded', join(context, 'node')])
  copyFileSync(join(here, 'entrypoint.sh'), join(context, 'entrypoint.sh'))
  chmodSync(join(context, 'entrypoint.sh'), 0o755)
  engine.build({ tag: images.base, file: join(here, 'base.Dockerfile'), context })
  engine.build({ tag: images.redis, file: join(here, 'redis.Dockerfile'), context })
}

export function makeImages(engine: Engine): void {
  const file = join(project, 'Dockerfile')
  engine.build({ tag: images.collector, file, context: project, target: 'collector' })
  engine.build({ tag: images.whole, file, context: project })
}

function run(program: string, args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}
