/**
 * Tables built on a schedule (`tables: {every: 1h}`), by each process with the role `work`: builders at once do no harm. A build parses for
 * as long as it takes, so it is a process of its own, of low priority: the collector neither waits for it nor keeps its memory.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/model.ts'
import { GleanerError } from '../errors.ts'
import type { App } from './app.ts'

const program = fileURLToPath(new URL('../main.ts', import.meta.url))
const saidBytesMax = 4096

export async function scheduleBuilds(app: App, { tables, roles, file }: Config): Promise<{ stop(): Promise<void> }> {
  if (tables === null || file === null || !roles.includes('work')) return { stop: async () => undefined }
  const telemetry = await app.telemetry()
  const { repeat } = await app.schedule()
  const log = await app.log()
  let isStopped = false
  let child: ChildProcess | null = null
  const run = async (): Promise<void> => {
    child = spawn(process.execPath, [program, '--config', file, '--json', 'tables', 'build'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: process.env,
    })
    lower(child.pid)
    let said = ''
    child.stderr?.on('data', (piece: Buffer) => (said = `${said}${piece.toString()}`.slice(-saidBytesMax)))
    const [status] = (await once(child, 'close')) as [number | null]
    if (isStopped) return
    if (status === 0) log.debug({}, 'tables built')
    else throw new GleanerError('table-missing', { operation: 'build', subject: 'tables', message: said.trim() })
  }
  const repetition = repeat(tables.every, {
    run,
    failed: (error) => telemetry.trouble(error, { role: 'tables' }),
  })
  return {
    async stop() {
      isStopped = true
      child?.kill('SIGTERM')
      await repetition.stop()
    },
  }
}

function lower(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended already, or may not be changed: it builds all the same.
  }
}
