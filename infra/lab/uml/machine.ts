/**
 * A machine with a kernel of its own: User-Mode Linux, a process on this one, whose root is this machine's, read only. `kill` is what a power
 * cut is to a real one; what its disk got, or a server, is all that stays.
 */

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Process, ProcessOptions } from '../../../test/support/process.ts'
import { outputOf, startProcess } from '../../../test/support/process.ts'
import type { LabNode } from '../filesystem.ts'
import type { Network } from '../network.ts'
import type { Request } from './request.ts'
import { agentPort } from './request.ts'

export interface MachineOptions {
  name: string
  network: Network
  /** Its address in it. */
  n: number
  /** The lab's directory, where it may write. */
  work: string
  /** Its memory, as the kernel takes it: `512M`. */
  memory: string
  /** A script of this directory, and what it is told. */
  setup: string
  settings: Record<string, string>
  /** A file that is its disk. */
  disk?: string
}

export interface Machine {
  /** Asks its agent. */
  ask(request: Request): Promise<Record<string, unknown>>
  spawn(command: string, args: string[], options: ProcessOptions): Process
  boot(): Promise<void>
  kill(): Promise<void>
}

const bootMs = 120_000
const script = fileURLToPath(new URL('init.sh', import.meta.url))
const agent = fileURLToPath(new URL('agent.ts', import.meta.url))

export function openMachine(options: MachineOptions): Machine {
  const { name, network, n, work } = options
  const log = join(work, `machine-${name}`)
  network.tap(`tap${name}`)
  const url = `http://${network.addressOf(n)}:${agentPort}/`
  let kernel: Process | null = null
  /** Aborted when it dies: what was asked of it gets no answer. */
  let life = new AbortController()
  const ask = async (request: Request): Promise<Record<string, unknown>> => {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(request), signal: life.signal })
    const text = await response.text()
    if (!response.ok) throw new Error(`on ${name}: ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }
  return {
    ask,
    spawn: (command, args, processOptions) => remoteProcess(ask, { command, args, ...processOptions }, life.signal),
    async boot() {
      const current = new AbortController()
      life = current
      kernel = startProcess('setsid', ['linux.uml', ...commandLine(options)], { log, env: { TMPDIR: memoryOf(work) } })
      // Killed, or by a fault of its own kernel.
      void kernel.ended.then(() => current.abort(new Error(`machine ${name} died`)))
      for (const endMs = performance.now() + bootMs; ; await delay(100)) {
        const up = await ask({ do: 'files', directory: '/mnt' }).catch(() => null)
        if (up !== null) return
        if (kernel.exited || performance.now() > endMs)
          throw new Error(`machine ${name} did not start: ${lastWords(await kernel.stdout())}`)
      }
    },
    async kill() {
      life.abort()
      // What runs in it are processes of its group.
      if (kernel !== null && !kernel.exited) process.kill(-kernel.pid, 'SIGKILL')
      await kernel?.ended
    },
  }
}

function commandLine({ name, network, n, work, memory, setup, settings, disk }: MachineOptions): string[] {
  const environment = {
    node: name,
    address: network.addressOf(n),
    work,
    setup,
    program: `${process.execPath} ${agent}`,
  }
  const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'noreboot', 'panic=-1']
  const own = [
    `mem=${memory}`,
    `eth0=tuntap,tap${name},02:00:00:00:00:0${n}`,
    `umid=${name}`,
    `uml_dir=${join(work, 'uml')}`,
  ]
  if (disk !== undefined) own.push(`ubd0=${disk}`)
  const told = Object.entries({ ...environment, ...settings }).map(([key, value]) => `${key}=${quoted(value)}`)
  return [...own, ...root, 'con=null', 'con0=null,fd:1', 'init=/bin/bash', ...told, '--', script]
}

/** What it said before its kernel gave up. */
function lastWords(console: string): string {
  return console.split('Kernel panic')[0]?.trim().split('\n').slice(-4).join('; ') ?? ''
}

function quoted(value: string): string {
  return value.includes(' ') ? `"${value}"` : value
}

/** Where its memory is a file, which must be able to hold executable pages. */
function memoryOf(work: string): string {
  const directory = join(work, 'memory')
  if (!existsSync(directory)) mkdirSync(directory)
  return directory
}

/** The nodes' mount, as the setup scripts make it. */
export const sharedPath = '/mnt/shared'

export function machineNode(name: LabNode['name'], machine: Machine): LabNode {
  return {
    name,
    path: sharedPath,
    local: '/run/local',
    spawn: (command, args, options) => machine.spawn(command, args, options),
    get: async (url) => String((await machine.ask({ do: 'get', url }))['text']),
    async files(directory) {
      const { files } = (await machine.ask({ do: 'files', directory })) as { files: Record<string, string> }
      return new Map(Object.entries(files).map(([file, text]) => [file, Buffer.from(text, 'base64')]))
    },
    write: async (file, text) => void (await machine.ask({ do: 'write', file, text })),
    kill: () => machine.kill(),
    revive: () => machine.boot(),
  }
}

function remoteProcess(
  ask: Machine['ask'],
  { command, args, log, env = {} }: ProcessOptions & { command: string; args: string[] },
  life: AbortSignal,
): Process {
  let over = false
  const started = ask({ do: 'spawn', command, args, env, log }).then(({ id }) => Number(id))
  const ended = started.then(async (id) => {
    for (;;) {
      const { status } = await ask({ do: 'ended', id })
      if (status !== null) return status as number | NodeJS.Signals
    }
  })
  const known = ended
    .catch((error: unknown) => {
      if (life.aborted) return 'SIGKILL' as const
      throw error
    })
    .finally(() => (over = true))
  // Judged by whoever waits for it.
  known.catch(() => undefined)
  return {
    pid: 0,
    get exited() {
      return over
    },
    kill(signal) {
      const killed = started.then((id) => ask({ do: 'kill', id, signal }))
      killed.catch(() => undefined)
    },
    ended: known,
    ...outputOf(log, () => over),
  }
}
