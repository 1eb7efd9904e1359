import { performance } from 'node:perf_hooks'
import { Cluster, Redis } from 'ioredis'
import { GleanerError } from '../errors.ts'
import { clientOf, type RedisSettings } from './redis-settings.ts'
import { type RedisTask, redisError } from './redis-errors.ts'

/**
 * One connection to Redis, which answers or refuses soon and never queues.
 *
 *   connecting ──ready──▶ ready ──close, error, no answer──▶ down ──ready──▶ ready
 *        └───────error, close──────────────────────────────────▲
 *
 *  - ready: calls go out at once. One without an answer in time drops the connection, and with it everything in flight,
 *    so that a hung server fills no memory. Its outcome is unknown.
 *  - down: calls are refused at once with what was last seen, while ioredis connects again, for ever, at most 2 s apart.
 *    A patient (blocking) call waits up to a second for the connection, so that a loop of them does not spin.
 *  - connecting, the first time only: calls wait for one of the two.
 *
 * Nothing is sent again by itself.
 */
export interface Connection {
  /** Rejects with GleanerError `redis-*`, nothing else. */
  run<T>(task: RedisTask & Patience, call: (client: Client) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface Patience {
  /** How long Redis may block the call, ms. */
  blockMs?: number
  /** How many bytes the call sends: a second more per MiB. */
  bytes?: number
}

export type Client = Redis | Cluster

const answerMs = 2000
const patienceMs = 1000

export function openConnection(settings: RedisSettings): Connection {
  const client = clientOf(settings)
  const reach = watch(client)
  return {
    async run(task, call) {
      const { operation, subject, blockMs = 0, bytes = 0 } = task
      try {
        await reach.usable(blockMs > 0)
        return await answered(reach, call(client), answerMs + blockMs + bytes / 1048.576)
      } catch (error) {
        throw redisError(reach.why(error), { operation, subject })
      }
    },
    async close() {
      if (reach.close()) await ended(client)
    },
  }
}

interface Reach {
  /** Resolves when calls may go out, or throws what stands in the way. */
  usable(patient: boolean): Promise<void>
  /** Gives a connection up that was ready and no longer answers. */
  lost(reason: Error): void
  /** What ended the connection, where ioredis says only that it ended. */
  why(error: unknown): unknown
  /** False if it was closed before. */
  close(): boolean
}

/** Follows a client's state, and drops a server that accepts and then says nothing: ioredis would wait for ever. */
function watch(client: Client): Reach {
  let state: 'connecting' | 'ready' | Error = 'connecting'
  let closed = false
  let greeting: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()

  const become = (next: 'ready' | Error): void => {
    state = next
    for (const wake of waiting) wake()
  }
  surviveSockets(client)
  client.on('error', (error: Error) => become(error))
  client.on('close', () => {
    if (!(state instanceof Error)) become(new Error('the connection was closed'))
  })
  client.on('connect', () => {
    clearTimeout(greeting)
    greeting = setTimeout(() => {
      if (client.status !== 'connect') return
      become(new Error(`no greeting within ${answerMs} ms`))
      client.disconnect(true)
    }, answerMs).unref()
  })
  client.on('ready', () => {
    clearTimeout(greeting)
    if (!closed) become('ready')
  })

  return {
    async usable(patient) {
      const until = performance.now() + (patient && state !== 'connecting' ? patienceMs : answerMs)
      for (;;) {
        if (state === 'ready') return
        const leftMs = until - performance.now()
        const failed = state instanceof Error ? state : null
        if (closed || leftMs <= 0 || (failed && !patient)) throw failed ?? new Error('no connection yet')
        await woken(waiting, leftMs)
      }
    },
    lost(reason) {
      // In a cluster the other nodes go on; the silent one's connection has a time limit of its own.
      if (state !== 'ready' || client.isCluster) return
      become(reason)
      client.disconnect(true)
    },
    why(error) {
      const flushed =
        error instanceof Error &&
        (error.name === 'MaxRetriesPerRequestError' || error.message === 'Connection is closed.')
      if (!flushed) return error
      return state instanceof Error ? state : new Error('the connection was closed')
    },
    close() {
      if (closed) return false
      closed = true
      clearTimeout(greeting)
      become(new Error('closed'))
      return true
    },
  }
}

/**
 * ioredis listens for one error of each socket. A TLS socket can raise a second (a server that wants a certificate answers
 * after the greeting), which nobody would catch: it ended the process.
 */
function surviveSockets(client: Client): void {
  if (client.isCluster) {
    client.on('+node', surviveSockets)
    return
  }
  const listen = (): void => {
    const { stream } = client as Redis
    if (stream && !stream.listeners('error').includes(ignore)) stream.on('error', ignore)
  }
  // The socket is made right after `connecting`, or, where sentinels are asked first, some time before `connect`.
  client.on('connecting', () => setImmediate(listen))
  client.on('connect', listen)
}

function ignore(): void {}

/** Resolves when called from `waiting`, or after `ms`. */
function woken(waiting: Set<() => void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      waiting.delete(wake)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    waiting.add(wake)
  })
}

async function answered<T>(reach: Reach, promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const reason = new Error(`no answer within ${Math.round(ms)} ms`)
      reach.lost(reason)
      reject(reason)
    }, ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Ends a client; a socket that the other side does not close is destroyed after 100 ms (`disconnectTimeout`). */
async function ended(client: Client): Promise<void> {
  const open = ['connecting', 'connect', 'ready', 'disconnecting'].includes(client.status)
  const end = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, open ? 500 : 0)
    client.once('end', () => {
      clearTimeout(timer)
      resolve()
    })
  })
  client.disconnect()
  await end
}

/**
 * Connections for calls that block, each lent to one call at a time: on a shared one a second root would wait for the
 * first one's block. Opened when needed, kept until the end; at most 64.
 */
export function openBlocking(settings: RedisSettings): Connection {
  const idle: Connection[] = []
  const all: Connection[] = []
  let closed = false
  return {
    async run(task, call) {
      const { operation, subject } = task
      if (closed) throw new GleanerError('redis-unreachable', { operation, subject, message: 'closed' })
      const connection = idle.pop() ?? another()
      if (!connection) {
        throw new GleanerError('redis-unreachable', {
          operation,
          subject,
          message: `${all.length} blocking calls are under way`,
        })
      }
      try {
        return await connection.run(task, call)
      } finally {
        idle.push(connection)
      }
    },
    async close() {
      closed = true
      await Promise.all(all.map((connection) => connection.close()))
    },
  }

  function another(): Connection | undefined {
    if (all.length >= 64) return undefined
    const connection = openConnection(settings)
    all.push(connection)
    return connection
  }
}
