/**
 * AFS through OpenAFS's own client: two afsd.fuse in network namespaces of their own, as AFS tells clients apart by address. Gleaner's processes
 * run beside them, on their mounts.
 */

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startProcess } from '../../../test/support/process.ts'
import type { Filesystem, LabNode } from '../filesystem.ts'
import { fuseNode, shared } from '../mounts.ts'
import type { Network } from '../network.ts'
import { openNetwork } from '../network.ts'
import { packageVersion } from '../packages.ts'
import { cellName, cellPackages, openCell } from './afs-cell.ts'

const addresses = { A: 11, B: 12 }

export const afs: Filesystem = {
  name: 'afs',
  packages: [...cellPackages, 'openafs-fuse'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const network = openNetwork()
    const cell = openCell({ dir, network, clients: Object.values(addresses) })
    await cell.start()
    const [a, b] = [await client('A', dir, network), await client('B', dir, network)]
    await shared(b, a)
    return {
      a,
      b,
      version: `OpenAFS ${packageVersion('openafs-fuse')}, afsd.fuse clients`,
      server: { kill: () => cell.kill(), restart: () => cell.serve() },
      host: '127.0.0.1',
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([a.kill(), b.kill()])
        await cell.kill()
        network.close()
      },
    }
  },
}

/** A client's mount is `/afs`; what is collected lies in the cell below it. */
async function client(name: LabNode['name'], dir: string, network: Network): Promise<LabNode> {
  const holder = startProcess('unshare', ['--net', 'sleep', 'infinity'], { log: join(dir, `${name}.network`) })
  await delay(500)
  network.join(holder.pid, addresses[name])
  const [mount, cache, settings] = ['mount', 'cache', 'etc'].map((one) => join(dir, name, one)) as [
    string,
    string,
    string,
  ]
  for (const one of [mount, cache, settings]) mkdirSync(one, { recursive: true })
  for (const file of ['ThisCell', 'CellServDB']) copyFileSync(join(dir, 'etc', file), join(settings, file))
  writeFileSync(join(settings, 'cacheinfo'), `${mount}:${cache}:100000\n`)
  const places = ['-confdir', settings, '-mountdir', mount, '-cachedir', cache, '-blocks', '100000']
  const node = await fuseNode(name, mount, [
    'nsenter',
    `--net=/proc/${holder.pid}/ns/net`,
    'afsd.fuse',
    ...places,
    '-dynroot-sparse',
    '-fakestat',
  ])
  return { ...node, path: join(mount, cellName) }
}
