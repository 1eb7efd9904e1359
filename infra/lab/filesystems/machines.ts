/**
 * Two client machines with kernels of their own, in which Gleaner's processes run, so that nothing is shared but the wire. The archive is the
 * tests' S3 server on this machine.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startSupport } from '../../../test/support/process.ts'
import type { LabNode, Mounted } from '../filesystem.ts'
import type { Network } from '../network.ts'
import type { Machine } from '../uml/machine.ts'
import { machineNode, openMachine } from '../uml/machine.ts'

const s3Port = 9000

export const machinePackages = ['user-mode-linux', 'kmod', 'mount']

export const clientAddresses = { A: 3, B: 4 }

export interface Clients {
  machines: Record<LabNode['name'], Machine>
  /** Boots both, and starts what they archive to. */
  boot(): Promise<void>
  mounted: Pick<Mounted, 'a' | 'b' | 'host' | 's3'>
  kill(): Promise<void>
}

/** Their setup is a script of uml/; machines of this lab keep their memory in a directory that this makes. */
export function openClients(
  dir: string,
  network: Network,
  { setup, settings }: { setup: string; settings: Record<string, string> },
): Clients {
  const memory = join(dir, 'memory')
  mkdirSync(memory)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4g', 'memory', memory])
  const client = (name: LabNode['name']): Machine =>
    openMachine({ network, work: dir, name, n: clientAddresses[name], memory: '1G', setup, settings })
  const [a, b] = [client('A'), client('B')]
  let killS3 = (): void => undefined
  return {
    machines: { A: a, B: b },
    async boot() {
      await Promise.all([a.boot(), b.boot()])
      const log = join(dir, 's3')
      const s3 = startSupport('s3-process.ts', [String(s3Port), '0', '1', network.address], { log })
      killS3 = () => s3.kill('SIGKILL')
      await s3.said('http')
    },
    mounted: {
      a: machineNode('A', a),
      b: machineNode('B', b),
      host: network.address,
      s3: {
        endpoint: `http://${network.address}:${s3Port}`,
        accessKeyId: 'lab',
        secretAccessKey: 'lab',
        bucket: 'archive',
      },
    },
    async kill() {
      killS3()
      await Promise.all([a.kill(), b.kill()])
    },
  }
}

/** What kernel the machines run. */
export function kernelVersion(): string {
  return execFileSync('linux.uml', ['--version'], { encoding: 'utf8' }).trim()
}
