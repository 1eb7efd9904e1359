/**
 * NFS as it is in production: two client kernels and a server kernel, each a User-Mode Linux machine.
 */

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Filesystem, LabNode } from '../filesystem.ts'
import { shared } from '../mounts.ts'
import { openNetwork } from '../network.ts'
import type { Machine } from '../uml/machine.ts'
import { openMachine } from '../uml/machine.ts'
import { kernelVersion, machinePackages, openClients } from './machines.ts'

const serverAddress = 2

/** Small writes over several connections: a client sends a burst in pieces that may arrive in any order, which makes holes for a moment. */
const small = 'wsize=4096,nconnect=8'

/** What each packet waits on a network that shuffles. */
const delays = ['3ms', '3ms']

export const nfs4 = nfs({ name: 'nfs4', options: `vers=4.2,hard,${small}`, path: '/' })
export const nfs3 = nfs({
  name: 'nfs3',
  options: `vers=3,hard,nolock,mountport=20048,${small}`,
  path: '/mnt/disk/export',
})

function nfs({ name, options, path }: { name: string; options: string; path: string }): Filesystem {
  return {
    name,
    packages: [...machinePackages, 'nfs-common', 'nfs-kernel-server', 'rpcbind', 'e2fsprogs'],
    devices: ['/dev/net/tun'],
    async start(dir) {
      const network = openNetwork()
      const settings = { source: `${network.addressOf(serverAddress)}:${path}`, options }
      const clients = openClients(dir, network, { setup: 'nfs-client', settings })
      const disk = join(dir, 'disk')
      execFileSync('truncate', ['-s', '2G', disk])
      execFileSync('mkfs.ext4', ['-q', '-F', disk], { stdio: 'pipe' })
      const place = { network, work: dir, name: 'S', n: serverAddress, memory: '512M' }
      const server = openMachine({ ...place, setup: 'nfs-server', settings: {}, disk })
      await server.boot()
      await clients.boot()
      await shared(clients.mounted.b, clients.mounted.a)
      return {
        ...clients.mounted,
        version: `client and server kernels Linux ${kernelVersion()} (User-Mode Linux), ${options}`,
        server: { kill: () => server.kill(), restart: () => server.boot() },
        isLying: true,
        shuffle: () => shuffle(clients.mounted.b, dir),
        calls: () => callsOf(clients.machines.A),
        async stop() {
          await Promise.all([clients.kill(), server.kill()])
          network.close()
        },
      }
    },
  }
}

/** Delays what the node sends by chance, so that one connection's writes overtake another's, until what it returns is called. */
async function shuffle(node: LabNode, dir: string): Promise<() => Promise<void>> {
  const discipline = async (change: string, ...rest: string[]): Promise<void> => {
    const args = ['qdisc', change, 'dev', 'eth0', 'root', ...rest]
    const tc = node.spawn('tc', args, { log: join(dir, `tc-${change}`) })
    if ((await tc.ended) !== 0) throw new Error(`tc ${args.join(' ')} on ${node.name}: ${await tc.stderr()}`)
  }
  await discipline('add', 'netem', 'delay', ...delays)
  return () => discipline('del')
}

/** Requests of a client's kernel so far. */
async function callsOf(client: Machine): Promise<number> {
  const { files } = (await client.ask({ do: 'files', directory: '/proc/net/rpc' })) as { files: Record<string, string> }
  const counts = Buffer.from(files['nfs'] ?? '', 'base64').toString()
  return Number(/^rpc (\d+)/m.exec(counts)?.[1])
}
