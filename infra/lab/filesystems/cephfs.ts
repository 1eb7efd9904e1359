/**
 * CephFS through two ceph-fuse clients: one monitor, one OSD in memory, one metadata server, and a radosgw beside them, which holds the archive.
 * No manager daemon. One keyring for all, since radosgw cannot do without authentication.
 */

import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Process } from '../../../test/support/process.ts'
import { startProcess } from '../../../test/support/process.ts'
import { createBucket } from '../bucket.ts'
import type { Filesystem, LabNode, Mounted } from '../filesystem.ts'
import { fuseNode, shared, versionOf } from '../mounts.ts'

const monitor = 42_789
const gateway = 42_780
const archive = {
  endpoint: `http://127.0.0.1:${gateway}`,
  accessKeyId: 'lab',
  secretAccessKey: 'labsecret',
  bucket: 'archive',
}

export const cephfs: Filesystem = {
  name: 'cephfs',
  packages: ['ceph-mon', 'ceph-mds', 'ceph-osd', 'ceph-fuse', 'ceph-common', 'radosgw'],
  devices: ['/dev/fuse'],
  async start(dir) {
    const ceph = openCeph(dir)
    await ceph.start()
    const mount = (name: 'A' | 'B') =>
      fuseNode(name, join(dir, name), ['ceph-fuse', '-f', '--conf', ceph.conf, '-n', 'client.admin', join(dir, name)])
    const [a, b] = [evicted(ceph, await mount('A')), evicted(ceph, await mount('B'))]
    await shared(b, a)
    return mountedOf(ceph, { a, b })
  },
}

/** A node whose death is told to the metadata server, which else waits minutes for what it held. */
function evicted(ceph: Ceph, node: LabNode): LabNode {
  return {
    ...node,
    async kill() {
      await node.kill()
      await ceph.evict(node.path)
    },
  }
}

function mountedOf(ceph: Ceph, { a, b }: Pick<Mounted, 'a' | 'b'>): Mounted {
  return {
    a,
    b,
    version: `${versionOf('ceph-fuse').split('(')[0]?.trim() ?? ''}, archive on radosgw`,
    server: { kill: ceph.killServers, restart: ceph.restartServers },
    host: '127.0.0.1',
    s3: archive,
    isLying: true,
    calls: () => Promise.resolve(null),
    async stop() {
      await Promise.all([a.kill(), b.kill()].map((one) => one.catch(() => undefined)))
      await ceph.stop()
    },
  }
}

interface Session {
  id: number
  client_metadata: { mount_point?: string }
}

interface Ceph {
  conf: string
  start(): Promise<void>
  /** The metadata server: all calls hang. The OSD has the files in memory, and the archive. */
  killServers: () => Promise<void>
  restartServers: () => Promise<void>
  /** Takes back what the client that mounted `path` holds. */
  evict(path: string): Promise<void>
  stop(): Promise<void>
}

function openCeph(dir: string): Ceph {
  const conf = join(dir, 'ceph.conf')
  const running = new Map<string, Process>()
  const launch = (program: string, ...args: string[]): void => {
    const name = [program, ...args].join(' ')
    running.set(name, startProcess(program, ['--conf', conf, '-f', ...args], { log: join(dir, program) }))
  }
  const kill = async (which: (name: string) => boolean): Promise<void> => {
    const some = [...running].filter(([name]) => which(name))
    for (const [name, one] of some) {
      one.kill('SIGKILL')
      running.delete(name)
    }
    await Promise.all(some.map(([, one]) => one.ended))
  }
  return {
    conf,
    async start() {
      prepare(dir, conf)
      launch('ceph-mon', '-i', 'a')
      const osd = randomUUID()
      await ceph(conf, 'osd', 'new', osd)
      execFileSync('ceph-osd', ['--conf', conf, '-i', '0', '--mkfs', '--osd-uuid', osd], { stdio: 'pipe' })
      await ceph(conf, 'osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=lab')
      for (const pool of ['metadata', 'data']) await ceph(conf, 'osd', 'pool', 'create', pool, '8', '8')
      await ceph(conf, 'fs', 'new', 'fs', 'metadata', 'data')
      launch('ceph-osd', '-i', '0')
      launch('ceph-mds', '-i', 'a')
      while (!(await ceph(conf, 'mds', 'stat')).includes('up:active')) await delay(200)
      launch('radosgw', '-n', 'client.rgw')
      await answers(`http://127.0.0.1:${gateway}/`)
      const { accessKeyId, secretAccessKey } = archive
      const user = ['user', 'create', '--uid=lab', '--display-name=lab', `--access-key=${accessKeyId}`]
      execFileSync('radosgw-admin', ['--conf', conf, ...user, `--secret-key=${secretAccessKey}`], { stdio: 'pipe' })
      await createBucket(archive)
    },
    killServers: () => kill((name) => name.includes('mds')),
    async restartServers() {
      launch('ceph-mds', '-i', 'a')
      while (!(await ceph(conf, 'mds', 'stat')).includes('up:active')) await delay(200)
    },
    async evict(path) {
      const sessions = JSON.parse(await ceph(conf, 'tell', 'mds.a', 'session', 'ls', '--format', 'json')) as Session[]
      for (const { id, client_metadata: client } of sessions)
        if (client.mount_point === path) await ceph(conf, 'tell', 'mds.a', 'client', 'evict', `id=${id}`)
    },
    stop: () => kill(() => true),
  }
}

function prepare(dir: string, conf: string): void {
  for (const name of ['mon', 'osd', 'mds', 'run', 'log', 'rgw']) mkdirSync(join(dir, name))
  const fsid = randomUUID()
  writeFileSync(conf, settings(dir, fsid))
  const keyring = join(dir, 'keyring')
  const osd = ['--cap', 'osd', 'allow *']
  const mds = ['--cap', 'mds', 'allow *']
  addKey(keyring, 'mon.', [])
  for (const name of ['client.admin', 'client.rgw', 'osd.0', 'mds.a']) addKey(keyring, name, [...osd, ...mds])
  const map = join(dir, 'monmap')
  const at = ['--addv', 'a', `[v2:127.0.0.1:${monitor}]`]
  execFileSync('monmaptool', ['--create', '--fsid', fsid, ...at, map, '--clobber'], { stdio: 'pipe' })
  execFileSync('ceph-mon', ['--conf', conf, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring], {
    stdio: 'pipe',
  })
}

function addKey(keyring: string, name: string, capabilities: string[]): void {
  const key = ['--create-keyring', '--gen-key', '-n', name, '--cap', 'mon', 'allow *', ...capabilities]
  const args = existsSync(keyring) ? key.slice(1) : key
  execFileSync('ceph-authtool', [keyring, ...args], { stdio: 'pipe' })
}

/** Asks the monitor, which may still be starting. */
async function ceph(conf: string, ...args: string[]): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    try {
      return execFileSync('ceph', ['--conf', conf, '--connect-timeout', '5', ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
      })
    } catch (error) {
      if (attempt > 30) throw error
      await delay(200)
    }
  }
}

async function answers(url: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await fetch(url)
      return
    } catch (error) {
      if (attempt > 300) throw error
      await delay(100)
    }
  }
}

function settings(dir: string, fsid: string): string {
  return `[global]
fsid = ${fsid}
mon host = [v2:127.0.0.1:${monitor}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind ipv6 = false
ms bind msgr1 = false
ms bind port min = 42800
ms bind port max = 42899
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon osd min in ratio = 0
mon osd min up ratio = 0
mon data avail crit = 1
mon data avail warn = 2
paxos propose interval = 0.05
paxos min wait = 0.01
mon data = ${dir}/mon
osd data = ${dir}/osd
osd journal = ${dir}/osd/journal
osd objectstore = memstore
memstore device bytes = 2147483648
osd memory target = 939524096
osd class load list = *
osd max object name len = 256
osd max object namespace len = 64
mds data = ${dir}/mds
mds cache memory limit = 67108864
run dir = ${dir}/run
admin socket = ${dir}/run/$name.$pid.asok
pid file = ${dir}/run/$name.pid
log file = ${dir}/log/$name.log
crash dir = ${dir}/run
keyring = ${dir}/keyring
[client.rgw]
rgw data = ${dir}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gateway}
`
}
