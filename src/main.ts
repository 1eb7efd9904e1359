#!/usr/bin/env node
/**
 * The command line. It finds out which command is meant, loads that one alone, and ends the process with a status that a script can
 * tell apart: 0 done, 1 failed, 2 usage or configuration, 3 damage or new anomalies found.
 *
 * A failure is two lines on stderr, what failed and what to do about it. A stack appears only with `--log-level debug`.
 */

import type { Command } from 'commander'
import type { App, ExitStatus } from './commands/app.ts'
import { beginLean, cacheCompiled } from './lean.ts'

type Register = (program: Command, app: App) => void

/** In the order of `--help`. */
const commands: Record<string, () => Promise<Register>> = {
  run: async () => (await import('./commands/run.ts')).runCommand,
  reconcile: async () => (await import('./commands/reconcile.ts')).reconcileCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  sources: async () => (await import('./commands/sources.ts')).sourcesCommand,
  cat: async () => (await import('./commands/cat.ts')).catCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  digest: async () => (await import('./commands/digest.ts')).digestCommand,
  decode: async () => (await import('./commands/decode.ts')).decodeCommand,
  query: async () => (await import('./commands/query.ts')).queryCommand,
  report: async () => (await import('./commands/report.ts')).reportCommand,
  tables: async () => (await import('./commands/tables.ts')).tablesCommand,
  tail: async () => (await import('./commands/tail.ts')).tailCommand,
  replay: async () => (await import('./commands/replay.ts')).replayCommand,
  anomalies: async () => (await import('./commands/anomalies.ts')).anomaliesCommand,
  expire: async () => (await import('./commands/expire.ts')).expireCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
}

const usageCodes = ['config-invalid', 'config-missing', 'usage', 'rules-frozen', 'archive-newer', 'query-failed']
const nodeWanted = 26

const after = `
Configuration: --config FILE, $GLEANER_CONFIG, ./gleaner.yaml, /etc/gleaner/gleaner.yaml: the first that is named or there.
Exit status: 0 done, 1 failed, 2 usage or configuration, 3 damage or new anomalies found.`

const meant = commandIn(process.argv.slice(2)) ?? ''
if (['run', 'reconcile', 'demo'].includes(meant)) beginLean({ stays: meant !== 'reconcile' })
cacheCompiled()
// Only now: what begins anew would have loaded them twice.
const commander = await import('commander')
const { composeApp } = await import('./compose.ts')
const { GleanerError, isGleanerError, messageOf } = await import('./errors.ts')
await main(process.argv.slice(2))

async function main(args: string[]): Promise<void> {
  const program = new commander.Command('gleaner')
  const command = commandIn(args)
  const app = composeApp({ globals: () => program.opts(), command: command ?? '' })
  // Timers and threads keep no process alive here; the command does.
  const alive = setInterval(() => undefined, 2 ** 30)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  process.on('uncaughtException', (error) => process.exit(tell(error)))
  let status: ExitStatus = 0
  try {
    refuseOldNode()
    describe(program, app.version)
    // Help and completion are about all of them.
    const wanted = command === undefined || command === 'completion' ? Object.keys(commands) : [command]
    for (const name of wanted) (await commands[name]?.())?.(program, app)
    await program.parseAsync(args, { from: 'user' })
    status = app.status
  } catch (error) {
    status = tell(error)
  }
  const ended = await app.close()
  await drained()
  clearInterval(alive)
  if (ended) process.exit(status)
  // A thread that hangs in the kernel can be ended by nothing else, and process.exit would wait for it.
  process.kill(process.pid, 'SIGKILL')
}

/** What was written to a pipe has left this process, or its reader is gone. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.destroyed) resolve()
    else process.stdout.write('', () => resolve())
  })
}

function describe(program: Command, version: string): void {
  program
    .description('Collects append-only files: every record once to Redis, every byte once to an archive.')
    .version(version)
    .option('--config <file>', 'the configuration file')
    .option('--json', 'one JSON document on stdout')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent; logs go to stderr')
    .addHelpText('after', after)
    .showSuggestionAfterError(true)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'gleaner: ')) })
    .exitOverride()
}

/** The first word that is a command's name and no value of an option before it. Anything else: all commands are needed, for help or an error. */
function commandIn(args: readonly string[]): string | undefined {
  const first = args.find(
    (arg, index) => !arg.startsWith('-') && !['--config', '--log-level'].includes(args[index - 1] ?? ''),
  )
  return first !== undefined && Object.hasOwn(commands, first) ? first : undefined
}

/** Says what failed; gives the exit status. */
function tell(error: unknown): ExitStatus {
  // Commander has said it already.
  if (error instanceof commander.CommanderError) return error.exitCode === 0 ? 0 : 2
  const known = isGleanerError(error)
    ? error
    : new GleanerError('internal', { operation: 'run', subject: 'gleaner', cause: error })
  process.stderr.write(`gleaner: ${known.message}\nwhat to do: ${known.remedy}\n`)
  if (/--log-level[= ](debug|trace)/.test(process.argv.join(' '))) process.stderr.write(`${stackOf(error)}\n`)
  return usageCodes.includes(known.code) ? 2 : 1
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : (messageOf(error) ?? '')
}

function refuseOldNode(): void {
  if (Number(process.versions.node.split('.')[0]) >= nodeWanted) return
  throw new GleanerError('usage', {
    operation: 'start',
    subject: `Node ${process.versions.node}`,
    message: `Node ${nodeWanted} or newer is needed; \`npm ci\` brings one: node_modules/.bin/node src/main.ts`,
  })
}
