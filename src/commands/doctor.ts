/** `gleaner doctor`: whether this node can do what the configuration asks of it. Exit status 1 if a check failed. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { RootConfig } from '../config/model.ts'
import type { Finding, InotifyLimits } from '../roles/diagnose.ts'
import { diagnoseRedis, diagnoseRoot, diagnoseStore, failed } from '../roles/diagnose.ts'
import type { App } from './app.ts'
import { table } from './output.ts'

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
    .action(() => doctor(app))
}

async function doctor(app: App): Promise<void> {
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
  ]
  const random = (): string => randomBytes(16).toString('hex')
  findings.push(...(await diagnoseStore(await app.store(), { clock: app.clock, random })))
  findings.push(await diagnoseRedis(() => app.checkRedis()))
  const limits: InotifyLimits = {
    watches: kernelLimit('max_user_watches'),
    instances: kernelLimit('max_user_instances'),
  }
  const looked = await Promise.all(config.roots.map((root) => oneRoot(app, root, limits)))
  findings.push(...looked.flatMap((one) => one.findings))
  const families = looked.flatMap((one) => one.families)
  show(app, findings, families)
  if (findings.some(({ result }) => result === 'fail')) app.exit(1)
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

function show(app: App, findings: readonly Finding[], families: readonly Family[]): void {
  if (app.json) {
    app.out(JSON.stringify({ ok: findings.every(({ result }) => result !== 'fail'), findings, families }))
    return
  }
  for (const { check, subject, result, found, means, todo } of findings) {
    app.out(`${result.padEnd(5)} ${check} (${subject}): ${found}`)
    if (means !== '') app.out(`      ${means}`)
    if (todo !== '' && result !== 'ok') app.out(`      what to do: ${todo}`)
  }
  if (families.length === 0) return
  const shown = families.slice(0, familiesShown)
  app.out(
    `\n${table(
      ['root', 'file', 'family'],
      shown.map(({ root, path, family }) => [root, path, family]),
    )}`,
  )
  if (families.length > shown.length) app.out(`and ${families.length - shown.length} more; --json gives all`)
}
