/**
 * An AFS cell: OpenAFS's servers, on this machine, with one file server.
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
import type { Network } from '../network.ts'

export const cellName = 'lab.test'
export const cellPackages = ['openafs-fileserver', 'openafs-dbserver', 'openafs-client', 'openafs-krb5']
const key = '80b6a7cd7a9dadb6'
const programs = '/usr/lib/openafs'
const patienceMs = 60_000

export interface Cell {
  /** Starts the servers, and makes the cell's volumes. */
  start(): Promise<void>
  /** The servers again, after `kill`. */
  serve(): Promise<void>
  kill(): Promise<void>
}

/** `clients`: the addresses in the network that may do everything. Clients find the cell's settings in `etc` of the directory. */
export function openCell({ dir, network, clients }: { dir: string; network: Network; clients: number[] }): Cell {
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
      for (const user of ['admin', ...clients.map((n) => network.addressOf(n))]) {
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
  const cellServers = `>${cellName}\n${network.address} #${cellName}\n`
  writeFileSync(join(dir, 'etc/ThisCell'), `${cellName}\n`)
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
