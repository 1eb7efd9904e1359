import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** A process whose stdout and stderr go to files, so that whatever happens they can be read afterwards. */
export interface Process {
  readonly pid: number
  readonly exited: boolean
  kill(signal: NodeJS.Signals): void
  /** Its exit status, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
  stdout(): Promise<string>
  stderr(): Promise<string>
  /** Resolves when `text` is in what it wrote; rejects if it ends before that. */
  said(text: string): Promise<void>
}

export interface ProcessOptions {
  /** Its output goes to `<log>.out` and `<log>.err`, at their end. */
  log: string
  env?: Record<string, string>
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** `gleaner ARGS`, with nothing of the environment's GLEANER_ variables but those given. */
export function startGleaner(args: string[], options: ProcessOptions): Process {
  return startProcess(process.execPath, [main, ...args], options)
}

/** A TypeScript program of `test/support`. */
export function startSupport(name: string, args: string[], options: ProcessOptions): Process {
  return startProcess(process.execPath, [fileURLToPath(new URL(name, import.meta.url)), ...args], options)
}

/** The kernel ends it with this process, also when that is killed. */
export function startProcess(command: string, args: string[], { log, env }: ProcessOptions): Process {
  const [out, err] = [openSync(`${log}.out`, 'a'), openSync(`${log}.err`, 'a')]
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GLEANER_'))
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    stdio: ['ignore', out, err],
    // Not by the test runner's preloads.
    env: { ...Object.fromEntries(inherited), NODE_OPTIONS: '', ...env },
  })
  closeSync(out)
  closeSync(err)
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  const ended = once(child, 'exit').then(
    ([code, signal]: unknown[]) => (code as number | null) ?? (signal as NodeJS.Signals),
  )
  return {
    pid: child.pid ?? 0,
    get exited() {
      return isOver()
    },
    kill: (signal) => void child.kill(signal),
    ended,
    ...outputOf(log, isOver),
  }
}

/** What a process writes to `<log>.out` and `<log>.err`. */
export function outputOf(log: string, isOver: () => boolean): Pick<Process, 'stdout' | 'stderr' | 'said'> {
  const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '')
  return {
    stdout: () => read(`${log}.out`),
    stderr: () => read(`${log}.err`),
    async said(text) {
      for (;;) {
        const wasOver = isOver()
        const all = (await read(`${log}.out`)) + (await read(`${log}.err`))
        if (all.includes(text)) return
        if (wasOver) throw new Error(`it ended before it said ${text}: ${all.slice(-2000)}`)
        await delay(20)
      }
    },
  }
}

/** Runs a program to its end; its stdout as bytes. */
export async function runProgram(command: string, args: string[]): Promise<{ status: number; stdout: Buffer }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status: status ?? -1, stdout: Buffer.concat(chunks) }
}
