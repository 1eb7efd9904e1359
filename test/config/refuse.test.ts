import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { checkConfig, loadConfig } from '../../src/config.ts'
import { refusePattern } from '../../src/config/pattern.ts'
import { GleanerError } from '../../src/errors.ts'

const scratch = mkdtempSync(join(tmpdir(), 'gleaner-refuse-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))
let files = 0

/** `line:column key: message` of each problem. */
function problems(text: string): string[] {
  const file = join(scratch, `${files++}.yaml`)
  writeFileSync(file, text)
  return checkConfig({ file, env: { GLEANER_NODE: 'node-a' } }).problems.map(
    ({ line, column, key, message }) => `${line}:${column} ${key}: ${message}`,
  )
}

const root = 'roots:\n  - name: a\n    path: /data/a\n    format: lines\n'
const after = (line: string): string => `${root}${line}\n`
const inRoot = (line: string): string => `${root}    ${line}\n`

/** Each bad input, and the whole of what is said about it but for a tail. */
const cases: [name: string, text: string, said: string][] = [
  ['an unknown key', after('setle: {read: 1s}'), '5:1 setle: unknown key; expected one of archive, '],
  ['an unknown key in a root', inRoot('timezon: UTC'), '5:5 roots[0].timezon: unknown key; expected one of name, '],
  [
    'a password in clear',
    after('redis:\n  url: redis://h\n  password: x'),
    '7:3 redis.password: unknown key; expected one of url, username, passwordFile, tls, sentinels, sentinelName, cluster; did you mean passwordFile?',
  ],
  ['a number without unit', after('settle: {tail: 60}'), '5:16 settle.tail: expected a duration with its unit'],
  ['a text without unit', after('settle:\n  tail: "60"'), '6:9 settle.tail: expected a duration with its unit'],
  ['zero without unit', after('seal: {age: 0}'), '5:13 seal.age: expected a duration with its unit'],
  ['a size without unit', after('seal: {bytes: 67108864}'), '5:15 seal.bytes: expected a size with its unit'],
  ['a duration as size', after('seal: {bytes: 5m}'), '5:15 seal.bytes: expected a size with its unit'],
  ['a segment too large', after('seal: {bytes: 65MiB}'), '5:15 seal.bytes: expected a size from 1B to 64MiB'],
  ['a line too small', after('limits: {lineBytesMax: 1023B}'), '5:24 limits.lineBytesMax: expected a size from 1KiB'],
  ['a line too large', after('limits: {lineBytesMax: 65MiB}'), '5:24 limits.lineBytesMax: expected a size from 1KiB'],
  ['a bad cron', after('reconcile: {every: "61 * * * *"}'), '5:20 reconcile.every: expected a duration from 1ms'],
  ['a bad build schedule', after('tables: {every: often}'), '5:17 tables.every: expected a duration from 1ms'],
  ['tables without a schedule', after('tables: {}'), '5:9 tables.every: missing: expected a duration'],
  ['a time zero interval', after('reconcile: {every: 0ms}'), '5:20 reconcile.every: expected a duration from 1ms'],
  [
    'longer than a timer',
    after('reconcile: {every: 25d}'),
    '5:20 reconcile.every: expected a duration from 1ms to 24d',
  ],
  ['tail under read', after('settle: {read: 2s, tail: 1s}'), '5:26 settle.tail: expected settle.tail to be at least'],
  ['read over tail', after('settle: {read: 61s}'), '5:16 settle.read: expected settle.tail to be at least'],
  ['a near enum', after('feed: {since: al}'), '5:15 feed.since: expected one of now, all; did you mean all?'],
  [
    'a bad role',
    after('roles: [listen, wrok]'),
    '5:17 roles[1]: expected one of listen, reconcile, work, serve; did you mean work?',
  ],
  ['no role', after('roles: []'), '5:8 roles: expected a list of listen, reconcile, work, serve, not empty'],
  ['a bad level', after('log: {level: verbose}'), '5:14 log.level: expected one of trace, debug, '],
  ['a bad port', after('serve: {port: 65536}'), '5:15 serve.port: expected a whole number from 0 to 65535'],
  ['an open host', after('serve:\n  host: 0.0.0.0'), '6:9 serve.host: other machines can reach this address; '],
  ['an open IPv6 host', after('serve:\n  host: "::"'), '6:9 serve.host: other machines can reach this address; '],
  [
    'a lock without s3',
    after('s3: {objectLock: {mode: COMPLIANCE, days: 1}}'),
    '5:18 s3.objectLock: needs an archive on s3://',
  ],
  ['a bad archive', after('archive: ftp://x/y'), '5:10 archive: expected file:///DIRECTORY or s3://BUCKET[/PREFIX]'],
  ['a relative archive', after('archive: file://x/y'), '5:10 archive: expected file:///DIRECTORY: three slashes'],
  ['a bad bucket', after('archive: s3://Bucket/y'), '5:10 archive: expected s3://BUCKET[/PREFIX]: a bucket is'],
  ['a bad prefix', after('archive: s3://bucket/a/../b'), '5:10 archive: expected s3://BUCKET/PREFIX: printable'],
  [
    'credentials in it',
    after('archive: s3://k:s@bucket/a'),
    '5:10 archive: expected s3://BUCKET[/PREFIX]: credentials',
  ],
  ['a bad redis', after('redis: http://h'), '5:8 redis: expected redis://HOST[:PORT][/DATABASE], or rediss://'],
  ['redis without address', after('redis:\n  username: u'), '6:3 redis.url: missing: expected redis://'],
  [
    'sentinel and cluster',
    after('redis: {url: "redis://h", sentinels: ["h:1"], cluster: true}'),
    '5:56 redis.cluster: expected either',
  ],
  [
    'cert without key',
    after('redis: {url: "redis://h", tls: {cert: x}}'),
    '5:32 redis.tls: expected cert and key together',
  ],
  [
    'an absent password',
    after('redis: {url: "redis://h", passwordFile: /no/such}'),
    '5:41 redis.passwordFile: cannot use /no/such: ENOENT',
  ],
  ['an absent token', after('serve: {tokenFile: /no/such}'), '5:20 serve.tokenFile: cannot use /no/such: ENOENT'],
  [
    'a key that is none',
    after('sign: {keyFile: /etc/passwd}'),
    '5:17 sign.keyFile: cannot use /etc/passwd: expected an Ed25519 private key (`ssh-keygen -t ed25519 -N ""`), found no key',
  ],
  ['an absent key', after('sign: {keyFile: /no/such}'), '5:17 sign.keyFile: cannot use /no/such: ENOENT'],
  [
    'an empty token',
    after('serve: {tokenFile: /dev/null}'),
    '5:20 serve.tokenFile: cannot use /dev/null: the file is empty',
  ],
  ['a section without value', after('seal:'), '5:6 seal: has no value: expected a mapping of bytes, age'],
  ['a list for a mapping', after('seal: [1]'), '5:7 seal: expected a mapping of bytes, age'],
  ['an unset variable', after('log:\n  level: ${NO_SUCH}'), '6:10 log.level: the variable NO_SUCH is not set'],
  ['an inherited name', after('log:\n  level: ${constructor}'), '6:10 log.level: the variable constructor is not set'],
  ['a torn variable', after('log:\n  level: "${X"'), '6:10 log.level: expected ${NAME} or ${NAME:-default}'],
  ['a key twice', after('log: {}\nlog: {}'), '6:1 : not valid YAML: this key is there twice'],
  ['a tab', after('log:\n\tlevel: info'), '6:1 : not valid YAML: expected spaces'],
  ['an open quote', after('node: "x'), '6:1 : not valid YAML: a closing quote'],
  ['an unquoted variable', after('log: {level: ${X}}'), '5:15 : not valid YAML: '],
  ['a merge key', after('log:\n  <<: {level: info}'), '6:3 log.<<: unknown key; expected one of level'],
  ['a prototype', after('__proto__: {x: 1}'), '5:1 __proto__: unknown key; '],
  ['no root', 'log: {level: info}\n', '1:1 roots: missing: expected a list of roots'],
  ['an empty file', '', '1:1 : has no value: expected a mapping of archive, '],
  ['an empty list', 'roots: []\n', '1:8 roots: expected a list of roots, not empty'],
  ['no name', 'roots:\n  - path: /a\n    format: lines\n', '2:5 roots[0].name: missing: expected a root name'],
  ['a bad name', 'roots:\n  - {name: A, path: /a, format: lines}\n', '2:12 roots[0].name: expected a root name'],
  [
    'a long name',
    `roots:\n  - {name: ${'a'.repeat(64)}, path: /a, format: lines}\n`,
    '2:12 roots[0].name: expected a root name',
  ],
  [
    'a relative path',
    'roots:\n  - {name: a, path: a, format: lines}\n',
    '2:21 roots[0].path: expected an absolute path',
  ],
  ['a bad node path', inRoot('paths: {b: x}'), '5:16 roots[0].paths.b: expected an absolute path'],
  ['a bad node name', inRoot('paths: {"b c": /x}'), '5:13 roots[0].paths.b c: expected a node name'],
  ['a far glob', inRoot('include: ["../x"]'), '5:15 roots[0].include[0]: expected a glob relative to the root'],
  ['an unknown zone', inRoot('timezone: Europe/Zuerich'), '5:15 roots[0].timezone: expected an IANA time zone'],
  ['a torn rule', inRoot("rotation: [{match: '('}]"), '5:24 roots[0].rotation[0].match: expected a JavaScript regular'],
  [
    'a dangerous rule',
    inRoot("rotation: [{match: '(a+)+$'}]"),
    '5:24 roots[0].rotation[0].match: expected a regular expression without nested',
  ],
  ['a word for rules', inRoot('rotation: all'), "5:15 roots[0].rotation: expected none, or a list of {match: 'REGEX'}"],
  [
    'a rule misspelt',
    inRoot("rotation: [{mach: 'x'}]"),
    '5:17 roots[0].rotation[0].mach: unknown key; expected one of match; did you mean match?',
  ],
  [
    'a header misspelt',
    inRoot('header: {line: 1}'),
    '5:14 roots[0].header.line: unknown key; expected one of lines; did you mean lines?',
  ],
  ['a header of nothing', inRoot('header: {lines: 0}'), '5:21 roots[0].header.lines: expected a whole number from 1'],
  ['a bad remote', inRoot('remote: maybe'), '5:13 roots[0].remote: expected auto, true or false'],
  [
    'an old directory outside',
    inRoot('oldDirectories: ["../old"]'),
    '5:22 roots[0].oldDirectories[0]: expected a directory relative',
  ],
  [
    'a near format',
    'roots:\n  - {name: a, path: /a, format: json}\n',
    '2:33 roots[0].format: expected one of lsf, pbs, slurm, gridengine, htcondor, jsonl, csv, lines; did you mean jsonl?',
  ],
  [
    'a name twice',
    `${root}  - {name: a, path: /b, format: lines}\n`,
    '5:12 roots[1].name: roots[0] has this name already',
  ],
  [
    'a root in a root',
    `${root}  - {name: b, path: /data/a/b/../c, format: lines}\n`,
    '5:21 roots[1].path: overlaps roots[0] on node node-a',
  ],
  ['the same root', `${root}  - {name: b, path: /data/a/, format: lines}\n`, '5:21 roots[1].path: overlaps roots[0]'],
  [
    'overlapping elsewhere',
    `${root}  - {name: b, path: /b, paths: {node-z: /data}, format: lines}\n`,
    '5:41 roots[1].paths.node-z: overlaps roots[0] on node node-z',
  ],
  [
    'an archive in a root',
    after('archive: file:///data/a/archive'),
    '5:10 archive: roots[0] would collect this directory',
  ],
  [
    'a root in the archive',
    after('archive: file:///data'),
    '3:11 roots[0].path: lies inside the directory of `archive`',
  ],
]

for (const [name, text, said] of cases) {
  test(`refused: ${name}`, (t) => {
    const found = problems(text)
    t.is(found.length, 1, found.join('\n'))
    t.is(found[0]?.slice(0, said.length), said)
  })
}

test('pbs and slurm need a zone', (t) => {
  for (const format of ['pbs', 'slurm']) {
    const found = problems(`roots:\n  - name: a\n    path: /a\n    format: ${format}\n`)
    t.is(found.length, 1)
    t.true(found[0]?.startsWith('2:5 roots[0].timezone: missing: the times in'), found.join('\n'))
    const zoned = problems(`roots:\n  - name: a\n    path: /a\n    format: ${format}\n    timezone: Europe/Zurich\n`)
    t.deepEqual(zoned, [])
  }
})

test('all problems are told at once, in the order of the file', (t) => {
  const found = problems(`archive: nowhere
settle: {read: 5}
roots:
  - name: A
    path: /data/x
    format: lins
  - name: b
    path: /data
    format: lines
    rotation: [{match: '['}]
log: {level: '\${NO_SUCH}'}
serve: {host: 1.2.3.4}
extra: 1
`)
  t.deepEqual(
    found.map((line) => line.split(' ').slice(0, 2).join(' ').replace(/:$/, '')),
    [
      '1:10 archive',
      '2:16 settle.read',
      '4:11 roots[0].name',
      '6:13 roots[0].format',
      '8:11 roots[1].path',
      '10:24 roots[1].rotation[0].match',
      '11:14 log.level',
      '12:15 serve.host',
      '13:1 extra',
    ],
  )
})

test('the error names file, line and column of every problem', (t) => {
  const file = join(scratch, 'gleaner.yaml')
  writeFileSync(file, `${root}log: {level: inof}\nseal: {age: 5}\n`)
  const error = t.throws(() => loadConfig({ file, env: {} }), { instanceOf: GleanerError })
  t.is(error?.code, 'config-invalid')
  t.regex(error?.message ?? '', /gleaner\.yaml:5:14: log\.level: expected one of .*; did you mean info\?/)
  t.regex(error?.message ?? '', /gleaner\.yaml:6:13: seal\.age: expected a duration/)
})

test('a token or password is one line, and not the file of something else', (t) => {
  for (const content of ['\n', 'two\nlines\n', 'with space', 'with \0', 'x'.repeat(65_537), 'ümlaut']) {
    writeFileSync(join(scratch, 'token'), content)
    const [problem, ...more] = problems(`${root}serve: {tokenFile: token}\n`)
    t.regex(problem ?? '', /^5:20 serve\.tokenFile: cannot use token: /)
    t.false(problem?.includes('two'))
    t.deepEqual(more, [])
  }
  t.regex(problems(`${root}serve: {tokenFile: .}\n`)[0] ?? '', /cannot use \.: EISDIR/)
})

test('an alias bomb is refused', (t) => {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (const [letter, before] of 'bcdefgh'
    .split('')
    .map((letter, index): [string, string] => [letter, 'abcdefg'[index] ?? 'a'])) {
    lines.push(`${letter}: &${letter} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`)
  }
  t.true(problems(`${lines.join('\n')}\n`).length > 0)
})

test('an archive beside what a root collects is taken', (t) => {
  t.deepEqual(
    problems(`roots:\n  - {name: a, path: /data, format: lines, include: ["*.log"]}\narchive: file:///data/archive\n`),
    [],
  )
  t.deepEqual(
    problems(
      `roots:\n  - {name: a, path: /data, format: lines, exclude: ["archive/**"]}\narchive: file:///data/archive\n`,
    ),
    [],
  )
})

test('roots of similar names do not overlap; a node has its own paths', (t) => {
  t.deepEqual(problems(`${root}  - {name: b, path: /data/ab, format: lines}\n`), [])
  t.deepEqual(
    problems(
      'roots:\n  - {name: a, path: /x, paths: {node-a: /one}, format: lines}\n  - {name: b, path: /x/y, paths: {node-a: /two}, format: lines}\n',
    ),
    [],
    'the default path counts only where a node without its own is named',
  )
})

test('rotation rules: the usual ones pass, those that can blow up do not', (t) => {
  for (const good of [
    '\\.old$',
    '\\.\\d+$',
    '[._-]\\d{8}(T\\d{6})?$',
    '(?:\\.gz)+$',
    '-(a|b)$',
    '[(+*]x$',
    '\\(+x$',
    '(\\d{4}){2}$',
  ]) {
    t.is(refusePattern(good), null, good)
  }
  for (const bad of [
    '(a+)+',
    '(a*)*x',
    '((a+))+x',
    '(a|ab)*x',
    '(?:a{2,})+x',
    '(a+b?){2,9}x',
    '(',
    '',
    'x'.repeat(201),
    '\\d*$',
    '(a)\\1',
  ]) {
    t.not(refusePattern(bad), null, bad)
  }
})
