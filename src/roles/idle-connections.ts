/**
 * A bound on connections that ask nothing: the oldest of them is closed for the newest. So a flood of connections takes from itself, and a
 * probe that comes in the middle of it is answered as soon as it is accepted; refusing the newest instead would refuse the probe until the
 * flood's own time-outs have passed.
 *
 *   accepted ──▶ idle ──request──▶ asking ──answered──▶ idle
 */

import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Keeps at most `idleMax` such connections on this server, from now on. */
export function boundIdleConnections(server: Server, idleMax: number): void {
  /** The longest idle first. */
  const idle = new Set<Socket>()
  const rest = (socket: Socket): void => {
    if (socket.destroyed) return
    idle.add(socket)
    const [oldest] = idle
    if (idle.size > idleMax) oldest?.destroy()
  }
  server.on('connection', (socket) => {
    socket.once('close', () => idle.delete(socket))
    rest(socket)
  })
  server.on('request', ({ socket }, response) => {
    idle.delete(socket)
    response.once('finish', () => rest(socket))
  })
}
