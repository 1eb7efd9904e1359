/**
 * A bridge in the lab's own network namespace, which has no way out. This machine's services listen at `address`; machines are plugged in by a
 * tap device, namespaces by a pair of ends.
 */

import { execFileSync } from 'node:child_process'

export interface Network {
  /** This machine's own address in it. */
  address: string
  /** Address n of it, from 2. */
  addressOf(n: number): string
  /** A tap device for a machine; it stays when the machine goes. */
  tap(name: string): void
  /** Gives the network namespace of process `pid` an end with an address. */
  join(pid: number, n: number): void
  close(): void
}

const subnet = '10.77.0'

export function openNetwork(): Network {
  const ends: string[] = []
  ip('link', 'add', 'br0', 'type', 'bridge')
  ip('addr', 'add', `${subnet}.1/24`, 'dev', 'br0')
  ip('link', 'set', 'br0', 'up')
  const plug = (name: string): void => {
    ip('link', 'set', name, 'master', 'br0', 'up')
    ends.push(name)
  }
  return {
    address: `${subnet}.1`,
    addressOf: (n) => `${subnet}.${n}`,
    tap(name) {
      ip('tuntap', 'add', 'dev', name, 'mode', 'tap')
      plug(name)
    },
    join(pid, n) {
      const inside = (...args: string[]): void =>
        void execFileSync('nsenter', [`--net=/proc/${pid}/ns/net`, 'ip', ...args], { stdio: 'pipe' })
      ip('link', 'add', `end${n}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid))
      plug(`end${n}`)
      inside('addr', 'add', `${subnet}.${n}/24`, 'dev', 'eth0')
      for (const device of ['lo', 'eth0']) inside('link', 'set', device, 'up')
    },
    close() {
      for (const name of [...ends, 'br0']) ip('link', 'del', name)
    },
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}
