/** Debian packages that a filesystem needs, installed without starting what they bring. */

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const policy = '/usr/sbin/policy-rc.d'
const policyText = '#!/bin/sh\n# Of the lab of Gleaner: packages start nothing.\nexit 101\n'

/** Installs what is missing. Throws with what apt said. */
export function installed(packages: readonly string[]): void {
  const missing = [...new Set(packages)].filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  process.stderr.write(`lab: installing ${missing.join(' ')}\n`)
  if (!existsSync(policy)) {
    writeFileSync(policy, policyText)
    chmodSync(policy, 0o755)
  }
  try {
    // An update that reached nothing is no failure to apt, and says why the installation is one.
    const updated = apt(['update'])
    const { failed, said } = apt(['install', '-y', '--no-install-recommends', ...missing])
    if (failed)
      throw new Error(
        `apt-get could not install ${missing.join(' ')}: ${endsOf([...updated.said, ...said])}. ` +
          'Install them yourself, or let this machine reach its package archive',
      )
  } finally {
    uninhibited()
  }
}

/** Takes back that packages start nothing, also what a killed lab left of it. */
export function uninhibited(): void {
  if (existsSync(policy) && readFileSync(policy, 'utf8') === policyText) rmSync(policy)
}

/** The version of one that is installed. */
export function packageVersion(name: string): string {
  return execFileSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' })
}

function isInstalled(name: string): boolean {
  try {
    const said = execFileSync('dpkg-query', ['-W', '-f', '${Status}', name], { encoding: 'utf8', stdio: 'pipe' })
    return said.includes('install ok installed')
  } catch {
    return false
  }
}

function apt(args: string[]): { failed: boolean; said: string[] } {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const patience = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::Retries=2']
  const { status, stderr, error } = spawnSync('apt-get', ['-qq', ...patience, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said = error ? [error.message] : stderr.trim().split('\n')
  return { failed: status !== 0, said: said.filter((line) => line !== '') }
}

/** What went wrong first, and last. */
function endsOf(said: string[]): string {
  const errors = said.filter((line) => /^(?:E:|W: Failed)/.test(line))
  return [...new Set([...errors.slice(0, 1), ...errors.slice(-1)])].join('; ')
}
