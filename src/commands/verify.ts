/**
 * `gleaner verify`: recomputes every chain from the archive's objects, checks every digest and its signature, and with `--files` compares every
 * archived byte with the files that still exist. Exit status 3 on any finding.
 */

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { PublicKey } from '../core/ssh-key.ts'
import { readPublicKeys } from '../core/ssh-key.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { Feed } from '../ports/feed.ts'
import type { Store } from '../ports/store.ts'
import { countSegments } from '../query/expected.ts'
import type { Difference, FilesReport } from '../query/verify-files.ts'
import { verifyFiles } from '../query/verify-files.ts'
import type { VerifyReport } from '../query/verify.ts'
import { rootsOf, verifyArchive } from '../query/verify.ts'
import type { App } from './app.ts'
import { signingKeyOf } from './digest.ts'
import { bytesText, counted, openProgress } from './output.ts'

export function verifyCommand(program: Command, app: App): void {
  program
    .command('verify')
    .description('recompute every chain; with --files compare with the files; exit status 3 on any finding')
    .option('--root <name>', 'this root only')
    .option(
      '--key <file>',
      'a public key that digests may be signed with, or an allowed_signers file; repeatable',
      addTo,
      [],
    )
    .option('--files', 'compare every archived byte with the files that still exist')
    .action((options: Options) => verify(app, options))
}

interface Options {
  root?: string
  files?: boolean
  key: string[]
}

function addTo(file: string, files: string[]): string[] {
  return [...files, file]
}

async function verify(app: App, { root, files, key }: Options): Promise<void> {
  const keys = await trustedKeys(app, key)
  const store = await app.store()
  if (root !== undefined && !(await rootsOf(store)).includes(root)) await app.roots(root)
  const report = await chains(app, store, { root: root ?? null, keys })
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
  const { sources, segments, bytes, damaged, missing, expired, digests } = report
  const whole = { sources, segments, bytes, damaged, missing, different, expired, digests }
  await app.write(`${app.json ? JSON.stringify(whole) : text(report, different)}\n`)
  if (damaged.length + missing.length + different.length > 0) app.exit(3)
  else if (unread.length > 0) app.exit(1)
}

/** Those of `--key`, else the one that this configuration signs with. */
async function trustedKeys(app: App, files: string[]): Promise<PublicKey[]> {
  if (files.length === 0) {
    const own = signingKeyOf(await app.config())
    return own === null ? [] : [own.publicKey]
  }
  return files.flatMap((file) => {
    const keys = readPublicKeys(readKeyFile(file))
    if (typeof keys !== 'string') return keys
    throw new GleanerError('usage', { operation: 'verify', subject: `--key ${file}`, message: keys })
  })
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new GleanerError('usage', { operation: 'verify', subject: `--key ${file}`, cause })
  }
}

async function chains(
  app: App,
  store: Store,
  { root, keys }: { root: string | null; keys: PublicKey[] },
): Promise<VerifyReport> {
  let done = { segments: 0, bytes: 0 }
  let total: number | undefined
  void expectedSegments(store, root).then((count) => (total = count))
  const progress = openProgress(() => ({
    verb: 'verified',
    done: done.segments,
    total,
    unit: 'segment',
    more: bytesText(done.bytes),
  }))
  try {
    const options = {
      root,
      keys,
      feed: await feedIfThere(app),
      progress: (now: typeof done): void => void (done = now),
    }
    return await verifyArchive(store, options)
  } finally {
    progress.end()
  }
}

/** Counted beside the work. What it may fail with, the work itself says. */
async function expectedSegments(store: Store, root: string | null): Promise<number | undefined> {
  try {
    const roots = root === null ? await rootsOf(store) : [root]
    const counts = await Promise.all(roots.map((one) => countSegments(store, one)))
    return counts.reduce((sum, count) => sum + count, 0)
  } catch {
    return undefined
  }
}

async function compare(app: App, root: Parameters<App['context']>[0]): Promise<FilesReport> {
  let done = { looked: 0, of: 0, bytes: 0 }
  const progress = openProgress(() => ({
    verb: `${root.name}: compared`,
    done: done.looked,
    total: done.of,
    unit: 'file',
    more: bytesText(done.bytes),
  }))
  const context = await app.context(root)
  try {
    return await verifyFiles(context, (now) => void (done = now))
  } finally {
    progress.end()
    await app.closeContext(context)
  }
}

/** Of a last segment that is gone before a digest held it, only Redis knows. Without it the archive is verified all the same. */
async function feedIfThere(app: App): Promise<Feed | null> {
  try {
    return (await app.checkRedis()) === null ? null : await app.feed()
  } catch (error) {
    if (!isGleanerError(error) || !error.code.startsWith('redis-')) throw error
    process.stderr.write(`gleaner: ${error.message}; a missing last segment that no digest holds yet cannot be seen\n`)
    return null
  }
}

function text(report: VerifyReport, different: Difference[]): string {
  const { sources, segments, bytes, damaged, missing, expired, digests } = report
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
  const signatures = digests.trustedKeys > 0 ? '' : ', signed by keys that nobody vouched for (--key)'
  const signed = digests.checked > 0 ? `; ${counted(digests.checked, 'digest')}${signatures}` : ''
  const verdict = findings.length === 0 ? 'all as it should be' : counted(findings.length, 'finding')
  return [
    ...findings,
    `${counted(sources, 'source')}, ${counted(segments, 'segment')}, ${bytesText(bytes)} read${gone}${signed}: ${verdict}`,
  ].join('\n')
}
