/**
 * `gleaner reconcile`: one full pass over each root, alone and with a drain on, and done when every complete line that was there is archived
 * and, with Redis, published. For cron, for a Kubernetes CronJob, or to catch up by hand; any number may run beside collectors and each other.
 *
 * What it reports is what this run made. What it could not archive it names, and exits with 1; new anomalies make it 3.
 */

import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import type { RootConfig } from '../config/model.ts'
import { parseSize } from '../config/units.ts'
import { GleanerError, isGleanerError, messageOf } from '../errors.ts'
import type { Telemetry } from '../ports/telemetry.ts'
import { beginArchive } from '../roles/archive-ready.ts'
import { catchUpRoot } from '../roles/catch-up.ts'
import type { CatchingUp, Left } from '../roles/catch-up.ts'
import { freezeRules } from '../roles/rules.ts'
import { wantedRules } from '../roles/settings.ts'
import { openThrottle, pacedThrottle } from '../roles/throttle.ts'
import type { Throttle } from '../roles/throttle.ts'
import type { App } from './app.ts'
import { bytesText, counted, countText, openProgress } from './output.ts'
import { estimate } from './estimate.ts'

interface Made {
  /** Files that the pass saw. */
  files: number
  /** Bytes, segments and records archived by this run. */
  bytes: number
  segments: number
  records: number
  /** Those that were not known before. */
  anomalies: { root: string; kind: string; subject: string; detail: string }[]
}

export function reconcileCommand(program: Command, app: App): void {
  program
    .command('reconcile')
    .description('one full pass: archive and publish every complete line that is not, then exit')
    .option('--root <name>', 'this root only')
    .option('--dry-run', 'say what it would take, and write nothing')
    .option('--bwlimit <rate>', 'send at most so much to the archive per second, such as 10MiB', rateOf)
    .action(async ({ root, dryRun, bwlimit }: { root?: string; dryRun?: boolean; bwlimit?: number }) => {
      const roots = await app.roots(root)
      if (dryRun) await estimate(app, roots)
      else await reconcile(app, roots, bwlimit ?? null)
    })
}

function rateOf(text: string): number {
  const bytes = parseSize(text.replace(/\/s$/, ''))
  if (bytes !== null && bytes > 0) return bytes
  throw new GleanerError('usage', {
    operation: 'reconcile',
    subject: '--bwlimit',
    message: 'expected a size with its unit, such as 500KiB or 10MiB',
  })
}

async function reconcile(app: App, roots: readonly RootConfig[], bytesPerSecond: number | null): Promise<void> {
  const { limits } = await app.config()
  const store = await app.store()
  // Their threads start while the store is probed, which is mostly waiting.
  await Promise.all(roots.map((root) => app.prepare(root)))
  await beginArchive({ store, clock: app.clock, random: () => randomBytes(16).toString('hex') })
  const all = openThrottle(limits.storeBytesInFlight)
  const inFlight = bytesPerSecond === null ? all : pacedThrottle(all, { clock: app.clock, perSecond: bytesPerSecond })
  const made: Made = { files: 0, bytes: 0, segments: 0, records: 0, anomalies: [] }
  const telemetry = counting(await app.telemetry(), made)
  const catchingUp: CatchingUp[] = []
  const progress = openProgress(() => ({
    verb: 'archived',
    done: made.bytes,
    total: catchingUp.reduce((sum, one) => sum + one.unarchivedBytes(), made.bytes),
    unit: 'bytes',
    more: `${counted(made.segments, 'segment')}${provingText(catchingUp)}`,
  }))
  // Side by side: a root that hangs holds up no other.
  const outcomes = await Promise.all(roots.map((root) => oneRoot(app, root, { inFlight, telemetry, catchingUp })))
  progress.end()
  made.files = outcomes.reduce((sum, { files }) => sum + files, 0)
  report(app, made)
  const failures = outcomes.flatMap((outcome) => outcome.failures)
  for (const { subject, message, remedy } of failures)
    process.stderr.write(`gleaner: ${subject}: ${message}\n${remedy ? `what to do: ${remedy}\n` : ''}`)
  if (made.anomalies.length > 0) app.exit(3)
  else if (failures.length > 0) app.exit(1)
}

function provingText(catchingUp: CatchingUp[]): string {
  const unproven = catchingUp.reduce((sum, one) => sum + one.unproven(), 0)
  return unproven === 0 ? '' : `, ${countText(unproven)} of earlier runs to be proven`
}

interface Outcome {
  files: number
  failures: { subject: string; message: string; remedy: string }[]
}

async function oneRoot(
  app: App,
  root: RootConfig,
  { inFlight, telemetry, catchingUp }: { inFlight: Throttle; telemetry: Telemetry; catchingUp: CatchingUp[] },
): Promise<Outcome> {
  try {
    await freezeRules({ store: await app.store(), clock: app.clock }, wantedRules(root))
    const context = { ...(await app.context(root)), telemetry }
    const { files, left } = await catchUpRoot(context, inFlight, (one) => catchingUp.push(one))
    return { files, failures: left.map((one) => failureOf(root, one)) }
  } catch (error) {
    if (isGleanerError(error, 'rules-frozen', 'archive-newer', 'config-invalid')) throw error
    return { files: 0, failures: [failureOf(root, { path: '', error })] }
  }
}

function failureOf(root: RootConfig, { path, error }: Left): Outcome['failures'][number] {
  const subject = path === '' ? root.name : `${root.name}/${path}`
  return { subject, message: messageOf(error) ?? 'not archived', remedy: isGleanerError(error) ? error.remedy : '' }
}

function report(app: App, made: Made): void {
  if (app.json) {
    app.out(JSON.stringify(made))
    return
  }
  const { files, bytes, segments, records, anomalies } = made
  app.out(
    `${counted(files, 'file')} looked at; archived ${bytesText(bytes)}, ${counted(records, 'record')} in ${counted(segments, 'segment')}`,
  )
  for (const { root, kind, subject, detail } of anomalies) app.out(`anomaly: ${kind} ${root} ${subject}: ${detail}`)
}

/** Telemetry that also counts what this run makes. */
function counting(telemetry: Telemetry, made: Made): Telemetry {
  return {
    ...telemetry,
    archived(root, segment) {
      made.segments++
      made.bytes += segment.end - segment.start
      made.records += segment.lines
      telemetry.archived(root, segment)
    },
    anomaly(root, anomaly) {
      made.anomalies.push({ root, ...anomaly })
      telemetry.anomaly(root, anomaly)
    },
  }
}
