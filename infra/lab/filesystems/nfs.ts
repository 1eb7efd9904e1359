/**
 * NFS as it is in production: two client kernels and a server kernel, each a User-Mode Linux machine, so that nothing is shared but the wire.
 * Gleaner's processes run inside the client machines. The archive is the tests' S3 server on this machine.
 */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { startSupport } from '../../../test/support/process.ts'
import type { Process } from '../../../test/support/process.ts'
import type { Filesystem, Mounted } from '../filesystem.ts'
import { shared } from '../mounts.ts'
import type { Network } from '../network.ts'
import { openNetwork } from '../network.ts'
import type { Machine } from '../uml/machine.ts'
import { machineNode, openMachine } from '../uml/machine.ts'

const s3Port = 9000

/** Small writes make a client send a burst in pieces that arrive in any order: what provokes holes. */
const small = 'wsize=4096'

export const nfs4 = nfs({ name: 'nfs4', options: `vers=4.2,hard,${small}`, path: '/' })
export const nfs3 = nfs({
  name: 'nfs3',
  options: `vers=3,hard,nolock,mountport=20048,${small}`,
  path: '/mnt/disk/export',
})

function nfs({ name, options, path }: { name: string; options: string; path: string }): Filesystem {
  return {
    name,
    packages: ['user-mode-linux', 'kmod', 'nfs-common', 'nfs-kernel-server', 'rpcbind', 'e2fsprogs', 'mount'],
    devices: ['/dev/net/tun'],
    async start(dir) {
      const network = openNetwork()
      const memory = join(dir, 'memory')
      execFileSync('mkdir', [memory])
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4g', 'memory', memory])
      const disk = join(dir, 'disk')
      execFileSync('truncate', ['-s', '2G', disk])
      execFileSync('mkfs.ext4', ['-q', '-F', disk], { stdio: 'pipe' })
      const machine = { network, work: dir }
      const server = openMachine({
        ...machine,
        name: 'S',
        n: 2,
        memory: '512M',
        setup: 'nfs-server',
        settings: {},
        disk,
      })
      const client = (one: 'A' | 'B', n: number): Machine => {
        const settings = { source: `${network.addressOf(2)}:${path}`, options }
        return openMachine({ ...machine, name: one, n, memory: '1G', setup: 'nfs-client', settings })
      }
      const [a, b] = [client('A', 3), client('B', 4)]
      await server.boot()
      await Promise.all([a.boot(), b.boot()])
      const log = join(dir, 's3')
      const s3 = startSupport('s3-process.ts', [String(s3Port), '0', '1', network.address], { log })
      await s3.said('http')
      const mounted = mountedOf({ network, server, a, b, s3 }, `${versionOf()}, ${options}`)
      await shared(mounted.b, mounted.a)
      return mounted
    },
  }
}

interface Parts {
  network: Network
  server: Machine
  a: Machine
  b: Machine
  s3: Process
}

function mountedOf({ network, server, a, b, s3 }: Parts, version: string): Mounted {
  return {
    a: machineNode('A', a),
    b: machineNode('B', b),
    version,
    server: { kill: () => server.kill(), restart: () => server.boot() },
    host: network.address,
    s3: {
      endpoint: `http://${network.address}:${s3Port}`,
      accessKeyId: 'lab',
      secretAccessKey: 'lab',
      bucket: 'archive',
    },
    async calls() {
      const { files } = (await a.ask({ do: 'files', directory: '/proc/net/rpc' })) as { files: Record<string, string> }
      const counts = Buffer.from(files['nfs'] ?? '', 'base64').toString()
      return Number(/^rpc (\d+)/m.exec(counts)?.[1])
    },
    async stop() {
      s3.kill('SIGKILL')
      await Promise.all([a.kill(), b.kill(), server.kill()])
      network.close()
    },
  }
}

function versionOf(): string {
  const kernel = execFileSync('linux.uml', ['--version'], { encoding: 'utf8' }).trim()
  return `client and server kernels Linux ${kernel} (User-Mode Linux)`
}
