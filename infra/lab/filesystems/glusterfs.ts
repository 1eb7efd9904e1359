/**
 * A GlusterFS brick and two clients with the usual caching translators, without the management daemon: server and clients read volume files
 * that are written here.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Process } from '../../../test/support/process.ts'
import { startProcess } from '../../../test/support/process.ts'
import type { Filesystem } from '../filesystem.ts'
import { fuseNode, shared, versionOf } from '../mounts.ts'

const port = 42_711
const caching = ['md-cache', 'write-behind', 'io-cache', 'quick-read']

export const glusterfs: Filesystem = {
  name: 'glusterfs',
  packages: ['glusterfs-server', 'glusterfs-client', 'attr'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const brick = join(dir, 'brick')
    mkdirSync(brick)
    writeFileSync(join(dir, 'server.vol'), serverVolume(brick))
    writeFileSync(join(dir, 'client.vol'), clientVolume(brick))
    const serve = async (): Promise<Process> => {
      const args = ['-N', '-f', join(dir, 'server.vol'), '-l', join(dir, 'brick.log'), '-L', 'WARNING']
      const one = startProcess('/usr/sbin/glusterfsd', args, { log: join(dir, 'brick') })
      await delay(500)
      if (one.exited) throw new Error(`glusterfsd ended: ${await one.stderr()}`)
      return one
    }
    let server = await serve()
    const mount = (name: 'A' | 'B') => {
      const log = ['-l', join(dir, `${name}.log`), '-L', 'WARNING']
      return fuseNode(name, join(dir, name), [
        '/usr/sbin/glusterfs',
        '-N',
        '-f',
        join(dir, 'client.vol'),
        ...log,
        join(dir, name),
      ])
    }
    const [a, b] = await Promise.all([mount('A'), mount('B')])
    await answers(a.path)
    await shared(b, a)
    return {
      a,
      b,
      version: `${versionOf('/usr/sbin/glusterfs')}, ${caching.join(', ')}`,
      server: {
        async kill() {
          server.kill('SIGKILL')
          await server.ended
        },
        async restart() {
          server = await serve()
        },
      },
      host: '127.0.0.1',
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([a.kill(), b.kill()])
        server.kill('SIGKILL')
      },
    }
  },
}

/** A new brick has no root yet in its first moments. */
async function answers(path: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      execFileSync('touch', [join(path, '.ready')], { stdio: 'ignore' })
      return
    } catch (error) {
      if (attempt > 100) throw error
      await delay(100)
    }
  }
}

function serverVolume(brick: string): string {
  return `${volume(['posix', 'storage/posix'], [`directory ${brick}`], null)}
${volume(['locks', 'features/locks'], [], 'posix')}
${volume(['io-threads', 'performance/io-threads'], [], 'locks')}
${volume([brick, 'debug/io-stats'], [`unique-id ${brick}`], 'io-threads')}
${volume(['server', 'protocol/server'], ['transport-type tcp', 'transport.socket.bind-address 127.0.0.1', `transport.socket.listen-port ${port}`, `auth.addr.${brick}.allow 127.0.0.1`], brick)}`
}

function clientVolume(brick: string): string {
  const remote = ['transport-type tcp', 'remote-host 127.0.0.1', `remote-port ${port}`, `remote-subvolume ${brick}`]
  const chain = [volume(['client', 'protocol/client'], [...remote, 'ping-timeout 5'], null)]
  caching.forEach((name, at) => chain.push(volume([name, `performance/${name}`], [], caching[at - 1] ?? 'client')))
  return [...chain, volume(['top', 'debug/io-stats'], [], caching.at(-1) ?? 'client')].join('\n')
}

function volume([name, type]: [string, string], options: string[], below: string | null): string {
  const lines = options.map((option) => `  option ${option}\n`).join('')
  return `volume ${name}\n  type ${type}\n${lines}${below === null ? '' : `  subvolumes ${below}\n`}end-volume\n`
}
