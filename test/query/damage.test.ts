/** Every way in which an archive can be tampered with, against `verify` and against verify.py: what is found, and where. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { boundaryKey } from '../../src/core/boundary.ts'
import type { Digest } from '../../src/core/digest.ts'
import { digestBytes, digestKey, digestSignature, signatureKey } from '../../src/core/digest.ts'
import { sha256 } from '../../src/core/hash.ts'
import { revisionKey, segmentKey } from '../../src/core/segment.ts'
import type { SigningKey } from '../../src/core/ssh-key.ts'
import type { Store } from '../../src/ports/store.ts'
import { verifyArchive } from '../../src/query/verify.ts'
import { digestProcess, hourMs } from '../support/digests.ts'
import { archiveSource, boundaryFor, segmentObject } from '../support/segments.ts'
import { newSigningKey } from '../support/signing.ts'
import { verifyPy } from '../support/verify-py.ts'

const scratch = mkdtempSync(join(tmpdir(), 'gleaner-damage-'))
const pristine = join(scratch, 'pristine')
const keyFile = join(scratch, 'signer.pub')
const { key } = newSigningKey()
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

const anomaly = 'evidence/journal/r/revised-0123456789abcdef.json'
const revision = revisionKey('r', 's-0', { start: 4, n: 1 })
const boundary = boundaryKey('r', 's-2', 4)
const at = (start: number, source = 's-0'): string => segmentKey('r', source, start)

/** Three sources, one with a revision and one whose first segment expired; digest 1 holds the first two, 2 the rest, 3 nothing. */
test.before(async () => {
  mkdirSync(pristine)
  const store = await openAt(pristine)
  const time = { nowMs: Date.now() }
  const process = digestProcess(store, { key, time })
  const two = ['two\n', 'three\n']
  await archiveSource(process.store, ['one\n', ...two])
  await archiveSource(process.store, ['x\n'.repeat(9000), 'y\n'], { source: 's-1', path: 'other' })
  await process.turn()
  time.nowMs += 2 * hourMs
  const keys = await archiveSource(process.store, ['old\n', 'new\n'], { source: 's-2' })
  const { chain } = segmentObject([Buffer.from('two\n')], {
    before: Buffer.from('one\n'),
    previousChain: chainAt(0),
  }).header
  const header = { chain, previousChain: chain }
  const { object } = segmentObject([Buffer.from('TWO\n')], { before: Buffer.from('one\n'), header })
  await process.store.create(revision, object)
  await process.store.create(anomaly, Buffer.from('{"v":1}\n'))
  await process.turn()
  time.nowMs += hourMs
  await process.store.create(boundary, Buffer.from(JSON.stringify(await boundaryFor(store, keys.slice(0, 1)))))
  await store.remove(keys[0] as string)
  await process.turn()
  await store.close()
  writeFileSync(keyFile, `${key.publicKey.line} collector\n`)
})

function chainAt(start: number): string {
  return headerIn(pristine, at(start))['chain'] as string
}

function headerIn(dir: string, key: string): Record<string, unknown> {
  const body = readFileSync(join(dir, key))
  return JSON.parse(body.toString('utf8', 8, 8 + body.readUInt32LE(4))) as Record<string, unknown>
}

async function openAt(path: string): Promise<Store> {
  return openDirectoryStore({ path, url: `file://${path}` })
}

interface Copy {
  dir: string
  path: (key: string) => string
  /** Rewrites digest n, and signs it with a key; null leaves no signature. Gives its new bytes. */
  forge: (n: number, change: (digest: Digest) => Digest, by: SigningKey | null) => Buffer
}

function copyOf(name: string): Copy {
  const dir = join(scratch, name)
  cpSync(pristine, dir, { recursive: true })
  const path = (key: string): string => join(dir, key)
  return {
    dir,
    path,
    forge(n, change, by) {
      const bytes = digestBytes(change(JSON.parse(readFileSync(path(digestKey(n)), 'utf8')) as Digest))
      writeFileSync(path(digestKey(n)), bytes)
      if (by === null) rmSync(path(signatureKey(n)), { force: true })
      else writeFileSync(path(signatureKey(n)), digestSignature(bytes, by))
      return bytes
    },
  }
}

function flip(file: string, offset: number): void {
  const body = readFileSync(file)
  body[offset] = (body[offset] as number) ^ 1
  writeFileSync(file, body)
}

function swap(one: string, other: string): void {
  renameSync(one, `${one}.x`)
  renameSync(other, one)
  renameSync(`${one}.x`, other)
}

const without =
  (key: string) =>
  (digest: Digest): Digest => ({
    ...digest,
    segments: digest.segments.filter((one) => one.key !== key),
    heads: digest.heads.filter(({ source }) => source !== key.split('/')[3]),
  })
const stranger = newSigningKey().key

/** What is done, and where both must say that something is wrong: a key, or a part of it. */
const damages: [string, (copy: Copy) => void, string][] = [
  ['a changed byte in a frame', ({ path }) => flip(path(at(4)), readFileSync(path(at(4))).length - 34), at(4)],
  ['a changed byte in a header', ({ path }) => flip(path(at(4)), 60), at(4)],
  [
    'a path that was changed in a header',
    ({ path }) =>
      writeFileSync(
        path(at(0, 's-1')),
        readFileSync(path(at(0, 's-1')), 'latin1').replace('"other"', '"OTHER"'),
        'latin1',
      ),
    at(0, 's-1'),
  ],
  [
    'an object that is cut short',
    ({ path }) => writeFileSync(path(at(4)), readFileSync(path(at(4))).subarray(0, 500)),
    at(4),
  ],
  ['an empty object', ({ path }) => writeFileSync(path(at(4)), ''), at(4)],
  ['a first segment removed', ({ path }) => rmSync(path(at(0))), 's-0'],
  ['a segment removed', ({ path }) => rmSync(path(at(4))), 's-0'],
  ['the last segment removed', ({ path }) => rmSync(path(at(8))), 's-0'],
  ['a whole source removed', ({ path }) => rmSync(path('evidence/segments/r/s-1'), { recursive: true }), 's-1'],
  ['a segment removed behind a boundary', ({ path }) => rmSync(path(at(4, 's-2'))), 's-2'],
  ['a pair of segments swapped', ({ path }) => swap(path(at(4)), path(at(8))), at(4)],
  ['segments of two sources swapped', ({ path }) => swap(path(at(0)), path(at(0, 's-1'))), at(0)],
  [
    'a last segment replaced by one that is chained rightly',
    ({ path }) => {
      const facts = { before: Buffer.from('one\ntwo\n'), previousChain: chainAt(4) }
      writeFileSync(path(at(8)), segmentObject([Buffer.from('THREE\n')], facts).object)
    },
    at(8),
  ],
  ['a revision removed', ({ path }) => rmSync(path(revision)), revision],
  [
    'a changed byte in a revision',
    ({ path }) => flip(path(revision), readFileSync(path(revision)).length - 34),
    revision,
  ],
  ['an anomaly removed', ({ path }) => rmSync(path(anomaly)), anomaly],
  ['an anomaly changed', ({ path }) => writeFileSync(path(anomaly), '{}'), anomaly],
  ['a boundary removed', ({ path }) => rmSync(path(boundary)), 's-2'],
  [
    'a boundary changed',
    ({ path }) => flip(path(boundary), readFileSync(path(boundary)).indexOf('sha256') + 12),
    boundary,
  ],
  [
    'a boundary that makes a removal look like an expiry, of other bytes',
    ({ path }) => {
      const { header } = segmentObject([Buffer.from('x\n'.repeat(8999) + 'Y\n')], { source: 's-1' })
      const segments = [{ start: 0, end: 18_000, sha256: header.sha256, witness: header.witness }]
      const beginning = { length: 0, sha256: sha256(''), bytes: '' }
      const body = { ...header, lines: 9000, chain: header.chain, beginning, segments }
      cpSync(path('evidence/boundaries/r/s-2'), path('evidence/boundaries/r/s-1'), { recursive: true })
      writeFileSync(path(boundaryKey('r', 's-1', 18_000)), JSON.stringify(body))
      rmSync(path(boundaryKey('r', 's-1', 4)))
      rmSync(path(at(0, 's-1')))
    },
    at(0, 's-1'),
  ],
  ['a changed byte in a digest', ({ path }) => flip(path(digestKey(2)), 30), digestKey(2)],
  ['a digest that is no JSON', ({ path }) => writeFileSync(path(digestKey(2)), 'x'), digestKey(2)],
  ['a digest removed', ({ path }) => [digestKey(2), signatureKey(2)].forEach((key) => rmSync(path(key))), digestKey(2)],
  ['the first digest removed', ({ path }) => rmSync(path(digestKey(1))), digestKey(1)],
  [
    'a pair of digests swapped, with their signatures',
    ({ path }) => {
      swap(path(digestKey(1)), path(digestKey(2)))
      swap(path(signatureKey(1)), path(signatureKey(2)))
    },
    digestKey(1),
  ],
  ['a signature removed', ({ path }) => rmSync(path(signatureKey(2))), '0000000000000002.'],
  [
    'a signature of another digest',
    ({ path }) => cpSync(path(signatureKey(1)), path(signatureKey(2))),
    '0000000000000002.',
  ],
  ['a signature that is none', ({ path }) => writeFileSync(path(signatureKey(2)), 'x'), '0000000000000002.'],
  [
    'a segment removed and left out of its digest, which keeps its signature',
    ({ path, forge }) => {
      const signature = readFileSync(path(signatureKey(1)))
      forge(1, without(at(2, 's-1')), null)
      writeFileSync(path(signatureKey(1)), signature)
      rmSync(path(at(18_000, 's-1')))
    },
    '0000000000000001.',
  ],
  [
    'all digests forged, validly chained, and signed by another key',
    ({ path, forge }) => {
      const gone = at(18_000, 's-1')
      let previous = sha256(forge(1, without(gone), stranger))
      for (const n of [2, 3]) previous = sha256(forge(n, (digest) => ({ ...digest, previous }), stranger))
      rmSync(path(gone))
    },
    '0000000000000001.',
  ],
  [
    'the newest digest forged and not signed',
    ({ forge }) => forge(3, (digest) => ({ ...digest, node: 'x' }), null),
    '0000000000000003.',
  ],
  [
    'the newest digest forged and signed by another key',
    ({ forge }) => forge(3, (digest) => ({ ...digest, node: 'x' }), stranger),
    '0000000000000003.',
  ],
  [
    'a digest that skips the one before it, signed by the key',
    ({ forge }) => forge(3, (digest) => ({ ...digest, previous: '0'.repeat(64) }), key),
    digestKey(3),
  ],
  [
    'a digest that names no object of the archive, signed by the key',
    ({ forge }) =>
      forge(3, (digest) => ({ ...digest, anomalies: [{ key: 'evidence/journal/../../../x.json', sha256: 'x' }] }), key),
    digestKey(3),
  ],
  [
    'a digest with items that are none, signed by the key',
    ({ forge }) => forge(3, (digest) => ({ ...digest, segments: [{} as Digest['segments'][number]] }), key),
    digestKey(3),
  ],
  [
    'a digest whose head is not that of its segments, signed by the key',
    ({ forge }) =>
      forge(3, (digest) => ({ ...digest, heads: [{ source: 's-0', path: 'acct', end: 4, chain: 'x' }] }), key),
    digestKey(3),
  ],
]

for (const [index, [title, damage, where]] of damages.entries()) {
  test.serial(`${title}: verify and verify.py find it, and say where`, async (t) => {
    const copy = copyOf(`copy-${index}`)
    damage(copy)
    const store = await openAt(copy.dir)
    const report = await verifyArchive(store, { root: null, feed: null, keys: [key.publicKey] })
    await store.close()
    const said = [
      ...report.damaged.map(({ key }) => key),
      ...report.missing.map(({ root, source }) => `${root}/${source}`),
    ]
    t.true(
      said.some((one) => one.includes(where)),
      `verify: ${JSON.stringify(report)}`,
    )
    const python = await verifyPy(['--key', keyFile, copy.dir])
    t.is(python.status, 3, python.stderr + python.stdout)
    t.true(
      python.stdout.split('\n').some((line) => line.split(': ')[0]?.includes(where)),
      `verify.py: ${python.stdout}`,
    )
  })
}

test('of an archive that nobody touched, neither says anything', async (t) => {
  const store = await openAt(pristine)
  const report = await verifyArchive(store, { root: null, feed: null, keys: [key.publicKey] })
  t.like(report, { sources: 3, segments: 6, expired: 4, damaged: [], missing: [] })
  t.like(report.digests, { checked: 3, signed: 3, unsigned: 0, trustedKeys: 1 })
  t.like(await verifyArchive(store, { root: 'r', feed: null }), { damaged: [], missing: [] })
  await store.close()
  const python = await verifyPy(['--key', keyFile, pristine])
  t.deepEqual(python, {
    status: 0,
    stdout: '3 sources, 6 segments, 18024 bytes, 3 digests, 0 findings\n',
    stderr: '',
  })
  t.like(await verifyPy([pristine]), {
    status: 0,
    stderr: 'note: without --key nobody vouches for the keys that signed\n',
  })
})

test('a segment that an interrupted expiry has left is no damage', async (t) => {
  const copy = copyOf('leftover')
  writeFileSync(copy.path(at(0, 's-2')), segmentObject([Buffer.from('old\n')], { source: 's-2' }).object)
  const store = await openAt(copy.dir)
  t.like(await verifyArchive(store, { root: null, feed: null, keys: [key.publicKey] }), { damaged: [], missing: [] })
  await store.close()
  t.is((await verifyPy(['--key', keyFile, copy.dir])).status, 0)
})

test('verify.py refuses what it cannot use', async (t) => {
  const cases: [string[], RegExp][] = [
    [[join(scratch, 'nothing')], /is no directory/],
    [['--key', join(pristine, digestKey(1)), pristine], /names no ssh-ed25519 key/],
  ]
  for (const [args, message] of cases) {
    const { status, stderr } = await verifyPy(args)
    t.is(status, 2)
    t.regex(stderr, message)
  }
})

test('verify.py is at most 150 lines', (t) => {
  t.true(readFileSync(new URL('../../src/archive/verify.py', import.meta.url), 'utf8').split('\n').length <= 151)
})
