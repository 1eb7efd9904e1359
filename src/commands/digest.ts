/**
 * `gleaner digest create`: a digest now, with a list of the whole archive, so that it and those before it hold everything that there is.
 * `gleaner digest list`: what each holds. A collector with `sign` makes them by itself; this is for cron, and for just before an audit.
 */

import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { readSigningKey } from '../core/ssh-key.ts'
import type { SigningKey } from '../core/ssh-key.ts'
import type { Config } from '../config/model.ts'
import { GleanerError } from '../errors.ts'
import { beginArchive } from '../roles/archive-ready.ts'
import { digestNumbers, linkAt } from '../roles/digest-chain.ts'
import { openDigester } from '../roles/digest.ts'
import { openDigestNews } from '../roles/digest-news.ts'
import type { App } from './app.ts'
import { counted, openProgress, table } from './output.ts'

export function digestCommand(program: Command, app: App): void {
  const digest = program.command('digest').description('signed digests of what was archived')
  digest
    .command('create')
    .description('make and sign one now, of everything that is in none yet')
    .action(() => create(app))
  digest
    .command('list')
    .description('what each holds, oldest first')
    .action(() => list(app))
}

/** Null where the configuration names no key. */
export function signingKeyOf({ sign }: Config): SigningKey | null {
  if (sign === null) return null
  const key = readSigningKey(sign.key.reveal())
  if (typeof key !== 'string') return key
  throw new GleanerError('config-invalid', { operation: 'read', subject: 'sign.keyFile', message: key })
}

async function create(app: App): Promise<void> {
  const config = await app.config()
  const key = signingKeyOf(config)
  if (key === null || config.sign === null) {
    const message = 'expected `sign: {keyFile: FILE}`; `ssh-keygen -t ed25519 -N "" -f FILE` makes one'
    throw new GleanerError('config-invalid', { operation: 'create digest', subject: 'sign', message })
  }
  const { clock } = app
  const store = await app.store()
  await beginArchive({ store, clock, random: () => randomBytes(16).toString('hex') })
  const news = openDigestNews(clock)
  const { everyMs } = config.sign
  const parts = { clock, node: config.node, key, everyMs, news, feed: null, roots: () => [] }
  let listed = 0
  const list: typeof store.list = async (prefix, options) => {
    const listing = await store.list(prefix, options)
    listed += listing.objects.length
    return listing
  }
  const progress = openProgress(() => ({ verb: 'listed', done: listed, unit: 'object' }))
  try {
    const { made } = await openDigester({ ...parts, store: { ...store, list }, telemetry: await app.telemetry() }).turn(
      { force: true },
    )
    const line = (one: (typeof made)[number]): string =>
      `digest ${one.n}: ${counted(one.segments, 'segment')} up to ${one.to}, sha256 ${one.sha256}`
    const signer = key.publicKey.fingerprint
    await app.write(`${app.json ? JSON.stringify({ made, signer }) : made.map(line).join('\n')}\n`)
  } finally {
    progress.end()
  }
}

interface Row {
  n: number
  from: string | null
  to: string | null
  segments: number
  sha256: string | null
  signed: boolean
  node: string | null
}

async function list(app: App): Promise<void> {
  const store = await app.store()
  const rows: Row[] = []
  for await (const { n, hasSignature } of digestNumbers(store)) {
    const { read, sha256 } = await linkAt(store, n)
    const { from = null, to = null, segments = [], node = null } = read?.digest ?? {}
    rows.push({ n, from, to, segments: segments.length, sha256, signed: hasSignature, node })
  }
  const cells = rows.map((row) => [
    String(row.n),
    row.to ?? 'damaged',
    String(row.segments),
    row.signed ? 'yes' : 'no',
    row.node ?? '',
    row.sha256 ?? '',
  ])
  const shown = cells.length === 0 ? 'none' : table(['n', 'to', 'segments', 'signed', 'node', 'sha256'], cells)
  await app.write(`${app.json ? JSON.stringify(rows) : shown}\n`)
}
