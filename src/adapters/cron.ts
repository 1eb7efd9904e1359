/**
 * Calls a function again and again: at a fixed distance, or as a cron expression says (in the process's time zone, through node-cron).
 *
 *  - Calls never overlap. A time that comes while one is under way is skipped, not made up for: the next call starts at the next time.
 *  - A fixed distance starts with a call at once; a cron expression waits for its first time. One that the event loop was too busy to keep is called late,
 *    since the next may be a day away.
 *  - What a call throws goes to `failed`, and the schedule goes on.
 *  - The timers do not keep a process alive.
 *
 * An expression that node-cron does not take throws `config-invalid`.
 */
import { createTask, type ScheduledTask } from 'node-cron'
import { GleanerError } from '../errors.ts'

export type Every =
  | { readonly kind: 'interval'; readonly ms: number }
  | { readonly kind: 'cron'; readonly expression: string }

export interface Repetition {
  /** No call starts after this; resolves when the one under way has ended (so it must not be awaited in one). */
  stop(): Promise<void>
}

export interface Repeated {
  run: () => Promise<void>
  failed: (error: unknown) => void
}

/** Times of an expression that `longestGapMs` looks at: more than a week of the minutes of working hours. */
const gapTimesMax = 4000

export function repeat(every: Every, repeated: Repeated): Repetition {
  let running: Promise<void> | null = null
  let stopped = false
  const tick = (): void => {
    if (stopped || running !== null) return
    running = call(repeated).finally(() => {
      running = null
    })
  }
  const cancel = every.kind === 'interval' ? startInterval(every.ms, tick) : startCron(every.expression, tick)
  return {
    async stop() {
      stopped = true
      await cancel()
      await running
    },
  }
}

/**
 * The longest time between two starts, ms: what `SchedulePolicy.everyMs` is for a cron expression. Takes up to a second, so ask once. An
 * expression with seconds and a pause (`* * 8-18 * * *`) may have a longer one than is found.
 */
export function longestGapMs(every: Every): number {
  if (every.kind === 'interval') return every.ms
  const task = cronTask(every.expression, () => undefined)
  const times = task.getNextRuns(gapTimesMax).map((time) => time.getTime())
  void task.destroy()
  return times.reduce((longest, time, index) => Math.max(longest, time - (times[index - 1] ?? time)), 0)
}

async function call({ run, failed }: Repeated): Promise<void> {
  try {
    await run()
  } catch (error) {
    failed(error)
  }
}

function startInterval(ms: number, tick: () => void): () => Promise<void> {
  const timer = setInterval(tick, ms).unref()
  tick()
  return async () => clearInterval(timer)
}

function startCron(expression: string, tick: () => void): () => Promise<void> {
  const task = cronTask(expression, tick)
  task.on('execution:missed', tick)
  void task.start()
  return async () => task.destroy()
}

/** node-cron would write to the console by itself; what matters goes through `failed`. */
function cronTask(expression: string, tick: () => void): ScheduledTask {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined }
  try {
    return createTask(expression, tick, { unref: true, logger: silent, suppressMissedWarning: true })
  } catch (cause) {
    throw new GleanerError('config-invalid', { operation: 'schedule', subject: expression, cause })
  }
}
