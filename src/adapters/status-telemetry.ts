/**
 * Facts → the model behind the status page. The other implementation of the port turns them into metrics and log lines; `both` tells two.
 */

import { isDone, openStatus, tailMax } from '../core/status.ts'
import type { StatusSeen, TailRow } from '../core/status.ts'
import { GleanerError, messageOf } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { PublishedRecord, Telemetry } from '../ports/telemetry.ts'

export interface StatusTelemetry extends Telemetry {
  read(roots: readonly string[]): StatusSeen
}

export interface StatusOptions {
  clock: Pick<Clock, 'monotonicMs'>
  /** Whether the content of records may be shown. */
  showRecords: boolean
  /** Whether records are published at all; if not, the tail tells of segments. */
  publishes: boolean
}

const textMax = 400

export function openStatusTelemetry({ clock, showRecords, publishes }: StatusOptions): StatusTelemetry {
  const status = openStatus()
  const now = (): number => clock.monotonicMs()
  const text = showRecords
    ? ({ raw }: PublishedRecord): string => raw.subarray(0, textMax).toString('utf8')
    : () => null
  const nothing = (): void => undefined
  return {
    archived(root, { path, start, end, lines }) {
      status.touch(now(), root, path)
      if (publishes) return
      const type = lines === 1 ? '1 line' : `${lines} lines`
      status.tail(now(), [{ root, path, kind: 'segment', type, bytes: end - start, text: null }])
    },
    published(root, { path, latest }) {
      status.touch(now(), root, path)
      const rows = latest(tailMax).map(
        (record): TailRow => ({
          root,
          path,
          kind: 'record',
          type: record.type.slice(0, 80),
          bytes: record.bytes,
          text: text(record),
        }),
      )
      status.tail(now(), rows)
    },
    feedLags: nothing,
    reconcilers: nothing,
    change: (root, seenBy) => status.change(now(), root, seenBy),
    pass: (root, pass) => status.pass(now(), root, pass),
    rootUp: (root, up, reason) => status.up(root, up, reason),
    rootBlind: (root, blind) => status.blind(root, blind),
    waiting(root, { longest, ...waiting }) {
      status.waiting(root, waiting)
      for (const path of longest) status.touch(now(), root, path)
    },
    anomaly: (root, { kind, subject, detail, id, path }) =>
      status.anomaly({ root, kind, subject: path || subject, detail: detail.slice(0, textMax), id: id ?? null }),
    openAnomalies: (_counts, open) => status.anomalies(open),
    storeRequest: (_operation, outcome, ms) => status.request(now(), 'store', { ms, ok: isDone(outcome) }),
    redisRequest: (_operation, outcome, ms) => status.request(now(), 'redis', { ms, ok: isDone(outcome) }),
    trouble: (error) => status.trouble(now(), troubleOf(error)),
    digest: nothing,
    metadataCalls: nothing,
    notice: nothing,
    read: (roots) => status.read(now(), roots),
  }
}

/** Tells both of every fact. */
export function both<First extends Telemetry>(first: First, second: Telemetry): First {
  const told = (name: keyof Telemetry): ((...facts: unknown[]) => void) => {
    const [one, other] = [first[name], second[name]] as ((...facts: unknown[]) => void)[]
    return (...facts) => {
      one?.(...facts)
      other?.(...facts)
    }
  }
  return { ...first, ...Object.fromEntries(facts.map((name) => [name, told(name)])) }
}

const facts = [
  'archived',
  'published',
  'change',
  'pass',
  'rootUp',
  'rootBlind',
  'waiting',
  'anomaly',
  'digest',
  'openAnomalies',
  'storeRequest',
  'redisRequest',
  'metadataCalls',
  'notice',
  'trouble',
] as const satisfies (keyof Telemetry)[]

function troubleOf(error: unknown): { code: string; message: string; remedy: string } {
  const message = (messageOf(error) ?? 'unknown trouble').slice(0, textMax)
  if (error instanceof GleanerError) return { code: error.code, message, remedy: error.remedy }
  return { code: 'internal', message, remedy: '' }
}
