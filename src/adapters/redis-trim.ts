import type { Client } from './redis-connection.ts'
import { isReply } from './redis-errors.ts'
import { keyOf } from './redis-keys.ts'

/**
 * Trimming a root's streams by age and by size, in steps of 10,000 entries, so that nobody else waits long; what one call
 * leaves, the next one takes.
 *
 * How many removed entries some group had not read is told from our own numbering, which has no gaps: the `seq` of the first
 * entry after the group that lags most, before, and of the first entry left, after. No Redis before 7 counts a group's lag.
 */
const step = 10_000
const stepsMax = 100

export async function trimStreams(
  client: Client,
  root: string,
  { maxAgeMs, maxBytes }: { maxAgeMs: number; maxBytes: number },
): Promise<{ removed: number; unread: number }> {
  const records = keyOf(root, 'records')
  const firstUnread = await seqAfter(client, records, await slowestGroup(client, records))
  let removed = 0
  for (const key of [records, keyOf(root, 'segments')]) {
    removed += await trimByAge(client, key, maxAgeMs)
    removed += await trimBySize(client, key, maxBytes)
  }
  if (firstUnread === null) return { removed, unread: 0 }
  const firstLeft = (await seqAfter(client, records, '-')) ?? Number((await client.get(keyOf(root, 'seq'))) ?? 0) + 1
  return { removed, unread: Math.max(0, firstLeft - firstUnread) }
}

async function trimByAge(client: Client, key: string, maxAgeMs: number): Promise<number> {
  const [seconds, micros] = (await client.call('time', [])) as [string, string]
  const oldest = Number(seconds) * 1000 + Number(micros) / 1000 - maxAgeMs
  return oldest > 0 ? await trimSteps(client, [key, 'MINID', String(Math.floor(oldest))]) : 0
}

/** Keeps the newest entries that fit, taking all for average ones. An ACL may forbid to ask for the size: then age alone counts. */
async function trimBySize(client: Client, key: string, maxBytes: number): Promise<number> {
  const bytes = await memoryUsage(client, key)
  if (bytes <= maxBytes) return 0
  const length = Number(await client.call('xlen', [key]))
  return await trimSteps(client, [key, 'MAXLEN', String(Math.floor((length * maxBytes) / bytes))])
}

/** Whole stream nodes (~) in bounded steps, then the rest of the last node exactly. */
async function trimSteps(client: Client, [key, strategy, threshold]: [string, string, string]): Promise<number> {
  let removed = 0
  for (let i = 0; i < stepsMax; i++) {
    const count = Number(await client.call('xtrim', [key, strategy, '~', threshold, 'LIMIT', String(step)]))
    removed += count
    if (count > 0) continue
    return removed + Number(await client.call('xtrim', [key, strategy, '=', threshold]))
  }
  return removed
}

async function memoryUsage(client: Client, key: string): Promise<number> {
  try {
    return Number((await client.call('memory', ['USAGE', key, 'SAMPLES', '5'])) ?? 0)
  } catch (error) {
    if (isReply(error, 'NOPERM') || /unknown (sub)?command/i.test(String(error))) return 0
    throw error
  }
}

/** The least last-delivered id of the stream's groups; null without any group. */
async function slowestGroup(client: Client, key: string): Promise<string | null> {
  if (Number(await client.call('exists', [key])) === 0) return null
  const groups = (await client.call('xinfo', ['GROUPS', key])) as unknown[][]
  const ids = groups.map((group) => String(group[group.indexOf('last-delivered-id') + 1]))
  return ids.reduce<string | null>((least, id) => (least === null || before(id, least) ? id : least), null)
}

/** `seq` of the first entry after an id (`-`: of all); null if there is none, or it has no number. */
async function seqAfter(client: Client, key: string, id: string | null): Promise<number | null> {
  if (id === null) return null
  const reply = (await client.call('xrange', [key, id === '-' ? '-' : `(${id}`, '+', 'COUNT', '1'])) as [
    string,
    string[],
  ][]
  const fields = reply[0]?.[1] ?? []
  const at = fields.findIndex((name, i) => i % 2 === 0 && name === 'seq')
  return at < 0 || !/^\d{1,15}$/.test(fields[at + 1] ?? '') ? null : Number(fields[at + 1])
}

function before(a: string, b: string): boolean {
  const [aMs = '0', aCount = '0'] = a.split('-')
  const [bMs = '0', bCount = '0'] = b.split('-')
  return BigInt(aMs) < BigInt(bMs) || (aMs === bMs && BigInt(aCount) < BigInt(bCount))
}
