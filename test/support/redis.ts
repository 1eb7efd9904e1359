import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface RedisServer {
  url: string
  port: number
  dir: string
  /** SHUTDOWN; the directory goes too. */
  stop(): Promise<void>
  /** SIGKILL; `restart` brings it back. */
  kill(): Promise<void>
  /** Kills it if it runs, and starts it on the same port, without its data or with what the append-only file holds. */
  restart(options: { keepData: boolean }): Promise<void>
  /** SIGSTOP and SIGCONT: a server that accepts and does not answer. */
  pause(): void
  resume(): void
}

export interface RedisServerOptions {
  port?: number
  /** Default: a new temporary directory. */
  dir?: string
  /** More of the command line: `['--requirepass', 'x']`, `['--appendonly', 'yes', '--appendfsync', 'always']`. */
  args?: string[]
}

/**
 * Starts a real redis-server on 127.0.0.1, with nothing saved unless asked, and waits until it answers. It ends with the
 * test process at the latest.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort())
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'gleaner-redis-')))
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--save',
    '',
    '--appendonly',
    'no',
    ...(options.args ?? []),
  ]
  let child = await launch(args, port)
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGCONT')
    child.kill(signal)
    await exited
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    async stop() {
      await end('SIGTERM')
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
    },
    kill: () => end('SIGKILL'),
    async restart({ keepData }) {
      await end('SIGKILL')
      if (!keepData)
        await Promise.all(
          ['appendonlydir', 'appendonly.aof', 'dump.rdb'].map((name) =>
            rm(join(dir, name), { recursive: true, force: true }),
          ),
        )
      child = await launch(args, port)
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
  }
}

/** A port of 127.0.0.1 on which nobody listens now; not so high that a cluster's second one, 10,000 above, is none. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port > 55_535 ? freePort() : address.port
}

async function launch(args: string[], port: number): Promise<ChildProcess> {
  // The kernel ends it with its parent, also when the test process is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (data: Buffer): void => {
    output = (output + data.toString()).slice(-2000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const failed = once(child, 'error').then(([error]: unknown[]) => {
    throw new Error('cannot run setpriv (util-linux), which starts redis-server', { cause: error })
  })
  const exited = once(child, 'exit').then(([code]: unknown[]) => {
    if (code === 127) throw new Error('there is no redis-server; install it: apt-get install redis-server')
    throw new Error(`redis-server ended with ${String(code)}: ${output}`)
  })
  // Both go on for the life of the server; only the start is judged here.
  failed.catch(() => {})
  exited.catch(() => {})
  await Promise.race([greeted(port, child), failed, exited])
  return child
}

/** Resolves when the port answers a PING (an error such as NOAUTH is an answer, LOADING is not yet one). */
async function greeted(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 500 && child.exitCode === null; attempt++) {
    const answer = await ping(port)
    if (answer !== '' && !answer.startsWith('-LOADING')) return
    await delay(20)
  }
  throw new Error(`redis-server does not answer on port ${port}`)
}

async function ping(port: number): Promise<string> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [data] = (await once(socket, 'data')) as [Buffer]
    return data.toString()
  } catch {
    return ''
  } finally {
    socket.destroy()
  }
}
