/**
 * A module of the machines' kernel with an option that Debian builds it without, built anew from the same sources: some 300 MB and a minute.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export const modulePackages = ['gcc', 'libc6-dev', 'make', 'flex', 'bison', 'bc', 'xz-utils']

/** What is large and not looked at. */
const without = [
  '*/drivers/*.[ch]',
  '*/sound/*.[ch]',
  '*/fs/*.[ch]',
  '*/Documentation/*.rst',
  '*/Documentation/*.yaml',
  '*.dts*',
]

export interface ModuleOptions {
  /** Of the kernel's sources: `net/rxrpc`. */
  directory: string
  /** The module's name, without `.ko`. */
  name: string
  /** Without `CONFIG_`. */
  option: string
}

/** Gives the module's file, in `dir`. Throws with what could not be fetched or built. */
export function buildModule(dir: string, { directory, name, option }: ModuleOptions): string {
  const place = join(dir, 'kernel')
  const tree = join(place, 'tree')
  mkdirSync(tree, { recursive: true })
  fetchSources(place, tree)
  const run = (command: string, ...args: string[]): void => step(command, args, tree)
  run('sh', '-c', 'linux.uml --showconfig > .config')
  run('scripts/config', '--enable', option)
  const make = ['ARCH=um', `-j2`]
  run('make', ...make, 'olddefconfig')
  run('make', ...make, 'modules_prepare')
  // What the kernel itself defines is known only where all of it is built.
  run('make', ...make, `M=${directory}`, 'KBUILD_MODPOST_WARN=1', 'modules')
  const built = join(dir, `${name}.ko`)
  execFileSync('cp', [join(tree, directory, `${name}.ko`), built])
  rmSync(place, { recursive: true })
  return built
}

/** The sources that the installed User-Mode Linux was built from, as the package archive has them. */
function fetchSources(place: string, tree: string): void {
  const using = execFileSync('dpkg-query', ['-W', '-f', '${Built-Using}', 'user-mode-linux'], { encoding: 'utf8' })
  const version = /\blinux \(= ([0-9][\w.+~-]*)\)/.exec(using)?.[1]
  const series = /^\d+\.\d+/.exec(version ?? '')?.[0]
  if (version === undefined || series === undefined)
    throw new Error(`user-mode-linux does not say what sources it was built from: ${using || 'nothing'}`)
  const source = `linux-source-${series}`
  step('apt-get', ['-qq', 'download', `${source}=${version}`], place)
  const file = readdirSync(place).find((one) => one.startsWith(source)) ?? ''
  step('dpkg-deb', ['--extract', file, 'package'], place)
  const archive = join(place, 'package/usr/src', `${source}.tar.xz`)
  step('tar', ['-xJf', archive, '--strip-components=1', ...without.map((one) => `--exclude=${one}`)], tree)
}

/** Runs one command there; throws with the end of what it said. */
function step(command: string, args: string[], cwd: string): void {
  try {
    execFileSync(command, args, { cwd, stdio: 'pipe', maxBuffer: 64 * 1024 * 1024 })
  } catch (error) {
    const { stderr } = error as { stderr?: Buffer }
    const said = (stderr?.toString() ?? '').trim().split('\n').slice(-4).join('; ')
    throw new Error(`${command} ${args.join(' ')} failed: ${said}`, { cause: error })
  }
}
