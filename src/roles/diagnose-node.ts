/** What `doctor` says of this machine, of what the store and Redis tell about themselves, and of what is configured. Facts in, findings out. */

import type { BucketLock } from '../ports/store.ts'
import type { Finding } from './diagnose.ts'

const nodeWanted = 26
const filesWanted = 4096
const freeWantedBytes = 1024 ** 3
const tmpWantedBytes = 256 * 1024 ** 2
const slowMs = 50
const clockSkewMsMax = 5000

type Said = Omit<Finding, 'check' | 'subject' | 'means' | 'todo'> & { means?: string; todo?: string }

function finding(check: string, subject: string, { result, found, means = '', todo = '' }: Said): Finding {
  return { check, subject, result, found, means, todo }
}

export function diagnoseRuntime({ gleaner, node }: { gleaner: string; node: string }): Finding {
  const isOld = Number.parseInt(node.replace(/^v/, ''), 10) < nodeWanted
  const found = `Gleaner ${gleaner} on Node ${node.replace(/^v/, '')}`
  if (!isOld) return finding('versions', 'node', { result: 'ok', found })
  return finding('versions', 'node', { result: 'fail', found, todo: `install Node ${nodeWanted} or newer` })
}

/** `limit`: the soft limit; null: unknown or none. */
export function diagnoseOpenFiles(limit: number | null): Finding {
  const found = limit === null ? 'no limit, or none that can be told' : `at most ${limit} at once`
  if (limit === null || limit >= filesWanted) return finding('open files', 'node', { result: 'ok', found })
  const means = 'with many connections and roots, files or sockets may not open'
  const todo = `raise it to ${filesWanted}: ulimit -n, or LimitNOFILE= in the unit`
  return finding('open files', 'node', { result: 'warn', found, means, todo })
}

/** `bytes` free to this user at `place`. */
export function diagnoseSpace(subject: string, { place, bytes }: { place: string; bytes: number | null }): Finding {
  if (bytes === null) {
    const found = `what is free at ${place} cannot be told`
    return finding('free space', subject, { result: 'warn', found, todo: 'see that the directory is there' })
  }
  const [wanted, means] =
    subject === 'archive'
      ? [freeWantedBytes, 'archiving waits once it is full; nothing is lost while the files are there']
      : [
          tmpWantedBytes,
          'compressed files are unpacked there, and queries and table builds write there: they fail once it is full',
        ]
  const found = `${size(bytes)} free at ${place}`
  if (bytes >= wanted) return finding('free space', subject, { result: 'ok', found })
  return finding('free space', subject, { result: 'warn', found, means, todo: `free some: ${size(wanted)} or more` })
}

/** `configured`: the mode that `s3.objectLock` asks for. `bucket`: null where the store cannot lock, or an error's text. */
export function diagnoseLock(configured: string | null, bucket: BucketLock | string | null): Finding {
  const check = 'object lock'
  const asked = configured === null ? 'none is configured' : `${configured} is configured`
  if (bucket === null) {
    const found = 'a directory cannot lock what it holds'
    const means = 'who may write there may also delete: keep it from others, and copy it elsewhere'
    return finding(check, 'archive', { result: 'ok', found, means })
  }
  if (typeof bucket === 'string') {
    const found = `${asked}; the bucket's own could not be asked for: ${bucket}`
    const todo = 'allow s3:GetBucketObjectLockConfiguration, or check it yourself'
    return finding(check, 'archive', { result: configured === null ? 'ok' : 'warn', found, todo })
  }
  const found = `${asked}; the bucket has it ${bucket.enabled ? `on, ${bucket.byDefault ?? 'with no default'}` : 'off'}`
  if (configured !== null && !bucket.enabled) {
    const means = 'every segment would be refused'
    const todo = 'turn Object Lock on for the bucket, or remove s3.objectLock'
    return finding(check, 'archive', { result: 'fail', found, means, todo })
  }
  const isBare = configured === null && (!bucket.enabled || bucket.byDefault === null)
  const means = isBare
    ? 'evidence can be deleted by whoever has the right to'
    : 'evidence stays until its retention ends'
  return finding(check, 'archive', { result: 'ok', found, means })
}

export interface AccessFacts {
  user: string | null
  refused: readonly string[]
  latencyMs: number
  clockMs: number | null
}

/** `nowMs`: this node's clock when Redis told its own. */
export function diagnoseAccess({ user, refused, latencyMs, clockMs }: AccessFacts, nowMs: number): Finding[] {
  const who = user === null ? 'this user' : `user ${user}`
  const isSlow = latencyMs > slowMs
  const skewMs = clockMs === null ? null : Math.round(nowMs - clockMs)
  const isOff = skewMs !== null && Math.abs(skewMs) > clockSkewMsMax
  return [
    refused.length === 0
      ? finding('redis permissions', 'redis', { result: 'ok', found: `${who} may do all that is needed` })
      : finding('redis permissions', 'redis', {
          result: 'fail',
          found: `${who} may not: ${refused.join(', ')}`,
          means: 'what needs those fails: publishing, signals, trimming or metrics',
          todo: 'give the user these commands on {gleaner:*} keys: infra/redis/users.acl',
        }),
    finding('redis latency', 'redis', {
      result: isSlow ? 'warn' : 'ok',
      found: `${latencyMs.toFixed(1)} ms for a PING`,
      ...(isSlow && { means: 'each batch of records waits for it', todo: 'run Redis nearer to the collectors' }),
    }),
    finding('clocks', 'redis', {
      result: isOff ? 'warn' : 'ok',
      found:
        skewMs === null
          ? "Redis does not tell its clock's time"
          : `this node's clock is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} Redis's`,
      ...(isOff && { means: 'feed.maxAge goes by the clock of Redis', todo: 'run a time service such as chrony' }),
    }),
  ]
}

/** `key`: its fingerprint, an error's text, or null where none is configured. */
export function diagnoseSigning(key: { fingerprint: string } | string | null): Finding {
  if (key === null) {
    const means = 'what was archived can be checked for damage, not for who made it'
    return finding('signing', 'sign', { result: 'ok', found: 'no key is configured', means })
  }
  if (typeof key !== 'string')
    return finding('signing', 'sign', { result: 'ok', found: `digests are signed by ${key.fingerprint}` })
  const means = 'no digest is made'
  return finding('signing', 'sign', { result: 'fail', found: key, means, todo: 'correct sign.keyFile' })
}

function size(bytes: number): string {
  const gib = bytes / 1024 ** 3
  return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`
}
