/**
 * AFS through the client in the Linux kernel, on two machines with kernels of their own, and OpenAFS's servers. It is the one that lies most: what
 * another client appended may read as NULs until its pages are dropped.
 */

import { join } from 'node:path'
import type { Filesystem } from '../filesystem.ts'
import { shared } from '../mounts.ts'
import { openNetwork } from '../network.ts'
import { packageVersion } from '../packages.ts'
import { buildModule, modulePackages } from '../uml/module.ts'
import { cellName, cellPackages, openCell } from './afs-cell.ts'
import { clientAddresses, kernelVersion, machinePackages, openClients } from './machines.ts'

export const kafs: Filesystem = {
  name: 'kafs',
  packages: [...machinePackages, ...cellPackages, ...modulePackages],
  devices: ['/dev/net/tun'],
  // The kernel's AFS talks over IPv6, also to what has addresses of IPv4, and Debian's User-Mode Linux has the protocol without it.
  prepare: (dir) => void buildModule(dir, { directory: 'net/rxrpc', name: 'rxrpc', option: 'AF_RXRPC_IPV6' }),
  async start(dir) {
    const network = openNetwork()
    const cell = openCell({ dir, network, clients: Object.values(clientAddresses) })
    const settings = { cell: cellName, server: network.address, rxrpc: join(dir, 'rxrpc.ko') }
    const clients = openClients(dir, network, { setup: 'kafs-client', settings })
    await cell.start()
    await clients.boot()
    await shared(clients.mounted.b, clients.mounted.a)
    return {
      ...clients.mounted,
      version: `client kernels Linux ${kernelVersion()} (User-Mode Linux), OpenAFS ${packageVersion('openafs-fileserver')}`,
      server: { kill: () => cell.kill(), restart: () => cell.serve() },
      isLying: true,
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([clients.kill(), cell.kill()])
        network.close()
      },
    }
  },
}
