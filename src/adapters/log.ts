import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'

/**
 * Log lines: one JSON document each, on stderr, written before the call returns, so that the last words of a process that
 * ends are not lost. `level` is a word, `time` is ISO 8601 UTC. `error` means that an operator must act.
 */
export type Log = Logger

export interface LogOptions {
  level: string
  node: string
  version: string
  /** Where lines go; stderr unless another place is given. */
  destination?: DestinationStream
}

/** What a fact may not be called, since a line's own keys have these names. */
const ownKeys = new Set(['level', 'time', 'node', 'version', 'pid', 'message'])

export function openLog({ level, node, version, destination }: LogOptions): Log {
  return pino(
    {
      level,
      base: { node, version, pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination ?? pino.destination({ fd: 2, sync: true }),
  )
}

/** Facts with the keys that a line has itself renamed to `fact_level` and so on. */
export function facts(given: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(given)
  if (!entries.some(([key]) => ownKeys.has(key))) return given
  return Object.fromEntries(entries.map(([key, value]) => [ownKeys.has(key) ? `fact_${key}` : key, value]))
}
