/** One local directory through two mergerfs mounts that keep attributes and names for five seconds, as NFS and AFS clients do. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Filesystem } from '../filesystem.ts'
import { fuseNode, shared, versionOf } from '../mounts.ts'

const options = 'cache.attr=5,cache.entry=5,cache.files=off'

export const mergerfs: Filesystem = {
  name: 'mergerfs',
  packages: ['mergerfs', 'fuse3'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const back = join(dir, 'back')
    mkdirSync(back)
    const mount = (name: 'A' | 'B') =>
      fuseNode(name, join(dir, name), [
        'mergerfs',
        '-f',
        '-o',
        `fsname=merge-${name},${options}`,
        back,
        join(dir, name),
      ])
    const [a, b] = await Promise.all([mount('A'), mount('B')])
    await shared(b, a)
    return {
      a,
      b,
      version: `${versionOf('mergerfs')}, ${options}`,
      server: null,
      host: '127.0.0.1',
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([a.kill(), b.kill()])
      },
    }
  },
}
