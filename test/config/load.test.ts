import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import test from 'ava'
import * as fc from 'fast-check'
import { stringify } from 'yaml'
import { checkConfig, loadConfig } from '../../src/config.ts'
import type { ConfigFlags } from '../../src/config.ts'
import type { Config } from '../../src/config/model.ts'
import { problemText } from '../../src/config/problems.ts'
import { configSchema, showConfig } from '../../src/config/show.ts'
import { GleanerError, isGleanerError } from '../../src/errors.ts'
import { newSigningKey } from '../support/signing.ts'

const scratch = mkdtempSync(join(tmpdir(), 'gleaner-config-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

const { pem: signingKey } = newSigningKey()

let files = 0
function write(text: string, name = `${files++}.yaml`): string {
  const path = join(scratch, name)
  writeFileSync(path, text)
  return path
}

const env = { GLEANER_NODE: 'node-a' }
const load = (text: string, more: NodeJS.ProcessEnv = {}, flags: ConfigFlags = {}): Config =>
  loadConfig({ file: write(text), env: { ...env, ...more }, flags })

/** `line:column key: message` of each problem. */
function problems(text: string, more: NodeJS.ProcessEnv = {}): string[] {
  return checkConfig({ file: write(text), env: { ...env, ...more } }).problems.map(
    ({ line, column, key, message }) => `${line}:${column} ${key}: ${message}`,
  )
}

const root = 'roots:\n  - name: a\n    path: /data/a\n    format: lines\n'

test('a short file gets every default', (t) => {
  const config = load(root)
  t.deepEqual(config.archive, { kind: 'directory', url: 'file:///var/lib/gleaner', path: '/var/lib/gleaner' })
  t.is(config.derived, config.archive)
  t.is(config.node, 'node-a')
  t.deepEqual(config.roles, ['listen', 'reconcile', 'work', 'serve'])
  t.deepEqual(config.roots, [
    {
      name: 'a',
      path: '/data/a',
      mounts: { path: '/data/a', paths: {} },
      include: ['**'],
      exclude: [],
      format: 'lines',
      remote: 'auto',
      files: 'appended',
    },
  ])
  t.deepEqual(config.seal, { bytes: 67_108_864, ageMs: 300_000 })
  t.deepEqual(config.settle, { readMs: 250, tailMs: 60_000, finalMs: 3_600_000 })
  t.deepEqual(config.limits, {
    lineBytesMax: 16_777_216,
    storeBytesInFlight: 134_217_728,
    proveBytesPerSecond: 52_428_800,
  })
  t.deepEqual(config.reconcile, {
    every: { kind: 'interval', ms: 10_000 },
    fullEveryMs: 600_000,
    metadataPerSecondMax: 5000,
    deadlineMs: 30_000,
  })
  t.deepEqual(config.feed, {
    since: 'now',
    maxAgeMs: 604_800_000,
    maxBytes: 4_294_967_296,
    recordBytesMax: 1_048_576,
  })
  t.deepEqual(config.serve, { host: '127.0.0.1', port: 9464, token: null, showRecords: false })
  t.deepEqual(config.log, { level: 'info' })
  t.is(config.redis, null)
  t.is(config.sign, null)
  t.is(config.tables, null)
  t.deepEqual(config.s3, { forcePathStyle: false, objectLock: null })
})

test('every key that the contract shows is taken', (t) => {
  for (const name of ['password', 'token', 'key', 'ca.pem', 'cert.pem', 'key.pem']) write(`${name}-text\n`, name)
  write(signingKey, 'key')
  const config = load(`
archive: s3://bucket/prefix/
derived: s3://other-bucket/prefix
s3: {endpoint: "https://s3.example:7480", region: eu-1, forcePathStyle: true, objectLock: {mode: COMPLIANCE, days: 3650}}
redis: {url: "rediss://redis.example:6380/2", username: u, passwordFile: password, tls: {ca: ca.pem, cert: cert.pem, key: key.pem}, cluster: false}
node: node-b
roles: [listen, work]
roots:
  - name: lsf
    path: /lsf/logdir
    paths: {node-a: /mnt/lsf/logdir/}
    include: ["lsb.acct*"]
    exclude: ["*.lock"]
    format: jsonl
    timezone: Europe/Zurich
    rotation: [{match: '\\.old$'}]
    oldDirectories: ["old"]
    remote: true
    header: {prefix: '#'}
    files: whole
seal: {bytes: 1MiB, age: 0ms}
reconcile: {every: "*/5 * * * *"}
feed: {since: all}
tables: {every: 30m}
sign: {keyFile: key, every: 2h}
serve: {host: 0.0.0.0, port: 0, tokenFile: token, showRecords: true}
log: {level: warn}
`)
  t.is(config.archive.url, 's3://bucket/prefix')
  t.deepEqual(config.derived, { kind: 's3', url: 's3://other-bucket/prefix', bucket: 'other-bucket', prefix: 'prefix' })
  t.deepEqual(config.s3.objectLock, { mode: 'COMPLIANCE', days: 3650 })
  t.is(config.redis?.url, 'rediss://redis.example:6380/2')
  t.is(config.redis?.password?.reveal(), 'password-text')
  t.is(config.redis?.tls?.ca, 'ca.pem-text\n')
  t.is(config.redis?.tls?.key?.reveal(), 'key.pem-text\n')
  t.is(config.node, 'node-a', 'the environment goes before the file')
  t.is(config.roots[0]?.path, '/mnt/lsf/logdir')
  t.deepEqual(config.roots[0]?.oldDirectories, ['old/'])
  t.deepEqual(config.roots[0]?.header, { prefix: '#' })
  t.deepEqual(config.roots[0]?.rotation, [{ match: '\\.old$' }])
  t.is(config.roots[0]?.remote, true)
  t.deepEqual(config.reconcile.every, { kind: 'cron', expression: '*/5 * * * *' })
  t.deepEqual(config.tables, { every: { kind: 'interval', ms: 1_800_000 } })
  t.is(config.sign?.key.reveal(), signingKey)
  t.is(config.serve.token?.reveal(), 'token-text')
  t.is(config.log.level, 'warn')
})

test('redis may be just its URL; its password leaves the URL', (t) => {
  const { redis } = load(`${root}redis: redis://u:p%40ss@[::1]:7000/3\n`)
  t.is(redis?.url, 'redis://[::1]:7000/3')
  t.is(redis?.username, 'u')
  t.is(redis?.password?.reveal(), 'p@ss')
  t.is(load(`${root}redis: redis://h\n`).redis?.tls, null)
  t.deepEqual(load(`${root}redis: rediss://h\n`).redis?.tls, {})
  const sentinel = load(`${root}redis: {url: "redis://h/1", sentinels: ["s1:26380", s2]}\n`).redis
  t.deepEqual(sentinel?.sentinels, ['s1:26380', 's2:26379'])
  t.is(sentinel?.sentinelName, 'mymaster')
})

test('variables are put into values of any type, never into keys', (t) => {
  const config = load(
    'archive: "s3://${BUCKET}/${PREFIX:-p}"\nroots:\n  - {name: a, path: "${DIR}", format: "${FORMAT:-lines}"}\nserve: {port: ${PORT}, showRecords: ${SHOW}}\n'.replace(
      /(port|showRecords): (\$\{\w+\})/g,
      "$1: '$2'",
    ),
    { BUCKET: 'bbb', DIR: '/x: {y}', PORT: '9000', SHOW: 'true', FORMAT: '' },
  )
  t.is(config.archive.url, 's3://bbb/p')
  t.is(config.roots[0]?.path, '/x: {y}', 'a value cannot change the shape')
  t.is(config.roots[0]?.format, 'lines', 'as in a shell, an empty variable takes the default')
  t.is(config.serve.port, 9000)
  t.true(config.serve.showRecords)
  t.deepEqual(problems(`${root}\${LOG}: {level: info}\n`, { LOG: 'log' }).length, 1)
})

test('the environment and the flags go over the file, flags first', (t) => {
  const text = `${root}log: {level: warn}\nroles: [serve]\n`
  const over = { GLEANER_ROLES: 'listen, work', GLEANER_LOG_LEVEL: 'debug' }
  t.deepEqual(load(text, over).roles, ['listen', 'work'])
  t.is(load(text, over).log.level, 'debug')
  t.deepEqual(load(text, over, { roles: ['reconcile'], logLevel: 'error' }).roles, ['reconcile'])
  t.is(load(text, over, { logLevel: 'error' }).log.level, 'error')
  t.is(load(text, { GLEANER_ROLES: '' }).roles[0], 'serve', 'set but empty is not set')
})

test('bad overrides are named, with what may have been meant', (t) => {
  const { problems } = checkConfig({
    file: write(root),
    env: { GLEANER_NODE: 'a b', GLEANER_ROLES: 'listen,reconcil', GLEANER_LOG_LEVEL: 'inof' },
  })
  t.deepEqual(
    problems.map((problem) => problem.where),
    ['GLEANER_NODE', 'GLEANER_ROLES', 'GLEANER_LOG_LEVEL'],
  )
  t.true(problems[1]?.message.endsWith('did you mean reconcile?'))
  t.true(problems[2]?.message.endsWith('did you mean info?'))
})

test('flags replace a file', (t) => {
  const config = loadConfig({
    env: { ...env, GLEANER_CONFIG: '/nowhere' },
    flags: { path: '/data/My Logs', format: 'lines', archive: '/srv/archive' },
  })
  t.is(config.file, null)
  t.is(config.archive.url, 'file:///srv/archive')
  t.like(config.roots[0], { name: 'my-logs', path: '/data/My Logs', format: 'lines' })
  const missing = checkConfig({ env, flags: { format: 'line' } }).problems.map(problemText)
  t.true(
    missing.some((text) => text.startsWith('--path: missing: expected an absolute path')),
    missing.join('\n'),
  )
  t.true(
    missing.some((text) => text.startsWith('--format') && text.endsWith('did you mean lines?')),
    missing.join('\n'),
  )
  const both = t.throws(() => loadConfig({ file: write(root), env, flags: { path: '/x' } }), {
    instanceOf: GleanerError,
  })
  t.is(both?.code, 'usage')
})

test('a file that is named and not there is missing; another one is not taken instead', (t) => {
  const code = (request: Parameters<typeof loadConfig>[0]): string | undefined => {
    const error = t.throws(() => loadConfig(request))
    return isGleanerError(error) ? error.code : undefined
  }
  t.is(code({ file: join(scratch, 'absent.yaml'), env }), 'config-missing')
  t.is(code({ env: { ...env, GLEANER_CONFIG: join(scratch, 'absent.yaml') } }), 'config-missing')
  t.is(code({ file: scratch, env }), 'config-missing')
  t.is(loadConfig({ env: { ...env, GLEANER_CONFIG: write(root, 'named.yaml') } }).file, join(scratch, 'named.yaml'))
})

test('without a name, gleaner.yaml in the working directory is taken', (t) => {
  const module = new URL('../../src/config.ts', import.meta.url).href
  const program = `const { loadConfig } = await import('${module}')
    try { console.log(loadConfig({ env: {} }).file) } catch (error) { console.log(error.code) }`
  const inDirectory = (cwd: string): string =>
    spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd, encoding: 'utf8' }).stdout.trim()
  const [full, empty] = [join(scratch, 'full'), join(scratch, 'empty')]
  mkdirSync(full)
  mkdirSync(empty)
  writeFileSync(join(full, 'gleaner.yaml'), root)
  t.is(inDirectory(full), 'gleaner.yaml')
  t.is(inDirectory(empty), existsSync('/etc/gleaner/gleaner.yaml') ? '/etc/gleaner/gleaner.yaml' : 'config-missing')
})

test('a Config is frozen all the way down', (t) => {
  const config = load(root) as { -readonly [K in keyof Config]: Config[K] }
  t.throws(() => (config.node = 'x'), { instanceOf: TypeError })
  t.throws(() => (config.roots as unknown[]).push('x'), { instanceOf: TypeError })
})

test('what is shown loads again as the same Config', (t) => {
  const config = load(
    `${root}    paths: {other: /b}\nredis: redis://h:1/2\nreconcile: {every: "0 * * * *"}\nseal: {bytes: 1MB}\n`,
  )
  const again = load(stringify(showConfig(config)))
  t.deepEqual({ ...again, file: null }, { ...config, file: null })
})

test('the JSON Schema knows sections, units and defaults', (t) => {
  const text = JSON.stringify(configSchema())
  for (const part of ['objectLock', 'passwordFile', '"default":"64MiB"', '"default":9464', 'additionalProperties']) {
    t.true(text.includes(part), part)
  }
})

test('secrets appear in no output, whatever is wrong beside them', (t) => {
  const planted = ['planted-redis', 'planted-token', signingKey.split('\n')[1] as string, 'planted-url', 'planted-env']
  write('planted-redis\n', 'p1')
  write('planted-token', 'p2')
  write(signingKey, 'p3')
  const good = `${root}redis: {url: "redis://h", passwordFile: p1}\nserve: {tokenFile: p2}\nsign: {keyFile: p3}\n`
  const config = load(good)
  const url = load(`${root}redis: "redis://u:\${P}@h"\n`, { P: 'planted-url' })
  const seen = [config, url].flatMap((value) => [
    JSON.stringify(value),
    inspect(value, { depth: 9, showHidden: true }),
    JSON.stringify(showConfig(value)),
    String(value.redis?.password),
    'x' + value.redis?.password,
    inspect(value.serve.token),
  ])
  t.is(config.redis?.password?.reveal(), 'planted-redis')
  t.is(url.redis?.password?.reveal(), 'planted-url')
  const bad = [
    'redis: {url: "redis://u:planted-url@h", password: planted-url}',
    'redis: {url: "http://u:planted-url@h"}',
    'redis: "redis://u:planted-url%zz@h"',
    'redis: {url: "redis://u:planted-url@h", passwordFile: p1, username: v}',
    'redis: {url: "redis://h", passwordFile: "${P}"}',
    'redis: {url: "redis://h", username: "planted-url',
    'redis: planted-url: planted-url',
    'redis: [planted-url]',
    'archive: s3://planted-url:planted-url@bucket/x',
    'archive: file://planted-url/x',
    's3: {endpoint: "https://planted-url:planted-url@h"}',
    'log: {level: "${P}"}',
    'node: "${P} "',
    'serve: {port: planted-url, host: "${P}"}',
    'seal: {age: "${P}", bytes: planted-url}',
  ]
  for (const line of bad) {
    for (const text of [`${root}${line}\n`, `${line}\n`]) {
      const error = t.throws(() => load(text, { P: 'planted-env' }), { instanceOf: GleanerError }, line)
      seen.push(String(error), inspect(error, { depth: 9 }), JSON.stringify(error), error?.stack ?? '')
    }
  }
  for (const output of seen) for (const secret of planted) t.false(output.includes(secret), output)
})

test('a value from the environment, whatever it holds, gives a Config or problems that do not show it', (t) => {
  const file = write(
    'archive: "${V}"\nnode: "${V}"\nredis: "${V}"\nroots: [{name: "${V}", path: "${V}", format: "${V}"}]\nseal: {age: "${V}"}\n',
  )
  fc.assert(
    fc.property(fc.string({ minLength: 12 }), (value) => {
      const { problems } = checkConfig({ file, env: { V: value } })
      return problems.length > 0 && !JSON.stringify(problems).includes(JSON.stringify(value).slice(1, -1))
    }),
  )
  t.pass()
})

test('any text gives a Config, problems or a GleanerError', (t) => {
  mkdirSync(join(scratch, 'fuzz'), { recursive: true })
  const piece = fc.constantFrom(
    'roots:',
    ' ',
    '\n',
    '- ',
    'name: a',
    '{',
    '}',
    '[',
    ']',
    '&x ',
    '*x',
    '"',
    "'",
    '|',
    '? ',
    'null',
    '<<: ',
    '__proto__: ',
    '${',
    '}',
    ': ',
    '#',
    '\t',
    '---',
    '!!binary ',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const { problems, config } = checkConfig({ file: write(pieces.join(''), 'fuzz/x.yaml'), env })
      return (
        config !== null ||
        problems.every((problem) => problem.line !== null && problem.line >= 1 && problem.message !== '')
      )
    }),
    { numRuns: 500 },
  )
  t.pass()
})
