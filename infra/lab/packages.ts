/** Debian packages that a filesystem needs, installed without starting what they bring. */

import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'

const policy = '/usr/sbin/policy-rc.d'

/** Installs what is missing. Throws with what apt said. */
export function installed(packages: readonly string[]): void {
  const missing = [...new Set(packages)].filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  process.stderr.write(`lab: installing ${missing.join(' ')}\n`)
  const own = !existsSync(policy)
  if (own) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n')
    chmodSync(policy, 0o755)
  }
  try {
    apt(['update'])
    apt(['install', '-y', '--no-install-recommends', ...missing])
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? error).trim()
    throw new Error(`apt-get could not install ${missing.join(' ')}: ${said.split('\n').slice(-3).join('; ')}`, {
      cause: error,
    })
  } finally {
    if (own) rmSync(policy)
  }
}

function isInstalled(name: string): boolean {
  try {
    const said = execFileSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8', stdio: 'pipe' })
    return said.includes('install ok installed')
  } catch {
    return false
  }
}

function apt(args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}
