/** Mounts by programs that stay in the foreground: each is a child process, so that killing it kills the mount as a crash would. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Process } from '../../test/support/process.ts'
import { startProcess } from '../../test/support/process.ts'
import { filesOf, writeText } from './files.ts'
import type { LabNode } from './filesystem.ts'

const mountMs = 20_000

/** Whether something is mounted right there. */
export function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === path)
}

/** A node of this machine whose mount is a FUSE program in the foreground. */
export async function fuseNode(name: LabNode['name'], path: string, command: string[]): Promise<LabNode> {
  const running = new Set<Process>()
  let client: Process | null = null
  const mount = async (): Promise<void> => {
    mkdirSync(path, { recursive: true })
    const [program = '', ...args] = command
    client = startProcess(program, args, { log: `${path}.mount` })
    await mounted(path, client)
  }
  await mount()
  return {
    name,
    path,
    local: join(tmpdir(), name),
    spawn(program, args, options) {
      const one = startProcess(program, args, options)
      running.add(one)
      return one
    },
    get: async (url) => (await fetch(url, { signal: AbortSignal.timeout(5000) })).text(),
    files: async (directory) => filesOf(directory),
    write: async (file, text) => writeText(file, text),
    async kill() {
      for (const one of running) one.kill('SIGKILL')
      running.clear()
      client?.kill('SIGKILL')
      // Before its end: one of its threads may wait in the kernel for a page whose reader waits for this program.
      unmount(path)
      await client?.ended
    },
    revive: mount,
  }
}

/** Resolves when `path` is a mount. */
async function mounted(path: string, client: Process): Promise<void> {
  for (const endMs = performance.now() + mountMs; !isMounted(path); await delay(50)) {
    if (client.exited || performance.now() > endMs)
      throw new Error(`${path} was not mounted: ${(await client.stderr()) || (await client.stdout())}`)
  }
}

/** Takes it off whatever still uses it, and fails what still waits for its program. */
export function unmount(path: string): void {
  while (isMounted(path))
    try {
      execFileSync('umount', ['-f', '-l', path], { stdio: 'pipe' })
    } catch (error) {
      // A program that ends by itself may have been faster.
      if (isMounted(path)) throw error
    }
}

/** The first line that a program says of its version. */
export function versionOf(program: string, args = ['--version']): string {
  const said = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', program, ...args], { encoding: 'utf8' })
  return said.split('\n')[0]?.trim() ?? ''
}

/** Resolves when what `from` writes `to` can read; a filesystem that has just been mounted may need a moment. */
export async function shared(from: LabNode, to: LabNode): Promise<void> {
  const name = `shared-${from.name}`
  await from.write(join(from.path, name, 'file'), 'here')
  for (const endMs = performance.now() + mountMs; performance.now() < endMs; await delay(50)) {
    const files = await to.files(join(to.path, name)).catch(() => new Map<string, Buffer>())
    if (files.get('file')?.toString() === 'here') return
  }
  throw new Error(`${to.name} does not see what ${from.name} writes`)
}
