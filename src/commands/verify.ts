/**
 * `gleaner verify`: recomputes every chain from the archive's objects, and with `--files` compares every archived byte with the files that
 * still exist. Exit status 3 on any finding.
 */

import type { Command } from 'commander'
import { isGleanerError } from '../errors.ts'
import type { Feed } from '../ports/feed.ts'
import type { Store } from '../ports/store.ts'
import type { Difference, FilesReport } from '../query/verify-files.ts'
import { verifyFiles } from '../query/verify-files.ts'
import type { VerifyReport } from '../query/verify.ts'
import { rootsOf, verifyArchive } from '../query/verify.ts'
import type { App } from './app.ts'
import { bytesText, counted, openProgress } from './output.ts'

export function verifyCommand(program: Command, app: App): void {
  program
    .command('verify')
    .description('recompute every chain; with --files compare with the files; exit status 3 on any finding')
    .option('--root <name>', 'this root only')
    .option('--files', 'compare every archived byte with the files that still exist')
    .action((options: { root?: string; files?: boolean }) => verify(app, options))
}

async function verify(app: App, { root, files }: { root?: string; files?: boolean }): Promise<void> {
  const store = await app.store()
  if (root !== undefined && !(await rootsOf(store)).includes(root)) await app.roots(root)
  const report = await chains(app, store, root ?? null)
  const different: Difference[] = []
  const unread: FilesReport['unread'] = []
  if (files) {
    for (const one of await app.roots(root)) {
      const compared = await compare(app, one)
      different.push(...compared.different)
      unread.push(...compared.unread.map(({ path, reason }) => ({ path: `${one.name}/${path}`, reason })))
    }
  }
  for (const { path, reason } of unread) process.stderr.write(`gleaner: ${path}: not compared: ${reason}\n`)
  const { sources, segments, bytes, damaged, missing, expired } = report
  const whole = { sources, segments, bytes, damaged, missing, different, expired }
  await app.write(`${app.json ? JSON.stringify(whole) : text(report, different)}\n`)
  if (damaged.length + missing.length + different.length > 0) app.exit(3)
  else if (unread.length > 0) app.exit(1)
}

async function chains(app: App, store: Store, root: string | null): Promise<VerifyReport> {
  let done = { segments: 0, bytes: 0 }
  const progress = openProgress(() => `verified ${bytesText(done.bytes)} in ${counted(done.segments, 'segment')}`)
  try {
    const options = { root, feed: await feedIfThere(app), progress: (now: typeof done): void => void (done = now) }
    return await verifyArchive(store, options)
  } finally {
    progress.end()
  }
}

async function compare(app: App, root: Parameters<App['context']>[0]): Promise<FilesReport> {
  let done = { files: 0, bytes: 0 }
  const progress = openProgress(
    () => `compared ${bytesText(done.bytes)} of ${counted(done.files, 'file')} in ${root.name}`,
  )
  const context = await app.context(root)
  try {
    return await verifyFiles(context, (now) => void (done = now))
  } finally {
    progress.end()
    await app.closeContext(context)
  }
}

/** Only Redis knows of a last segment that is gone. Without it the archive is verified all the same. */
async function feedIfThere(app: App): Promise<Feed | null> {
  try {
    return (await app.checkRedis()) === null ? null : await app.feed()
  } catch (error) {
    if (!isGleanerError(error) || !error.code.startsWith('redis-')) throw error
    process.stderr.write(`gleaner: ${error.message}; a missing last segment cannot be seen\n`)
    return null
  }
}

function text(report: VerifyReport, different: Difference[]): string {
  const { sources, segments, bytes, damaged, missing, expired } = report
  const findings = [
    ...damaged.map(
      ({ key, problem, expected, found }) => `damaged: ${key}: ${problem}: expected ${expected}, found ${found}`,
    ),
    ...missing.map(({ root, source, at, upTo }) => `missing: ${root}/${source}: ${at} to ${upTo}`),
    ...different.map(
      ({ root, path, source, offset }) =>
        `different: ${root}/${path}: from byte ${offset} on it is not what ${source} holds`,
    ),
  ]
  const gone = expired > 0 ? `; ${bytesText(expired)} expired before` : ''
  const verdict = findings.length === 0 ? 'all as it should be' : counted(findings.length, 'finding')
  return [
    ...findings,
    `${counted(sources, 'source')}, ${counted(segments, 'segment')}, ${bytesText(bytes)} read${gone}: ${verdict}`,
  ].join('\n')
}
