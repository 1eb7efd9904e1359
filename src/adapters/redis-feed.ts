import { GleanerError } from '../errors.ts'
import type { Batch, Epoch, Feed, PublishOutcome } from '../ports/feed.ts'
import type { Client, Connection } from './redis-connection.ts'
import { keyOf, type RedisKeyName } from './redis-keys.ts'
import { runScript, scripts, type Script } from './redis-scripts.ts'
import { trimStreams } from './redis-trim.ts'

/**
 * The feed on Redis. Whatever must be atomic is one Lua script; lists of any length go in chunks, each one call.
 */
const chunk = 1000
const blockMs = 1000
/** Redis refuses a command with more than 1,048,576 arguments. */
const argumentsMax = 1_000_000
const groupsMax = 50

export function redisFeed(connection: Connection, blocking: Connection): Feed {
  const feed: Omit<
    Feed,
    | keyof ReturnType<typeof epochs>
    | keyof ReturnType<typeof marks>
    | keyof ReturnType<typeof leases>
    | keyof ReturnType<typeof sights>
  > = {
    async publish(root, batch) {
      const { args, bytes } = publishArguments(batch)
      const subject = keyOf(root, 'records')
      if (args.length > argumentsMax) {
        throw new GleanerError('internal', {
          operation: 'publish',
          subject,
          message: `a batch of ${batch.entries.length} entries is too large`,
        })
      }
      const keys = (['epoch', 'positions', 'seq', 'records', 'segments'] as const).map((name) => keyOf(root, name))
      const reply = await connection.run({ operation: 'publish', subject, bytes }, (client) =>
        runScript(client, scripts.publish, { keys, args }),
      )
      return outcomeOf(reply as [string, string | null])
    },
    async lastSeq(root) {
      const key = keyOf(root, 'seq')
      const seq = (await connection.run({ operation: 'read', subject: key }, (client) => client.get(key))) ?? '0'
      if (!/^\d{1,15}$/.test(seq))
        throw new GleanerError('redis-wrong-type', {
          operation: 'read',
          subject: key,
          message: 'not a sequence number',
        })
      return Number(seq)
    },
    async trim(root, bounds) {
      return await connection.run({ operation: 'trim', subject: keyOf(root, 'records'), blockMs: 8000 }, (client) =>
        trimStreams(client, root, bounds),
      )
    },
    async read(root, after, limit) {
      const key = keyOf(root, 'records')
      if (!/^(\$|\d{1,20}(-\d{1,20})?)$/.test(after)) {
        throw new GleanerError('usage', { operation: 'read', subject: key, message: 'expected a stream id, 0 or $' })
      }
      const args = ['COUNT', String(limit), 'BLOCK', String(blockMs), 'STREAMS', key, after]
      const reply = await blocking.run({ operation: 'read', subject: key, blockMs }, (client) =>
        client.callBuffer('xread', args),
      )
      return entriesOf(reply as StreamReply)
    },
    async close() {
      await Promise.all([connection.close(), blocking.close()])
    },
  }
  return { ...feed, ...epochs(connection), ...marks(connection), ...leases(connection), ...sights(connection) }
}

function epochs(connection: Connection) {
  const script = scriptRunner(connection)
  return {
    async epoch(root) {
      const key = keyOf(root, 'epoch')
      const read = async (client: Client): Promise<(string | null)[]> =>
        await client.hmget(key, 'id', 'archive', 'floor', 'state')
      const values = await connection.run({ operation: 'read', subject: key }, read)
      return values.every((value) => value === null) ? null : epochOf(key, values)
    },
    async begin(root, { id, archive, floorMs, state }) {
      const values = await script(root, scripts.begin, {
        operation: 'begin',
        keys: ['epoch'],
        args: [id, archive, String(floorMs), state],
      })
      return epochOf(keyOf(root, 'epoch'), values as (string | null)[])
    },
    async open(root, id) {
      await script(root, scripts.open, { operation: 'open', keys: ['epoch'], args: [id] })
    },
    async raiseFloor(root, { id, from, to, drops }) {
      // The first chunk moves the floor; the others find it moved, and only drop.
      for (let at = 0; at === 0 || at < drops.length; at += chunk) {
        const pairs = drops.slice(at, at + chunk).flatMap(({ source, position }) => [source, position])
        const args = [id, String(at === 0 ? from : to), String(to), ...pairs]
        const done = await script(root, scripts.raiseFloor, {
          operation: 'raise the floor',
          keys: ['epoch', 'positions'],
          args,
        })
        if (done !== 1) return at > 0
      }
      return true
    },
  } satisfies Partial<Feed>
}

function marks(connection: Connection) {
  const script = scriptRunner(connection)
  return {
    async positions(root, sources) {
      return await hashValues(connection, keyOf(root, 'positions'), sources)
    },
    async positionIfAbsent(root, id, { source, position }) {
      await script(root, scripts.positionIfAbsent, {
        operation: 'set a position',
        keys: ['epoch', 'positions'],
        args: [id, source, position],
      })
    },
    async proven(root, sources) {
      return await hashValues(connection, keyOf(root, 'proven'), sources)
    },
    async setProven(root, list) {
      const key = keyOf(root, 'proven')
      for (let at = 0; at < list.length; at += chunk) {
        const pairs = list.slice(at, at + chunk).flatMap(({ source, mark }) => [source, mark])
        await connection.run({ operation: 'set proven', subject: key }, (client) =>
          client.call('hset', [key, ...pairs]),
        )
      }
    },
    async announced(root, after, limit) {
      const key = keyOf(root, 'segments')
      if (!/^\d{1,20}(-\d{1,20})?$/.test(after))
        throw new GleanerError('usage', { operation: 'read', subject: key, message: 'expected a stream id' })
      const reply = await connection.run({ operation: 'read', subject: key }, (client) =>
        client.callBuffer('xrange', [key, `(${after}`, '+', 'COUNT', String(limit)]),
      )
      return streamEntries(reply as StreamEntries)
    },
  } satisfies Partial<Feed>
}

function leases(connection: Connection) {
  const script = scriptRunner(connection)
  return {
    async lease(root, holder, ttlMs) {
      return (
        (await script(root, scripts.lease, {
          operation: 'lease',
          keys: ['lease'],
          args: [holder, String(Math.max(1, Math.ceil(ttlMs)))],
        })) === 1
      )
    },
    async release(root, holder) {
      await script(root, scripts.release, { operation: 'release', keys: ['lease'], args: [holder] })
    },
  } satisfies Partial<Feed>
}

/** What is looked at from outside: for metrics. */
function sights(connection: Connection) {
  const script = scriptRunner(connection)
  return {
    async reconcilers(root, passed) {
      const args = passed ? [passed.node, String(Math.max(1, Math.ceil(passed.countsMs)))] : ['', '0']
      return Number(await script(root, scripts.reconcilers, { operation: 'count', keys: ['reconcilers'], args }))
    },
    async lags(root) {
      const call = { operation: 'read', keys: ['records' as const, 'seq' as const], args: [String(groupsMax)] }
      const flat = (await script(root, scripts.lags, call)) as (string | number)[]
      return Array.from({ length: flat.length / 2 }, (_, at) => ({
        group: String(flat[2 * at]),
        records: Number(flat[2 * at + 1]),
      }))
    },
  } satisfies Partial<Feed>
}

function scriptRunner(connection: Connection) {
  return async (
    root: string,
    script: Script,
    call: { operation: string; keys: RedisKeyName[]; args: string[] },
  ): Promise<unknown> => {
    const keys = call.keys.map((name) => keyOf(root, name))
    const task = { operation: call.operation, subject: keys[0] as string }
    return await connection.run(task, (client) => runScript(client, script, { keys, args: call.args }))
  }
}

async function hashValues(connection: Connection, key: string, names: string[]): Promise<(string | null)[]> {
  const values: (string | null)[][] = []
  for (let at = 0; at < names.length; at += chunk) {
    const some = names.slice(at, at + chunk)
    values.push(await connection.run({ operation: 'read', subject: key }, (client) => client.hmget(key, ...some)))
  }
  return values.flat()
}

/** What publish.lua takes, and about how many bytes it is. */
function publishArguments({ epoch, floorMs, source, expected, next, entries, announcements }: Batch): {
  args: (string | Buffer)[]
  bytes: number
} {
  const args: (string | Buffer)[] = [
    epoch,
    String(floorMs),
    source,
    expected === null ? '1' : '0',
    expected ?? '',
    next,
  ]
  args.push(String(entries.length), String(announcements.length))
  for (const entry of [...entries, ...announcements]) {
    const pairs = Object.entries(entry)
    args.push(String(2 * pairs.length))
    for (const [name, value] of pairs) args.push(name, value)
  }
  return { args, bytes: args.reduce((sum, argument) => sum + argument.length, 0) }
}

function outcomeOf([outcome, value]: [string, string | null]): PublishOutcome {
  if (outcome === 'published') return { outcome, firstSeq: Number(value) }
  return outcome === 'moved' ? { outcome, position: value ?? null } : { outcome: 'stale' }
}

function epochOf(key: string, [id, archive, floor, state]: (string | null)[]): Epoch {
  if (!id || !archive || !floor || !/^\d{1,15}$/.test(floor) || (state !== 'starting' && state !== 'open')) {
    throw new GleanerError('redis-wrong-type', {
      operation: 'read',
      subject: key,
      message: 'this hash is not an epoch',
    })
  }
  return { id, archive, floorMs: Number(floor), state }
}

type StreamEntries = [Buffer, Buffer[]][]
type StreamReply = [Buffer, StreamEntries][] | null

function entriesOf(reply: StreamReply): { id: string; fields: Record<string, Buffer> }[] {
  return streamEntries(reply?.[0]?.[1] ?? [])
}

function streamEntries(entries: StreamEntries): { id: string; fields: Record<string, Buffer> }[] {
  return entries.map(([id, flat]) => {
    const pairs: [string, Buffer][] = []
    for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([String(flat[i]), flat[i + 1] as Buffer])
    return { id: String(id), fields: Object.fromEntries(pairs) }
  })
}
