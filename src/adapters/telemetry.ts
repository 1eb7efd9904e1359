import type * as prometheus from 'prom-client'
import { isDone } from '../core/status.ts'
import { GleanerError, messageOf } from '../errors.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { facts } from './log.ts'
import type { Log } from './log.ts'
import { Counter, Gauge, Histogram, Registry } from './prometheus.ts'

/**
 * Facts → Prometheus metrics (names and labels in CONTRACTS.md) and log lines.
 *
 * Bounds, since labels and troubles come from files and networks:
 *  - at most 50 record types for a root; further ones, and names that are no plain word, count as `other`;
 *  - a consumer group whose name is no plain word counts as `other`, with the greatest lag of those; a group that is gone is shown no more;
 *  - the same trouble (code and subject) is logged at most once a minute, then with how often it was held back; the last 1,000 different
 *    ones are remembered.
 */
export interface OpenTelemetry extends Telemetry {
  /** The metrics in Prometheus text format. */
  metrics(): Promise<string>
  readonly contentType: string
}

export interface TelemetryOptions {
  log: Log
  node: string
  version: string
  /** For the rate limit: ms that never go back. */
  monotonicMs?: () => number
}

const typesMax = 50
const plainWord = /^[A-Za-z0-9_.:-]{1,64}$/
const quietMs = 60_000
const troublesMax = 1000

export function openTelemetry({ log, node, version, monotonicMs }: TelemetryOptions): OpenTelemetry {
  const registry = new Registry()
  const metrics = define(registry)
  // Without a digest there is nothing to be late, and nothing is up or down before it was asked.
  for (const unset of [metrics.digestLast, metrics.storeUp, metrics.redisUp]) unset.remove()
  metrics.buildInfo.set({ version, node, runtime: process.version }, 1)
  const typeLabel = boundedTypes()
  const speak = oncePerMinute(monotonicMs ?? (() => performance.now()))
  const downs = new Map<string, boolean>()
  const blinds = new Map<string, boolean>()
  return {
    ...passing(metrics, log, typeLabel),
    rootUp(root, up, reason) {
      metrics.rootUp.set({ root }, up ? 1 : 0)
      if (!turned(downs, root, !up)) return
      if (up) log.info({ root }, 'root is up')
      else log.error({ root, reason }, 'root is down')
    },
    rootBlind(root, blind) {
      metrics.rootBlind.set({ root }, blind ? 1 : 0)
      if (!turned(blinds, root, blind)) return
      if (blind) log.warn({ root }, 'inotify is blind on this root: only the reconciler sees its changes')
      else log.info({ root }, 'inotify sees the changes of this root')
    },
    anomaly(root, { kind, subject, detail }) {
      metrics.anomalies.inc({ root, kind })
      speak(`${kind} ${root} ${subject}`, (repeated) =>
        log.error({ root, kind, subject, detail, ...repeated }, 'anomaly'),
      )
    },
    digest: ({ n, toMs, sha256 }) => {
      metrics.digestLast.set(toMs / 1000)
      log.info({ n, sha256 }, 'digest')
    },
    openAnomalies: setsOpen(metrics.anomaliesOpen),
    feedLags: setsLags(metrics.feedLag),
    reconcilers: (root, count) => metrics.reconcilers.set({ root }, count),
    notice: (message, more) => log.info(facts(more), message),
    trouble(error, more) {
      const trouble = told(error)
      speak(`${trouble.code} ${trouble.operation} ${trouble.subject}`, (repeated) =>
        log.error({ ...facts(more), ...trouble, ...repeated }, messageOf(error) ?? 'unknown trouble'),
      )
    },
    metrics: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

type Metrics = ReturnType<typeof define>
type Passing = Pick<
  Telemetry,
  'archived' | 'published' | 'change' | 'pass' | 'waiting' | 'storeRequest' | 'redisRequest' | 'metadataCalls'
>

/** The facts of normal work: counted, and logged at `debug` (a full pass at `info`). */
function passing(metrics: Metrics, log: Log, typeLabel: (root: string, type: string) => string): Passing {
  return {
    archived(root, { source, start, end, lines }) {
      metrics.archivedBytes.inc({ root }, end - start)
      log.debug({ root, source, start, end, lines }, 'archived')
    },
    published(root, { source, records, types, malformed }) {
      for (const [type, count] of Object.entries(types))
        metrics.records.inc({ root, type: typeLabel(root, type) }, count)
      if (malformed > 0) metrics.parseErrors.inc({ root }, malformed)
      log.debug({ root, source, records, malformed }, 'published')
    },
    change: (root, seenBy) => metrics.changes.inc({ root, seen_by: seenBy }),
    pass(root, { full, files, signalled, ms, worstDetectionMs }) {
      metrics.lastPass.set({ root }, Date.now() / 1000)
      metrics.passSeconds.observe({ root }, ms / 1000)
      metrics.worstDetection.set({ root }, worstDetectionMs / 1000)
      log[full ? 'info' : 'debug']({ root, full, files, signalled, ms, worstDetectionMs }, 'pass')
    },
    waiting(root, { unarchivedBytes, oldestUnarchivedAgeMs, oldestUnprovenAgeMs }) {
      metrics.unarchivedBytes.set({ root }, unarchivedBytes)
      metrics.oldestUnarchived.set({ root }, oldestUnarchivedAgeMs / 1000)
      metrics.oldestUnproven.set({ root }, oldestUnprovenAgeMs / 1000)
    },
    storeRequest(op, outcome, ms) {
      metrics.storeRequests.inc({ op, outcome })
      metrics.storeSeconds.observe({ op }, ms / 1000)
      metrics.storeUp.set(isDone(outcome) ? 1 : 0)
    },
    // How long they take is shown on the page alone.
    redisRequest: (_operation, outcome) => metrics.redisUp.set(isDone(outcome) ? 1 : 0),
    metadataCalls: (root, count) => metrics.metadataCalls.inc({ root }, count),
  }
}

function define(registry: prometheus.Registry) {
  const base = <Label extends string>(name: string, help: string, labelNames: Label[]) => ({
    name: `gleaner_${name}`,
    help,
    labelNames,
    registers: [registry],
  })
  const root = ['root'] as ['root']
  const buckets = [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300]
  return {
    buildInfo: new Gauge(base('build_info', 'Always 1: version, node and runtime.', ['version', 'node', 'runtime'])),
    rootUp: new Gauge(base('root_up', 'Whether the root is mounted and answers.', root)),
    rootBlind: new Gauge(base('root_blind', '1: inotify cannot see other writers of this root.', root)),
    archivedBytes: new Counter(base('archived_bytes_total', 'Bytes archived by this process.', root)),
    records: new Counter(base('records_total', 'Records published by this process.', ['root', 'type'])),
    parseErrors: new Counter(base('parse_errors_total', 'Records that could not be parsed.', root)),
    unarchivedBytes: new Gauge(base('unarchived_bytes', 'Bytes seen and not archived yet.', root)),
    oldestUnarchived: new Gauge(base('oldest_unarchived_age_seconds', 'How long bytes wait to be archived.', root)),
    oldestUnproven: new Gauge(base('oldest_unproven_age_seconds', 'How long archived bytes wait to be proven.', root)),
    lastPass: new Gauge(base('last_pass_timestamp_seconds', 'When the last pass ended.', root)),
    passSeconds: new Histogram({ ...base('pass_duration_seconds', 'How long passes take.', root), buckets }),
    worstDetection: new Gauge(base('worst_detection_seconds', 'The longest a change can stay unseen by passes.', root)),
    changes: new Counter(base('changes_total', 'Changes, by which path saw them first.', ['root', 'seen_by'])),
    anomalies: new Counter(base('anomalies_total', 'Anomalies found.', ['root', 'kind'])),
    anomaliesOpen: new Gauge(base('anomalies_open', 'Anomalies that nobody has acknowledged.', ['kind'])),
    digestLast: new Gauge(
      base('digest_last_timestamp_seconds', 'Up to when the newest digest covers the archive.', []),
    ),
    storeRequests: new Counter(base('store_requests_total', 'Requests to the object store.', ['op', 'outcome'])),
    storeSeconds: new Histogram({ ...base('store_request_duration_seconds', 'How long they take.', ['op']), buckets }),
    storeUp: new Gauge(base('store_up', 'Whether the last request to the store was done.', [])),
    redisUp: new Gauge(base('redis_up', 'Whether the last request to Redis was done.', [])),
    feedLag: new Gauge(
      base('feed_lag_records', 'Records that a consumer group has not been given yet.', ['root', 'group']),
    ),
    reconcilers: new Gauge(base('reconcilers', 'Nodes that made a full pass within three times fullEvery.', root)),
    metadataCalls: new Counter(base('metadata_calls_total', 'Calls that list or look at files.', root)),
  }
}

/** Every kind that was ever open stays visible, at 0 once none is. */
function setsOpen(gauge: prometheus.Gauge<'kind'>): (counts: Record<string, number>) => void {
  const kinds = new Set<string>()
  return (counts) => {
    for (const kind of Object.keys(counts)) kinds.add(kind)
    for (const kind of kinds) gauge.set({ kind }, Object.hasOwn(counts, kind) ? (counts[kind] ?? 0) : 0)
  }
}

function setsLags(gauge: prometheus.Gauge<'root' | 'group'>): Telemetry['feedLags'] {
  const shown = new Map<string, Set<string>>()
  return (root, groups) => {
    const lags = new Map<string, number>()
    for (const { group, records } of groups ?? []) {
      const name = plainWord.test(group) ? group : 'other'
      lags.set(name, Math.max(records, lags.get(name) ?? 0))
    }
    for (const gone of shown.get(root)?.difference(new Set(lags.keys())) ?? []) gauge.remove({ root, group: gone })
    for (const [group, records] of lags) gauge.set({ root, group }, records)
    shown.set(root, new Set(lags.keys()))
  }
}

function boundedTypes(): (root: string, type: string) => string {
  const seen = new Map<string, Set<string>>()
  return (root, type) => {
    const types = seen.get(root) ?? new Set()
    seen.set(root, types)
    if (types.has(type)) return type
    if (types.size >= typesMax || !plainWord.test(type)) return 'other'
    types.add(type)
    return type
  }
}

/** Whether a root's state is another than before; the good state needs no first word. */
function turned(states: Map<string, boolean>, root: string, bad: boolean): boolean {
  const before = states.get(root) ?? false
  states.set(root, bad)
  return before !== bad
}

type Speak = (key: string, say: (repeated: { repeated?: number }) => void) => void

function oncePerMinute(nowMs: () => number): Speak {
  const said = new Map<string, { at: number; held: number }>()
  return (key, say) => {
    const now = nowMs()
    const last = said.get(key)
    if (last !== undefined && now - last.at < quietMs) {
      last.held += 1
      return
    }
    said.delete(key)
    said.set(key, { at: now, held: 0 })
    const [oldest] = said.keys()
    if (said.size > troublesMax && oldest !== undefined) said.delete(oldest)
    say(last === undefined || last.held === 0 ? {} : { repeated: last.held })
  }
}

/** What a line says of a trouble. An error that was not raised on purpose comes with its stack. */
function told(error: unknown): Record<'code' | 'operation' | 'subject' | 'remedy', string> & { stack?: string } {
  if (error instanceof GleanerError) {
    const { code, operation, subject, remedy } = error
    return { code, operation, subject, remedy }
  }
  const stack = error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}
  const subject = messageOf(error) ?? 'unknown'
  const { code, remedy } = new GleanerError('internal', { operation: 'run', subject })
  return { code, operation: 'run', subject, remedy, ...stack }
}
