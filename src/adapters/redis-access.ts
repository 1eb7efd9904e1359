/**
 * What this process's user may do at Redis, found out by doing it: each command is sent in a form that changes nothing (a key that is not
 * there, XX, NOMKSTREAM, an id that no entry has); the one that has no such form, HSET, goes to a key of its own, which is deleted again.
 * An ACL says NOPERM before Redis looks at anything else, so any other answer means that the command is allowed.
 */

import type { Client, Connection } from './redis-connection.ts'
import { isReply } from './redis-errors.ts'

export interface RedisAccess {
  /** The user as the server names it; null where ACL WHOAMI is not allowed. */
  user: string | null
  /** Commands that are needed and refused. */
  refused: string[]
  /** The median of some PINGs, ms. */
  latencyMs: number
  /** The server's clock, ms since 1970; null where TIME is not allowed. */
  clockMs: number | null
}

const pings = 7

/** `key`: one that nobody has, in the slot of a root. Rejects with `redis-unreachable`, or `redis-denied` where the server lets nobody in. */
export async function redisAccess(connection: Connection, key: string): Promise<RedisAccess> {
  const ask = (call: (client: Client) => Promise<unknown>): Promise<unknown> =>
    connection.run({ operation: 'check', subject: key }, call)
  const times: number[] = []
  for (let n = 0; n < pings; n++) {
    const startMs = performance.now()
    await ask((client) => client.call('ping', []))
    times.push(performance.now() - startMs)
  }
  const refused: string[] = []
  for (const [command, ...args] of needed(key)) {
    if (await ask((client) => isRefused(client, command, args))) refused.push(name(command, args))
  }
  const user = await ask((client) => orNull(client.call('acl', ['WHOAMI'])))
  const time = (await ask((client) => orNull(client.call('time', [])))) as [string, string] | null
  return {
    user: typeof user === 'string' ? user : null,
    refused,
    latencyMs: times.sort((a, b) => a - b)[Math.floor(pings / 2)] ?? 0,
    clockMs: time === null ? null : Number(time[0]) * 1000 + Number(time[1]) / 1000,
  }
}

function needed(key: string): [string, ...string[]][] {
  return [
    ['time'],
    ['eval', 'return 1', '1', key],
    ['evalsha', '0'.repeat(40), '1', key],
    ['exists', key],
    ['type', key],
    ['get', key],
    ['set', key, '0', 'XX', 'PX', '1'],
    ['hset', key, 'a', 'b'],
    ['hget', key, 'a'],
    ['hmget', key, 'a'],
    ['hdel', key, 'a'],
    ['del', key],
    ['xadd', key, 'NOMKSTREAM', '*', 'a', 'b'],
    ['xlen', key],
    ['xrange', key, '-', '+', 'COUNT', '1'],
    ['xtrim', key, 'MAXLEN', '0'],
    ['xdel', key, '0-1'],
    ['xinfo', 'GROUPS', key],
    ['xgroup', 'CREATE', key, 'gleaner', '0'],
    ['xreadgroup', 'GROUP', 'gleaner', 'worker', 'COUNT', '1', 'NOACK', 'STREAMS', key, '>'],
    ['memory', 'USAGE', key],
    ['info'],
  ]
}

/** True for NOPERM alone; what ends the connection is thrown. */
async function isRefused(client: Client, command: string, args: string[]): Promise<boolean> {
  try {
    await client.call(command, args)
    return false
  } catch (error) {
    if (isReply(error, 'NOPERM')) return true
    if (error instanceof Error && error.name === 'ReplyError' && !isReply(error, 'NOAUTH')) return false
    throw error
  }
}

async function orNull(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return null
    throw error
  }
}

/** `XINFO GROUPS`: a subcommand where it has one. */
function name(command: string, [first = '']: string[]): string {
  const isDouble = ['xinfo', 'xgroup', 'memory'].includes(command)
  return (isDouble ? `${command} ${first}` : command).toUpperCase()
}
