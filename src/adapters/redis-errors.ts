import { type ErrorCode, GleanerError, isGleanerError } from '../errors.ts'

/**
 * What Redis, or the way to it, answered → one of our codes. The first rule that matches counts.
 *
 * Out of memory is `redis-unreachable`, which is retried: with noeviction Redis refuses writes until trimming or a person
 * has made room, and nothing is wrong with its configuration. What is in no rule (a time-out, a reset, a server that is
 * loading, demoted or without its cluster) is `redis-unreachable` too: it passes, or an operator reads the message.
 */
const rules: readonly (readonly [RegExp, ErrorCode])[] = [
  [/\b(NOAUTH|WRONGPASS|NOPERM)\b|\binvalid password\b/, 'redis-denied'],
  // The same inside a script, and before AUTH for a command with more than ten arguments.
  [/ACL failure in script|user executing the script can't|\bunauthenticated\b/, 'redis-denied'],
  [/\bWRONGTYPE\b|\bexhausted the last possible ID\b|\bID specified in XADD is equal or smaller\b/, 'redis-wrong-type'],
  [/\bunknown (sub)?command\b|\bCROSSSLOT\b|\bcluster support disabled\b/i, 'redis-unfit'],
  [/^ERR publish: malformed batch/, 'internal'],
]

export interface RedisTask {
  operation: string
  /** The key, or the host and port. */
  subject: string
}

/**
 * Any failure of a call → GleanerError. The original is not kept as its cause: ioredis hangs the command with all its
 * arguments on it, and those of AUTH are the password.
 */
export function redisError(error: unknown, task: RedisTask): GleanerError {
  if (isGleanerError(error)) return error
  const message = safeMessage(error)
  const code = rules.find(([pattern]) => pattern.test(message))?.[1] ?? 'redis-unreachable'
  return new GleanerError(code, { ...task, message })
}

/** Whether Redis answered with this error word (`NOGROUP`, `NOSCRIPT`, `NOPERM`). */
export function isReply(error: unknown, word: string): boolean {
  return error instanceof Error && (error.message.startsWith(`${word} `) || error.message === word)
}

function safeMessage(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  // A cluster says only that no node answered; what the last one said is more use.
  if ('lastNodeError' in error && error.lastNodeError instanceof Error) return safeMessage(error.lastNodeError)
  // "unknown command 'X', with args beginning with: ..." would repeat arguments.
  const text = (error.message.split(/,? with args beginning|\r?\n/)[0] ?? '').slice(0, 300)
  // A host name with two addresses fails with an AggregateError, which has a code and no message.
  return text || ('code' in error ? String(error.code) : error.name)
}
