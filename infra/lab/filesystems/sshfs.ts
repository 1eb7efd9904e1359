/** Two sshfs mounts of one directory, through an sshd of the lab's own. Killing the server makes both mounts answer ENOTCONN or EIO. */

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startProcess } from '../../../test/support/process.ts'
import type { Filesystem } from '../filesystem.ts'
import { fuseNode, shared } from '../mounts.ts'
import { packageVersion } from '../packages.ts'

const port = 42_022

export const sshfs: Filesystem = {
  name: 'sshfs',
  packages: ['sshfs', 'openssh-server', 'openssh-client'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const back = join(dir, 'back')
    for (const one of [back, '/run/sshd']) mkdirSync(one, { recursive: true })
    for (const key of ['host', 'client'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, key)])
    copyFileSync(join(dir, 'client.pub'), join(dir, 'authorized'))
    writeFileSync(join(dir, 'sshd_config'), settings(dir))
    const serve = async () => {
      const one = startProcess('/usr/sbin/sshd', ['-D', '-e', '-f', join(dir, 'sshd_config')], {
        log: join(dir, 'sshd'),
      })
      await delay(300)
      if (one.exited) throw new Error(`sshd ended: ${await one.stderr()}`)
      return one
    }
    let server = await serve()
    const mount = (name: 'A' | 'B') =>
      fuseNode(name, join(dir, name), ['sshfs', '-f', `root@127.0.0.1:${back}`, join(dir, name), ...options(dir, name)])
    const [a, b] = [await mount('A'), await mount('B')]
    await shared(b, a)
    return {
      a,
      b,
      version: `sshfs ${packageVersion('sshfs')}`,
      server: {
        async kill() {
          for (const pid of treeOf(server.pid)) process.kill(pid, 'SIGKILL')
          await server.ended
        },
        async restart() {
          server = await serve()
          // A broken connection does not come back by itself.
          for (const node of [a, b]) await node.revive()
        },
      },
      host: '127.0.0.1',
      // Its listings are as old as dcache_timeout at most.
      hidesMs: 21_000,
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([a.kill(), b.kill()])
        server.kill('SIGKILL')
      },
    }
  },
}

/** The server and its connections, which are processes with sessions of their own. */
function treeOf(pid: number): number[] {
  const found = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
  const children = found.stdout.split('\n').filter((line) => line !== '')
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))]
}

function settings(dir: string): string {
  return `ListenAddress 127.0.0.1
Port ${port}
HostKey ${join(dir, 'host')}
AuthorizedKeysFile ${join(dir, 'authorized')}
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
`
}

function options(dir: string, name: string): string[] {
  const ssh = `IdentityFile=${join(dir, 'client')},StrictHostKeyChecking=no,UserKnownHostsFile=${join(dir, `known-${name}`)}`
  return ['-p', String(port), '-o', `${ssh},GlobalKnownHostsFile=/dev/null,fsname=sshfs-${name}`]
}
