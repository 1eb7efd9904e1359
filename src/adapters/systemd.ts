/**
 * What systemd is told of a service of `Type=notify` (sd_notify(3)): one datagram per fact to the socket that `$NOTIFY_SOCKET` names. Without that
 * variable nothing is loaded and nothing is sent. Node has no datagram sockets of this family, so it is the C library's calls.
 */

import type { Notify } from '../ports/notify.ts'

const [afUnix, sockDgram, sockCloexec] = [1, 2, 0o2000000]
/** sockaddr_un holds no longer path. */
const pathBytesMax = 107

export async function openNotify(env: NodeJS.ProcessEnv): Promise<Notify> {
  const path = env['NOTIFY_SOCKET'] ?? ''
  if (path === '' || Buffer.byteLength(path) > pathBytesMax) return { tell: () => undefined, watchdogMs: null }
  const send = await openSocket(path)
  return {
    tell: (state) => send(Buffer.from(states[state]())),
    watchdogMs: watchdogOf(env),
  }
}

const states = {
  ready: (): string => 'READY=1\nSTATUS=running',
  reloading: (): string => `RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`,
  stopping: (): string => 'STOPPING=1\nSTATUS=archiving what is there',
  alive: (): string => 'WATCHDOG=1',
}

/** The watchdog's time, if it is meant for this process. */
function watchdogOf(env: NodeJS.ProcessEnv): number | null {
  const forUs = env['WATCHDOG_PID'] === undefined || Number(env['WATCHDOG_PID']) === process.pid
  const ms = Number(env['WATCHDOG_USEC'] ?? '') / 1000
  return forUs && ms > 0 ? ms : null
}

async function openSocket(path: string): Promise<(message: Buffer) => void> {
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int, int, int)') as (...args: number[]) => number
  const sendto = libc.func('int64_t sendto(int, const void *, size_t, int, const void *, uint32_t)') as (
    ...args: [number, Buffer, number, number, Buffer, number]
  ) => number
  const name = Buffer.from(path)
  // An abstract socket's name begins with NUL, written as @.
  if (name[0] === 0x40) name[0] = 0
  const family = Buffer.alloc(2)
  family.writeUInt16LE(afUnix)
  const address = Buffer.concat([family, name])
  const descriptor = socket(afUnix, sockDgram | sockCloexec, 0)
  return (message) => void sendto(descriptor, message, message.length, 0, address, address.length)
}
