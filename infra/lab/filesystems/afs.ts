/**
 * OpenAFS: a cell of its own with one file server, and two afsd.fuse clients in network namespaces of their own, as AFS tells clients apart by
 * address. Gleaner's processes run beside them, on their mounts.
 *
 * The servers only take partitions at `/vicepa` and their settings from fixed directories, so they run in a copy-on-write image of this
 * machine's root. There is no Kerberos: their key is the example of asetkey(8), good enough in a network that nobody else can reach, and clients
 * have rights by address.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Process } from '../../../test/support/process.ts'
import { startProcess } from '../../../test/support/process.ts'
import type { Filesystem, LabNode } from '../filesystem.ts'
import { fuseNode, shared } from '../mounts.ts'
import type { Network } from '../network.ts'
import { openNetwork } from '../network.ts'
import { packageVersion } from '../packages.ts'

const cell = 'lab.test'
const key = '80b6a7cd7a9dadb6'
const programs = '/usr/lib/openafs'
const addresses = { A: 11, B: 12 }
const patienceMs = 60_000

export const afs: Filesystem = {
  name: 'afs',
  packages: ['openafs-fileserver', 'openafs-dbserver', 'openafs-client', 'openafs-fuse', 'openafs-krb5'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const network = openNetwork()
    const servers = openServers(dir, network)
    await servers.start()
    const [a, b] = [await client('A', dir, network), await client('B', dir, network)]
    await shared(b, a)
    return {
      a,
      b,
      version: `OpenAFS ${packageVersion('openafs-fuse')}, afsd.fuse clients`,
      server: { kill: () => servers.kill(), restart: () => servers.serve() },
      host: '127.0.0.1',
      calls: () => Promise.resolve(null),
      async stop() {
        await Promise.all([a.kill(), b.kill()])
        await servers.kill()
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
  return { ...node, path: join(mount, cell) }
}

interface Servers {
  start(): Promise<void>
  serve(): Promise<void>
  kill(): Promise<void>
}

function openServers(dir: string, network: Network): Servers {
  const image = join(dir, 'image')
  let overseer: Process | null = null
  const inside = (...command: string[]): string =>
    execFileSync('chroot', [image, ...command], { encoding: 'utf8', stdio: 'pipe', timeout: 20_000 })
  const serve = async (): Promise<void> => {
    overseer = startProcess('setsid', ['chroot', image, 'bosserver', '-nofork', '-rxbind'], {
      log: join(dir, 'bosserver'),
    })
    await until(() => inside('bos', 'status', network.address, '-localauth'))
  }
  return {
    serve,
    async start() {
      prepare(dir, image, network)
      inside('asetkey', 'add', '0', key)
      await serve()
      const bos = (...args: string[]): string => inside('bos', 'create', network.address, ...args, '-localauth')
      bos('ptserver', 'simple', `${programs}/ptserver -rxbind`)
      bos('vlserver', 'simple', `${programs}/vlserver -rxbind`)
      const pts = (...args: string[]): string => inside('pts', ...args, '-localauth')
      // A database server elects itself first.
      await until(() => pts('createuser', 'admin'))
      for (const user of ['admin', ...Object.values(addresses).map((n) => network.addressOf(n))]) {
        if (user !== 'admin') pts('createuser', user)
        pts('adduser', user, 'system:administrators')
      }
      const daemons = [`${programs}/dafileserver -rxbind -L`, `${programs}/davolserver -rxbind`]
      bos('dafs', 'dafs', ...daemons, `${programs}/salvageserver`, `${programs}/dasalvager`)
      const vos = (...args: string[]): string => inside('vos', ...args, '-localauth')
      await until(() => vos('partinfo', network.address))
      for (const volume of ['root.afs', 'root.cell']) vos('create', network.address, 'a', volume, '-maxquota', '0')
    },
    async kill() {
      // The servers are processes of the overseer's session.
      if (overseer !== null && !overseer.exited) {
        execFileSync('pkill', ['-KILL', '-s', String(overseer.pid)])
        await overseer.ended
      }
    },
  }
}

/** The image with its settings: lower layer this machine's root, upper one in memory. */
function prepare(dir: string, image: string, network: Network): void {
  const layers = join(dir, 'layers')
  for (const one of [layers, image, join(dir, 'vicepa'), join(dir, 'etc')]) mkdirSync(one)
  const mount = (...args: string[]): void => void execFileSync('mount', args, { stdio: 'pipe' })
  mount('-t', 'tmpfs', 'layers', layers)
  for (const one of ['upper', 'work']) mkdirSync(join(layers, one))
  mount('-t', 'overlay', 'overlay', '-o', `lowerdir=/,upperdir=${layers}/upper,workdir=${layers}/work`, image)
  for (const one of ['proc', 'dev']) mount('--rbind', `/${one}`, join(image, one))
  mkdirSync(join(image, 'vicepa'))
  mount('--bind', join(dir, 'vicepa'), join(image, 'vicepa'))
  writeFileSync(join(image, 'vicepa/AlwaysAttach'), '')
  const cellServers = `>${cell}\n${network.address} #${cell}\n`
  writeFileSync(join(dir, 'etc/ThisCell'), `${cell}\n`)
  writeFileSync(join(dir, 'etc/CellServDB'), cellServers)
  for (const place of ['etc/openafs', 'etc/openafs/server']) {
    mkdirSync(join(image, place), { recursive: true })
    for (const file of ['ThisCell', 'CellServDB']) copyFileSync(join(dir, 'etc', file), join(image, place, file))
  }
  writeFileSync(join(image, 'etc/openafs/server/UserList'), 'admin\n')
  for (const place of ['var/lib/openafs/local', 'var/lib/openafs/db', 'var/log/openafs'])
    mkdirSync(join(image, place), { recursive: true, mode: 0o700 })
  writeFileSync(join(image, 'var/lib/openafs/local/NetInfo'), `${network.address}\n`)
}

/** Tries until it works. */
async function until(run: () => string): Promise<void> {
  for (const endMs = performance.now() + patienceMs; ; await delay(200)) {
    try {
      run()
      return
    } catch (error) {
      if (performance.now() > endMs) throw error
    }
  }
}
