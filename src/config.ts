import { existsSync, readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { contradictions } from './config/contradictions.ts'
import { readDocument } from './config/document.ts'
import type { Source } from './config/document.ts'
import type { Config } from './config/model.ts'
import { problemText, shapeProblems, suggestion } from './config/problems.ts'
import type { Problem } from './config/problems.ts'
import { resolveConfig } from './config/resolve.ts'
import { level, nodeName, role, schema } from './config/schema.ts'
import { logLevels, roleNames } from './config/model.ts'
import { GleanerError } from './errors.ts'

/**
 * The configuration: from a YAML file, or from the flags that replace one.
 *
 *   which file   --config, $GLEANER_CONFIG, ./gleaner.yaml, /etc/gleaner/gleaner.yaml: the first that is named or there
 *   parse        YAML, keeping lines and columns                                   config/document.ts
 *   variables    ${VAR} in values                                                  config/interpolate.ts
 *   shape        keys, types, units, defaults                                      config/schema.ts
 *   together     what no single value shows                                        config/contradictions.ts
 *   resolve      this node's paths, numbers, secrets read from their files         config/resolve.ts
 *
 * Every step but the first two goes on after a problem, so a person sees all of them at once. A file that is named and
 * not there is an error, never a reason to try the next one.
 */
export interface ConfigRequest {
  /** `--config`. */
  file?: string | undefined
  env: NodeJS.ProcessEnv
  flags?: ConfigFlags | undefined
}

export interface ConfigFlags {
  /** `--path`, `--format` and `--archive` replace a file: one root. The archive may be a plain directory here. */
  path?: string | undefined
  format?: string | undefined
  archive?: string | undefined
  /** `--roles`, `--log-level`: over the file and over the environment. */
  roles?: readonly string[] | undefined
  logLevel?: string | undefined
}

export interface Checked {
  /** The file that was read, or null where flags replaced it. */
  file: string | null
  problems: Problem[]
  /** Null where there are problems. */
  config: Config | null
}

const fileBytesMax = 4 * 1024 ** 2

/** The Config in force. Throws `config-invalid` with every problem on a line of its own, `config-missing`, or `usage`. */
export function loadConfig(request: ConfigRequest): Config {
  const { file, problems, config } = checkConfig(request)
  if (config !== null) return config
  throw new GleanerError('config-invalid', {
    operation: 'configure',
    subject: file ?? 'flags',
    message: `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}\n${problems.map(problemText).join('\n')}`,
  })
}

/** The same, with the problems as values. Throws only when there is nothing to check: `config-missing`, `usage`. */
export function checkConfig(request: ConfigRequest): Checked {
  const { env, flags = {} } = request
  const replaced = flags.path !== undefined || flags.format !== undefined || flags.archive !== undefined
  if (replaced && request.file !== undefined) {
    throw new GleanerError('usage', {
      operation: 'configure',
      subject: '--config',
      message: 'expected either --config or --path, --format and --archive',
    })
  }
  const file = replaced ? null : findFile(request)
  const source = file === null ? flagSource(flags) : readDocument(readText(file), file, env)
  return { file, ...check(source, file, { env, flags }) }
}

function check(source: Source, file: string | null, { env, flags }: { env: NodeJS.ProcessEnv; flags: ConfigFlags }) {
  const problems = [...source.problems]
  const over = overrides(source, { env, flags, problems })
  const shape = schema.safeParse(source.value)
  if (source.value !== undefined) {
    problems.push(...shapeProblems(source, shape.error?.issues ?? []), ...contradictions(source, over.node))
  }
  if (shape.success && problems.length === 0) {
    const resolved = resolveConfig(shape.data, source, { file, ...over })
    if (resolved.problems.length === 0) return { config: resolved.config, problems: [] }
    problems.push(...resolved.problems)
  }
  return { config: null, problems: inOrder(problems) }
}

/** One problem for each key, the first that was found, in the order of the file. */
function inOrder(problems: Problem[]): Problem[] {
  const first = new Map<string, Problem>()
  for (const problem of problems) {
    const key = JSON.stringify([problem.where, problem.key, problem.key === '' ? problem.line : 0])
    if (!first.has(key)) first.set(key, problem)
  }
  return [...first.values()].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}

interface OverrideSources {
  env: NodeJS.ProcessEnv
  flags: ConfigFlags
  problems: Problem[]
}

function overrides(source: Source, { env, flags, problems }: OverrideSources) {
  const say = (where: string, message: string): void => {
    problems.push({ where, line: null, column: null, key: '', message })
  }
  const given = (source.value as { node?: unknown } | null | undefined)?.node
  const own = nodeName.safeParse(env['GLEANER_NODE'] || given || hostname())
  if (!own.success && env['GLEANER_NODE']) say('GLEANER_NODE', own.error.issues[0]?.message ?? '')
  else if (!own.success && given === undefined)
    say('host name', 'not usable as a node name; set `node` or GLEANER_NODE')

  const names =
    flags.roles ?? (env['GLEANER_ROLES'] ? env['GLEANER_ROLES'].split(',').map((name) => name.trim()) : undefined)
  const roles = names?.map((name) => {
    const parsed = role.safeParse(name)
    if (parsed.success) return parsed.data
    const message = `expected a list of ${roleNames.join(',')}${suggestion(name, roleNames)}`
    say(flags.roles ? '--roles' : 'GLEANER_ROLES', message)
    return 'work' as const
  })
  if (roles?.length === 0) say('--roles', `expected a list of ${roleNames.join(',')}`)

  const wanted = flags.logLevel ?? (env['GLEANER_LOG_LEVEL'] || undefined)
  const logLevel = wanted === undefined ? undefined : level.safeParse(wanted)
  if (logLevel?.success === false) {
    const message = `expected one of ${logLevels.join(', ')}${suggestion(wanted, logLevels)}`
    say(flags.logLevel === undefined ? 'GLEANER_LOG_LEVEL' : '--log-level', message)
  }
  return { node: own.data ?? 'unnamed', roles: roles && [...new Set(roles)], level: logLevel?.data }
}

function findFile({ file, env }: ConfigRequest): string {
  const named = file ?? (env['GLEANER_CONFIG'] || undefined)
  if (named !== undefined) return named
  const usual = ['gleaner.yaml', '/etc/gleaner/gleaner.yaml']
  const found = usual.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new GleanerError('config-missing', {
    operation: 'configure',
    subject: 'gleaner.yaml',
    message: 'no --config, no $GLEANER_CONFIG, no ./gleaner.yaml, no /etc/gleaner/gleaner.yaml',
  })
}

function readText(file: string): string {
  const refuse = (message: string, cause?: unknown): never => {
    throw new GleanerError('config-missing', { operation: 'configure', subject: file, message, cause })
  }
  try {
    const { size } = statSync(file)
    if (size > fileBytesMax) refuse(`larger than ${fileBytesMax} bytes; is this a configuration?`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof GleanerError) throw error
    return refuse(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`, error)
  }
}

/** `--path DIR --format F --archive URL` as the file they replace. The root is named after the directory. */
function flagSource(flags: ConfigFlags): Source {
  const path = flags.path === undefined ? undefined : resolve(flags.path)
  const archive = flags.archive?.includes(':') === false ? pathToFileURL(resolve(flags.archive)).href : flags.archive
  const value = {
    ...(archive !== undefined && { archive }),
    roots: [{ name: rootName(path ?? ''), path, format: flags.format }],
  }
  const at: Source['at'] = (key) => {
    const flag = key[0] === 'archive' ? 'archive' : key.at(-1) === 'format' ? 'format' : 'path'
    return { where: `--${flag}`, line: null, column: null }
  }
  return { value, at, keyAt: at, written: () => undefined, problems: [] }
}

function rootName(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63)
  return name === '' ? 'root' : name
}
