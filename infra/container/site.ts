/** What one check works on: a directory of logs, an archive, a configuration, and containers on a network that has nothing but loopback. */

import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine } from './engine.ts'
import { images } from './images.ts'

export interface Site {
  engine: Engine
  logs: string
  archive: string
  configure(more: Record<string, unknown>): void
  /** `gleaner ARGS` to its end, in a container that is gone afterwards. */
  once(args: string[], image?: string): { status: number | null; said: string }
  /** Starts `gleaner run`; resolves when its log says that it runs. */
  start(name: string, ...more: string[]): Promise<Running>
}

export interface Running {
  name: string
  /** From the moment the process began to the log line `running`, ms. */
  readyMs: number
  /** The processor time that it took for that, ms: the same however busy the machine is. */
  cpuMs: number
  /** A JavaScript expression in the container, beside the collector; what it gives as text. */
  evaluate(expression: string): string
  log(): string
}

/** The strictest there is: no rights, nothing writable but /tmp and the archive. */
const confined = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'all', '--security-opt', 'no-new-privileges']
const bounded = ['--memory', '512m', '--pids-limit', '200']
const uidInside = 1000

export function openSite(engine: Engine, name: string): Site {
  const dir = join(engine.dir, 'sites', name)
  const [logs, archive, config] = [join(dir, 'logs'), join(dir, 'archive'), join(dir, 'gleaner.yaml')]
  mkdirSync(logs, { recursive: true })
  mkdirSync(archive, { recursive: true })
  chownSync(archive, uidInside, uidInside)
  const configure: Site['configure'] = (more) => {
    const settings = {
      archive: 'file:///var/lib/gleaner',
      node: 'in-a-container',
      roots: [{ name: 'accounting', path: '/logs', format: 'lines', remote: false }],
      seal: { age: '1s' },
      reconcile: { every: '1s' },
      ...more,
    }
    writeFileSync(config, JSON.stringify(settings))
  }
  configure({})
  const volumes = [`${logs}:/logs:ro`, `${archive}:/var/lib/gleaner`, `${config}:/etc/gleaner/gleaner.yaml:ro`]
  const options = (network: string[]) => [...network, ...confined, ...bounded, ...volumes.flatMap((one) => ['-v', one])]
  return {
    engine,
    logs,
    archive,
    configure,
    once: (args, image = images.collector) =>
      engine.tryPodman('run', '--rm', ...options(['--network', 'none', '--no-healthcheck']), image, ...args),
    async start(container, ...more) {
      const network = more.includes('--network') ? [] : ['--network', 'none']
      engine.podman('run', '-d', '--name', container, ...options(network), ...more, images.collector)
      const log = () => engine.tryPodman('logs', container).said
      await until(() => log().includes('"message":"running"'))
      const cpuMs = cpuOf(engine.podman('inspect', container, '--format', '{{.State.Pid}}'))
      return {
        name: container,
        cpuMs,
        readyMs: saidAt(log()) - startedAt(engine, container),
        evaluate: (expression) =>
          engine.podman('exec', container, 'node', '-e', `Promise.resolve(${expression}).then((v) => console.log(v))`),
        log,
      }
    },
  }
}

/** Of a process and its threads; the kernel counts in hundredths of a second. */
function cpuOf(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

function saidAt(log: string): number {
  const line = log.split('\n').find((one) => one.includes('"message":"running"')) ?? '{}'
  const { time } = JSON.parse(line.slice(line.indexOf('{'))) as { time?: string }
  return Date.parse(time ?? '')
}

function startedAt(engine: Engine, container: string): number {
  return Date.parse(engine.podman('inspect', container, '--format', '{{json .State.StartedAt}}').slice(1, -1))
}

/** A check that waits in vain fails, after a minute. */
export async function until(check: () => boolean): Promise<void> {
  for (let tries = 0; !check(); tries++) {
    if (tries === 600) throw new Error('it was waited for a minute in vain')
    await delay(100)
  }
}
