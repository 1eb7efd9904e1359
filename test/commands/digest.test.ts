import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { digestKey, signatureKey } from '../../src/core/digest.ts'
import type { Site } from '../support/gleaner.ts'
import { openSite, until } from '../support/gleaner.ts'
import { newSigningKey } from '../support/signing.ts'
import { verifyPy } from '../support/verify-py.ts'

interface DigestSite extends Site {
  keyFile: string
  /** The public key's file. */
  pub: string
}

/** A site with a key made by ssh-keygen, and `acct` with two lines. */
async function openSigned(t: ExecutionContext, sign: Record<string, unknown> = {}): Promise<DigestSite> {
  const site = await openSite()
  t.teardown(() => site.close())
  const keyFile = join(site.dir, 'signer')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
  await site.configure({ sign: { keyFile, ...sign } })
  writeFileSync(join(site.logs, 'acct'), 'one\ntwo\n')
  return { ...site, keyFile, pub: `${keyFile}.pub` }
}

const digestsIn = ({ archive }: Site): string[] => {
  const directory = join(archive, 'evidence', 'digests')
  return existsSync(directory) ? readdirSync(directory).filter((name) => !name.startsWith('.')) : []
}

test('a fresh archive carries verify.py and README.md, and verify.py finds it as it should be', async (t) => {
  const site = await openSigned(t)
  t.is((await site.gleaner('reconcile')).code, 0)
  const created = await site.gleaner('--json', 'digest', 'create')
  t.is(created.code, 0, created.stderr)
  const { made } = JSON.parse(created.stdout) as { made: { n: number; segments: number; sha256: string }[] }
  t.like(made, [{ n: 1, segments: 1 }])
  t.true(existsSync(join(site.archive, 'README.md')))
  const python = await verifyPy(['--key', site.pub], join(site.archive, 'verify.py'))
  t.deepEqual(python, { status: 0, stdout: '1 sources, 1 segments, 8 bytes, 1 digests, 0 findings\n', stderr: '' })
  const input = readFileSync(join(site.archive, digestKey(1)))
  const signature = join(site.archive, signatureKey(1))
  execFileSync('ssh-keygen', ['-Y', 'check-novalidate', '-n', 'gleaner-digest', '-s', signature], { input })
  const [listed] = JSON.parse((await site.gleaner('--json', 'digest', 'list')).stdout) as object[]
  t.like(listed, { n: 1, segments: 1, signed: true, sha256: made[0]?.sha256 })
  t.regex((await site.gleaner('digest', 'list')).stdout, /^n +to +segments +signed +node +sha256\n1 /)
})

test('a removed last segment is found by verify on a copy, without Redis and without the private key', async (t) => {
  const site = await openSigned(t)
  for (const line of ['three\n', 'four\n']) {
    t.is((await site.gleaner('reconcile')).code, 0)
    appendFileSync(join(site.logs, 'acct'), line)
  }
  t.is((await site.gleaner('digest', 'create')).code, 0)
  const ok = await site.gleaner('--json', 'verify', '--key', site.pub)
  t.is(ok.code, 0, ok.stdout)
  t.like(JSON.parse(ok.stdout), { digests: { checked: 1, signed: 1, unsigned: 0, trustedKeys: 1 } })
  await site.configure()
  const segments = join(site.archive, 'evidence', 'segments', 'r')
  const [source] = readdirSync(segments) as [string]
  const last = readdirSync(join(segments, source)).sort().at(-1) as string
  rmSync(join(segments, source, last))
  const found = await site.gleaner('--json', 'verify', '--key', site.pub)
  t.is(found.code, 3)
  t.deepEqual((JSON.parse(found.stdout) as { missing: object[] }).missing, [{ root: 'r', source, at: 8, upTo: 14 }])
  t.is((await verifyPy(['--key', site.pub, site.archive])).status, 3)
})

test('the key that this configuration signs with is the one that verify trusts, unless others are named', async (t) => {
  const site = await openSigned(t)
  t.is((await site.gleaner('reconcile')).code, 0)
  t.is((await site.gleaner('digest', 'create')).code, 0)
  t.regex((await site.gleaner('verify')).stdout, /; 1 digest: all as it should be\n$/)
  const other = join(site.dir, 'other.pub')
  writeFileSync(other, `ops namespaces="gleaner-digest" ${newSigningKey().key.publicKey.line}\n`)
  const refused = await site.gleaner('--json', 'verify', '--key', other)
  t.is(refused.code, 3)
  t.like(JSON.parse(refused.stdout), { damaged: [{ key: signatureKey(1), problem: 'signed by another key' }] })
  t.is((await site.gleaner('verify', '--key', other, '--key', site.pub)).code, 0)
  for (const file of [join(site.dir, 'none'), site.keyFile, site.config]) {
    const ran = await site.gleaner('verify', '--key', file)
    t.is(ran.code, 2)
    t.true(ran.stderr.includes(file), ran.stderr)
  }
  await site.configure()
  t.regex((await site.gleaner('verify')).stdout, /; 1 digest, signed by keys that nobody vouched for \(--key\): all/)
})

test('without a key there are no digests; a key that cannot be used is refused with its line', async (t) => {
  const site = await openSigned(t)
  await site.configure()
  const ran = await site.gleaner('digest', 'create')
  t.is(ran.code, 2)
  t.regex(ran.stderr, /expected `sign: \{keyFile: FILE\}`/)
  t.is((await site.gleaner('digest', 'list')).stdout, 'none\n')
  await site.configure({ sign: { keyFile: site.pub } })
  const refused = await site.gleaner('digest', 'create')
  t.is(refused.code, 2)
  t.regex(refused.stderr, /sign\.keyFile: cannot use .*signer\.pub: this is a public key/)
})

test('two collectors make one chain of signed digests, also while nothing happens', async (t) => {
  const site = await openSigned(t, { every: '1s' })
  const running = [await site.start(['run'], '"running"'), await site.start(['run'], '"running"')]
  await until(() => digestsIn(site).length >= 6)
  appendFileSync(join(site.logs, 'acct'), 'three\n')
  await until(async () => {
    const rows = JSON.parse((await site.gleaner('--json', 'digest', 'list')).stdout) as { segments: number }[]
    return rows.reduce((sum, { segments }) => sum + segments, 0) >= 2
  })
  const url = /"url":"(http:[^"]+)"/.exec(running[0]?.stderr() ?? '')?.[1] ?? ''
  const metrics = await (await fetch(`${url}/metrics`)).text()
  t.regex(metrics, /^gleaner_digest_last_timestamp_seconds 1\d{9}/m)
  for (const one of running) one.kill('SIGTERM')
  for (const one of running) t.is((await one.ended).code, 0, one.stderr())
  const report = await site.gleaner('--json', 'verify', '--key', site.pub)
  t.is(report.code, 0, report.stdout)
  t.is((await verifyPy(['--key', site.pub, site.archive])).status, 0)
})
