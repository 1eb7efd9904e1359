/** One local directory through two bindfs mounts: each is blind to what is written through the other, and shows it at once. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Filesystem } from '../filesystem.ts'
import { fuseNode, shared, versionOf } from '../mounts.ts'

export const bindfs: Filesystem = {
  name: 'bindfs',
  packages: ['bindfs', 'fuse3'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const back = join(dir, 'back')
    mkdirSync(back)
    const mount = (name: 'A' | 'B') =>
      fuseNode(name, join(dir, name), ['bindfs', '-f', '-o', `fsname=bind-${name}`, back, join(dir, name)])
    const [a, b] = await Promise.all([mount('A'), mount('B')])
    await shared(b, a)
    return {
      a,
      b,
      version: versionOf('bindfs'),
      server: null,
      host: '127.0.0.1',
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([a.kill(), b.kill()])
      },
    }
  },
}
