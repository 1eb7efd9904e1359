/**
 * Calls to one root's I/O thread, each with a deadline on its progress.
 *
 * The thread is started by the first call. It bumps a shared counter between system calls; a counter that stands still for
 * `deadlineMs` while calls wait means that the thread hangs in one. Then the root is *stalled*: all waiting calls are
 * rejected, and later ones at once, until a message shows that the thread is back. No second thread is started beside it.
 * The counter is compared four times per deadline, and only then: a main thread that was itself held up sees the answers
 * that came meanwhile before it can conclude anything.
 */
import { Worker } from 'node:worker_threads'
import { GleanerError, messageOf } from '../errors.ts'
import { errorOf } from './files-errors.ts'
import {
  type Answers,
  type FromThread,
  GENERATION,
  PROGRESS,
  type Request,
  sharedSlots,
  type ThreadSetup,
  type ToThread,
} from './files-messages.ts'

const looksPerDeadline = 4
const closeMs = 2000

export interface ChannelOptions {
  root: string
  path: string
  remote: 'auto' | boolean
  deadlineMs: number
  level: number
}

interface Waiting {
  operation: string
  resolve: (value: Answers[keyof Answers]) => void
  reject: (error: GleanerError) => void
}

export class Channel {
  readonly shared = new SharedArrayBuffer(sharedSlots * Int32Array.BYTES_PER_ELEMENT)
  private readonly slots = new Int32Array(this.shared)
  private readonly options: ChannelOptions
  private readonly waiting = new Map<number, Waiting>()
  private state: 'starting' | 'answering' | 'stalled' | 'closed' = 'starting'
  private worker: Worker | null = null
  private watchdog: NodeJS.Timeout | null = null
  private calls = 0
  /** How many threads broke: what was sent to an earlier one is lost. */
  losses = 0

  constructor(options: ChannelOptions) {
    this.options = options
  }

  /** A number for the next call. */
  nextId(): number {
    return this.calls++
  }

  /** Rejects with the thread's error, with `root-stalled`, or with `internal` if the thread broke. */
  call<Op extends Request['op']>(request: Request & { op: Op }, id = this.nextId()): Promise<Answers[Op]> {
    const facts = { operation: request.op, subject: this.options.root }
    if (this.state === 'stalled') return Promise.reject(new GleanerError('root-stalled', facts))
    if (this.state === 'closed')
      return Promise.reject(new GleanerError('root-unavailable', { ...facts, message: 'closed' }))
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { operation: request.op, resolve: (value) => resolve(value as Answers[Op]), reject })
      this.watchdog ??= this.watch()
      this.send({ kind: 'call', id, generation: Atomics.load(this.slots, GENERATION), request })
    })
  }

  /** Sends what needs no answer, in order with the calls. */
  send(message: ToThread): void {
    this.worker ??= this.start()
    this.worker.postMessage(message, message.kind === 'ports' ? message.ports : [])
  }

  /** Rejects what still waits. Resolves whether the thread has ended: false when it is stuck in the kernel. */
  async close(): Promise<boolean> {
    const { worker } = this
    this.state = 'closed'
    Atomics.add(this.slots, GENERATION, 1)
    this.rejectAll('root-unavailable', 'closed')
    if (worker === null) return true
    const ended = hasEnded(worker)
    this.send({ kind: 'close' })
    return await ended
  }

  private start(): Worker {
    const { root, path, remote, level } = this.options
    const workerData: ThreadSetup = { root, path, remote, level, shared: this.shared }
    const worker = new Worker(new URL('./files-thread.ts', import.meta.url), {
      name: `files ${root}`,
      workerData,
      // A ceiling, not a reservation: a directory of a million files fits.
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 1024 },
    })
    worker.unref()
    worker.on('message', (message: FromThread) => this.hear(message))
    worker.on('error', (cause) => this.broke(worker, cause))
    worker.on('exit', () => this.broke(worker, new Error('the thread has ended')))
    return worker
  }

  private hear(message: FromThread): void {
    if (this.state === 'closed') return
    this.state = 'answering'
    if (message.kind !== 'answer' && message.kind !== 'failure') return
    const call = this.waiting.get(message.id)
    this.waiting.delete(message.id)
    if (this.waiting.size === 0) this.unwatch()
    if (message.kind === 'answer') call?.resolve(message.value)
    else call?.reject(errorOf(message.failure))
  }

  private broke(worker: Worker, cause: unknown): void {
    // An error and an exit come for one thread, and another may have been started between them.
    if (this.worker !== worker) return
    this.worker = null
    this.losses++
    if (this.state === 'closed') return
    this.state = 'starting'
    this.rejectAll('internal', `its thread broke: ${messageOf(cause) ?? ''}`)
  }

  private rejectAll(code: 'internal' | 'root-stalled' | 'root-unavailable', message: string): void {
    this.unwatch()
    const calls = [...this.waiting.values()]
    this.waiting.clear()
    const subject = this.options.root
    for (const { operation, reject } of calls) reject(new GleanerError(code, { operation, subject, message }))
  }

  /** A timer that also keeps the process alive while a call waits. */
  private watch(): NodeJS.Timeout {
    let seen = Atomics.load(this.slots, PROGRESS)
    let still = 0
    return setInterval(() => {
      const now = Atomics.load(this.slots, PROGRESS)
      // A thread that is only starting touches no mount.
      still = now === seen && this.state !== 'starting' ? still + 1 : 0
      seen = now
      if (still >= looksPerDeadline) this.stall()
    }, this.options.deadlineMs / looksPerDeadline)
  }

  private unwatch(): void {
    if (this.watchdog !== null) clearInterval(this.watchdog)
    this.watchdog = null
  }

  private stall(): void {
    this.state = 'stalled'
    Atomics.add(this.slots, GENERATION, 1)
    this.rejectAll('root-stalled', `no system call returned for ${this.options.deadlineMs} ms`)
  }
}

/** Resolves true when the thread has ended, false when it has not within `closeMs`. */
function hasEnded(thread: Worker): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), closeMs)
    thread.once('exit', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
