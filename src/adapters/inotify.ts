/**
 * Listens to one root with inotify, in a thread of its own: the adapter of `ports/watch.ts` for this node's kernel.
 *
 * The thread (`inotify-thread.ts`, which tells how directories are followed) sits in poll(2) and takes no messages. So what this
 * side has to say goes through memory and descriptors: an eventfd, once written, ends the thread at once, and a shared counter
 * says how many batches are still unread here. Without the eventfd `terminate()` and `process.exit` would wait for poll to
 * return; it is therefore also written when the process exits without `close`.
 *
 * All failures come through `blind`, and `start` does not reject (but when called twice):
 *   watch-limit    out of watches; the directories watched so far stay watched
 *   watch-failed   the root is gone, covered by another mount, or not watchable: the thread has ended, nothing more will come, and
 *                  the caller opens a new Watch when it wants to try again. Or a directory below could not be watched: the rest stays
 */
import { writeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { GleanerError, messageOf } from '../errors.ts'
import type { Watch, WatchEvents } from '../ports/watch.ts'
import { openLibc } from './inotify-libc.ts'
import type { InotifyMessage, InotifyThreadData } from './inotify-thread.ts'

/** `root` is the root's name (in errors), `path` the local directory. */
export interface InotifyOptions {
  root: string
  path: string
}

interface Session {
  /** Settles when the root is covered, or the thread has ended. */
  started: Promise<void>
  stop(): Promise<void>
}

/** Less than the 200 ms of the contract: a thread that a dead mount holds in the kernel is left behind. */
const stopWaitMs = 150
const openWakes = new Set<number>()

export function openInotify(options: InotifyOptions): Watch {
  let session: Session | null = null
  return {
    async start(events) {
      if (session !== null) throw failed(options, 'start was called twice')
      try {
        session = begin(options, events)
      } catch (error) {
        session = { started: Promise.resolve(), stop: () => Promise.resolve() }
        events.blind(failed(options, messageOf(error) ?? 'unknown', error))
      }
      await session.started
    },
    async close() {
      await session?.stop()
    },
  }
}

function begin(options: InotifyOptions, events: WatchEvents): Session {
  const libc = openLibc()
  const wakeFd = libc.eventfd()
  if (wakeFd < 0) throw new Error('no descriptor left for an eventfd')
  addWake(wakeFd)
  const waiting = new Int32Array(new SharedArrayBuffer(4))
  const workerData: InotifyThreadData = { path: options.path, wakeFd, waiting: waiting.buffer }
  const worker = new Worker(new URL('inotify-thread.ts', import.meta.url), { workerData, execArgv: [] })
  const started = Promise.withResolvers<void>()
  const exited = Promise.withResolvers<void>()
  let closed = false

  worker.on('message', (message: InotifyMessage) => {
    if (message.kind === 'changed') Atomics.sub(waiting, 0, 1)
    if (message.kind === 'started') started.resolve()
    else if (!closed) deliver(message, options, events)
  })
  worker.on('error', (error) => {
    if (!closed) events.blind(failed(options, messageOf(error) ?? 'unknown', error))
  })
  worker.on('exit', () => {
    removeWake(wakeFd)
    libc.close(wakeFd)
    started.resolve()
    exited.resolve()
  })

  return {
    started: started.promise,
    async stop() {
      closed = true
      wake(wakeFd)
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, stopWaitMs)
      })
      await Promise.race([exited.promise, late])
      clearTimeout(timer)
      worker.unref()
    },
  }
}

function deliver(
  message: Exclude<InotifyMessage, { kind: 'started' }>,
  options: InotifyOptions,
  events: WatchEvents,
): void {
  if (message.kind === 'overflow') events.overflow()
  else if (message.kind === 'blind') {
    events.blind(
      new GleanerError(message.code, { operation: 'listen', subject: options.root, message: message.message }),
    )
  } else for (const path of message.paths) events.changed(path)
}

function failed(options: InotifyOptions, message: string, cause?: unknown): GleanerError {
  return new GleanerError('watch-failed', { operation: 'listen', subject: options.root, message, cause })
}

/** Asks the thread of this eventfd to stop; nothing happens if it has ended already. */
function wake(fd: number): void {
  if (openWakes.has(fd)) writeSync(fd, new BigUint64Array([1n]))
}

function wakeAll(): void {
  for (const fd of openWakes) wake(fd)
}

function addWake(fd: number): void {
  if (openWakes.size === 0) process.on('exit', wakeAll)
  openWakes.add(fd)
}

function removeWake(fd: number): void {
  openWakes.delete(fd)
  if (openWakes.size === 0) process.off('exit', wakeAll)
}
