/** One local directory through two FUSE mounts: each is blind to what is written through the other. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Filesystem } from '../filesystem.ts'
import { fuseNode, shared, versionOf } from '../mounts.ts'

/** `options`: the mount's own, beside its name. */
export function overDirectory(name: string, options: string[] = []): Filesystem {
  return {
    name,
    packages: [name, 'fuse3'],
    devices: ['/dev/fuse'],
    async start(dir) {
      const back = join(dir, 'back')
      mkdirSync(back)
      const mount = (node: 'A' | 'B') => {
        const given = [`fsname=${name}-${node}`, ...options].join(',')
        return fuseNode(node, join(dir, node), [name, '-f', '-o', given, back, join(dir, node)])
      }
      const [a, b] = await Promise.all([mount('A'), mount('B')])
      await shared(b, a)
      return {
        a,
        b,
        version: [versionOf(name), ...options].join(', '),
        server: null,
        host: '127.0.0.1',
        calls: () => Promise.resolve(null),
        async stop() {
          await Promise.all([a.kill(), b.kill()])
        },
      }
    },
  }
}
