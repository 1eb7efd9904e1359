/** `gleaner doctor`: whether this node can do what the configuration asks of it. Exit status 1 if a check failed. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { Command } from 'commander'
import type { Config, RootConfig } from '../config/model.ts'
import { messageOf } from '../errors.ts'
import type { BucketLock, Store } from '../ports/store.ts'
import {
  diagnoseAccess,
  diagnoseLock,
  diagnoseOpenFiles,
  diagnoseRuntime,
  diagnoseSigning,
  diagnoseSpace,
} from '../roles/diagnose-node.ts'
import type { Finding, InotifyLimits } from '../roles/diagnose.ts'
import { diagnoseRedis, diagnoseRoot, diagnoseStore, failed } from '../roles/diagnose.ts'
import type { App } from './app.ts'
import { signingKeyOf } from './digest.ts'
import { counted, table } from './output.ts'

const familiesShown = 40

interface Family {
  root: string
  path: string
  family: string
}

export function doctorCommand(program: Command, app: App): void {
  program
    .command('doctor')
    .description('check configuration, mounts, permissions, inotify, Redis, the store and the clocks')
    .option('--all', 'show the family of every file, not only of some')
    .action((options: { all?: boolean }) => doctor(app, options.all ?? false))
}

async function doctor(app: App, showsAll: boolean): Promise<void> {
  const config = await app.config()
  const findings: Finding[] = [
    {
      check: 'configuration',
      subject: config.file ?? 'flags',
      result: 'ok',
      found: `roots: ${config.roots.map(({ name }) => name).join(', ')}; roles: ${config.roles.join(', ')}`,
      means: '',
      todo: '',
    },
    diagnoseRuntime({ gleaner: app.version, node: process.version }),
    diagnoseOpenFiles(openFilesLimit()),
    ...(await spaces(config)),
    diagnoseSigning(signing(config)),
  ]
  const random = (): string => randomBytes(16).toString('hex')
  const store = await app.store()
  findings.push(...(await diagnoseStore(store, { clock: app.clock, random })))
  findings.push(diagnoseLock(config.s3.objectLock?.mode ?? null, await lockOf(store)))
  findings.push(...(await redis(app)))
  const limits: InotifyLimits = {
    watches: kernelLimit('max_user_watches'),
    instances: kernelLimit('max_user_instances'),
  }
  const looked = await Promise.all(config.roots.map((root) => oneRoot(app, root, limits)))
  findings.push(...looked.flatMap((one) => one.findings))
  const families = looked.flatMap((one) => one.families)
  if (app.json) app.out(JSON.stringify({ ok: findings.every(({ result }) => result !== 'fail'), findings, families }))
  else show(app, findings, { families, showsAll })
  if (findings.some(({ result }) => result === 'fail')) app.exit(1)
}

/** Of a directory archive, and of where temporary files go. */
async function spaces({ archive }: Config): Promise<Finding[]> {
  const tmp = tmpdir()
  const ofTmp = diagnoseSpace('tmp', { place: tmp, bytes: await freeBytes(tmp) })
  if (archive.kind !== 'directory') return [ofTmp]
  return [diagnoseSpace('archive', { place: archive.path, bytes: await freeBytes(archive.path) }), ofTmp]
}

async function freeBytes(place: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(place)
    return bavail * bsize
  } catch {
    return null
  }
}

function signing(config: Config): Parameters<typeof diagnoseSigning>[0] {
  try {
    return signingKeyOf(config)?.publicKey ?? null
  } catch (error) {
    return messageOf(error) ?? 'the key cannot be read'
  }
}

async function lockOf(store: Store): Promise<BucketLock | string | null> {
  try {
    return (await store.bucketLock?.()) ?? null
  } catch (error) {
    return messageOf(error) ?? 'no answer'
  }
}

/** What a server that cannot be asked may do is no question. */
async function redis(app: App): Promise<Finding[]> {
  const first = await diagnoseRedis(() => app.checkRedis())
  const [root] = await app.roots()
  if (first.result === 'fail' || root === undefined) return [first]
  try {
    const access = await app.redisAccess(root.name)
    return access === null ? [first] : [first, ...diagnoseAccess(access, app.clock.wallMs())]
  } catch (error) {
    return [first, failed('redis permissions', 'redis', error)]
  }
}

async function oneRoot(
  app: App,
  root: RootConfig,
  limits: InotifyLimits,
): Promise<{ findings: Finding[]; families: Family[] }> {
  try {
    const context = await app.context(root)
    const { findings, families } = await diagnoseRoot(context, limits)
    await app.closeContext(context)
    return { findings, families: families.map((one) => ({ root: root.name, ...one })) }
  } catch (error) {
    return { findings: [failed('rules', root.name, error)], families: [] }
  }
}

function kernelLimit(name: string): number | null {
  try {
    return Number(readFileSync(`/proc/sys/fs/inotify/${name}`, 'utf8'))
  } catch {
    return null
  }
}

/** The soft limit of this process. */
function openFilesLimit(): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}

function show(
  app: App,
  findings: readonly Finding[],
  { families, showsAll }: { families: readonly Family[]; showsAll: boolean },
): void {
  const width = Math.min(120, Math.max(60, process.stdout.columns ?? 100))
  const head = Math.max(...findings.map(({ check, subject }) => `${check} (${subject})`.length))
  const at = Math.min(head, 30) + 8
  for (const { check, subject, result, found, means, todo } of findings) {
    const said = [found, means, todo !== '' && result !== 'ok' ? `what to do: ${todo}` : ''].filter((one) => one !== '')
    const lines = said.flatMap((one) => wrapped(one, width - at))
    const title = `${result.padEnd(4)}  ${check} (${subject})`
    // A title too long for its column has a line of its own.
    const first = title.length > at - 2 ? `${title}\n${' '.repeat(at)}` : title.padEnd(at)
    app.out(`${first}${lines.join(`\n${' '.repeat(at)}`)}`)
  }
  const count = (result: Finding['result']): number => findings.filter((one) => one.result === result).length
  app.out(
    `\n${counted(findings.length, 'check')}: ${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failed`,
  )
  if (families.length === 0) return
  const shown = showsAll ? families : families.slice(0, familiesShown)
  app.out(
    `\n${table(
      ['root', 'file', 'family'],
      shown.map(({ root, path, family }) => [root, path, family]),
    )}`,
  )
  if (families.length > shown.length) app.out(`and ${families.length - shown.length} more; --all shows them`)
}

/** Lines of at most `width` characters, broken between words where there is a place. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
