import type { Signal, Signals } from '../ports/signals.ts'
import { decodePath, encodePath, isInside } from '../core/path.ts'
import type { Client, Connection } from './redis-connection.ts'
import { isReply } from './redis-errors.ts'
import { keyOf } from './redis-keys.ts'

/**
 * Signals over one Redis stream per root, taken through the consumer group `gleaner` without acknowledging.
 *
 * The group is made when Redis says that there is none: a new Redis, a FLUSHALL, or somebody deleted it. It begins at 0, so
 * that what was signalled before the first receiver came is not lost; after a deletion that repeats at most the stream's
 * length of hints, which costs a look each. All receivers share one consumer name: without acknowledgement a consumer
 * holds nothing, and names of their own would pile up in the group with every start.
 *
 * The stream is public. Whatever an entry holds, it becomes a clean signal or it is skipped.
 */
export const signalsLengthMax = 100_000

const blockMs = 4000
const fieldBytesMax = 16 * 1024
const fieldsMax = 64
const inFlightMax = 500

export function redisSignals(connection: Connection, blocking: Connection): Signals {
  return {
    async send(root, signals) {
      const key = keyOf(root, 'signals')
      for (let at = 0; at < signals.length; at += inFlightMax) {
        const some = signals.slice(at, at + inFlightMax)
        await connection.run({ operation: 'signal', subject: key }, (client) =>
          Promise.all(some.map((signal) => add(client, key, signal))),
        )
      }
    },
    async receive(root, limit) {
      const key = keyOf(root, 'signals')
      const reply = await blocking.run({ operation: 'receive', subject: key, blockMs }, (client) =>
        take(client, key, limit),
      )
      return reply.flatMap((fields) => signalOf(fields) ?? [])
    },
    async close() {
      await Promise.all([connection.close(), blocking.close()])
    },
  }
}

/** Fields of one entry, as anybody may have written them → signal, or null where it is not one. */
export function signalOf(fields: Buffer[]): Signal | null {
  if (fields.length > 2 * fieldsMax || fields.some((field) => field.length > fieldBytesMax)) return null
  const named = new Map<string, Buffer>()
  for (let i = 0; i + 1 < fields.length; i += 2) named.set(String(fields[i]), fields[i + 1] as Buffer)
  const path = pathOf(named.get('path'))
  const size = named.get('size')?.toString('latin1')
  const node = named.get('node')?.toString('utf8')
  if (path === null || (size !== undefined && !/^\d{1,15}$/.test(size))) return null
  return {
    path,
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(node === undefined ? {} : { node: node.slice(0, 255) }),
    cause: named.get('cause')?.toString('utf8').slice(0, 64) ?? 'unknown',
  }
}

/** An outside program may write a name as it is, or with other escapes than ours; the same file is the same path. */
function pathOf(bytes: Buffer | undefined): string | null {
  if (bytes === undefined) return null
  const escaped = bytes
    .toString('latin1')
    .replace(/[^\x21-\x7e]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
  const path = encodePath(decodePath(escaped))
  return isInside(path) ? path : null
}

async function add(client: Client, key: string, { path, size, node, cause }: Signal): Promise<unknown> {
  const fields = ['path', path, 'cause', cause]
  if (size !== undefined) fields.push('size', String(size))
  if (node !== undefined) fields.push('node', node)
  return await client.call('xadd', [key, 'MAXLEN', '~', String(signalsLengthMax), '*', ...fields])
}

async function take(client: Client, key: string, limit: number): Promise<Buffer[][]> {
  const args = [
    'GROUP',
    'gleaner',
    'worker',
    'COUNT',
    String(limit),
    'BLOCK',
    String(blockMs),
    'NOACK',
    'STREAMS',
    key,
    '>',
  ]
  for (let attempt = 1; ; attempt++) {
    try {
      const reply = (await client.callBuffer('xreadgroup', args)) as [Buffer, [Buffer, Buffer[] | null][]][] | null
      return (reply?.[0]?.[1] ?? []).map(([, fields]) => fields ?? [])
    } catch (error) {
      // The key was deleted while we waited; the next call makes it again.
      if (isReply(error, 'UNBLOCKED')) return []
      if (!isReply(error, 'NOGROUP') || attempt === 3) throw error
      await createGroup(client, key)
    }
  }
}

async function createGroup(client: Client, key: string): Promise<void> {
  try {
    await client.call('xgroup', ['CREATE', key, 'gleaner', '0', 'MKSTREAM'])
  } catch (error) {
    // Another receiver was faster.
    if (!isReply(error, 'BUSYGROUP')) throw error
  }
}
