import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { SigningKey } from '../../src/core/ssh-key.ts'
import { readPublicKeys, readSigningKey } from '../../src/core/ssh-key.ts'
import { signerOf, sshSignature } from '../../src/core/ssh-signature.ts'

const namespace = 'gleaner-digest'
const message = Buffer.from('what was committed\n')

function directoryFor(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gleaner-ssh-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

function keygen(directory: string, ...args: string[]): string {
  const file = join(directory, 'key')
  execFileSync('ssh-keygen', ['-q', '-f', file, '-N', '', '-C', 'a comment', ...args])
  return file
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' })
}

function keyFrom(text: string): SigningKey {
  const key = readSigningKey(text)
  if (typeof key === 'string') throw new Error(key)
  return key
}

test('ssh-keygen accepts a signature of ours, against an allowed_signers file and without one', (t) => {
  const directory = directoryFor(t)
  const file = keygen(directory, '-t', 'ed25519')
  const key = keyFrom(readFileSync(file, 'utf8'))
  const [signature, allowed] = [join(directory, 'x.sig'), join(directory, 'allowed')]
  writeFileSync(signature, sshSignature(message, namespace, key))
  writeFileSync(allowed, `gleaner namespaces="gleaner-digest" ${readFileSync(`${file}.pub`, 'utf8')}`)
  const verify = (input: Buffer, ...args: string[]): number | null =>
    spawnSync('ssh-keygen', ['-Y', ...args, '-n', namespace, '-s', signature], { input }).status
  t.is(verify(message, 'verify', '-f', allowed, '-I', 'gleaner'), 0)
  t.is(verify(message, 'check-novalidate'), 0)
  t.not(verify(Buffer.from('something else'), 'check-novalidate'), 0)
  t.is(execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' }).split(' ')[1], key.publicKey.fingerprint)
  t.is(readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' '), key.publicKey.line)
})

for (const hashName of ['sha512', 'sha256']) {
  test(`a signature by ssh-keygen over ${hashName} is accepted, and names its key`, (t) => {
    const directory = directoryFor(t)
    const file = keygen(directory, '-t', 'ed25519')
    const made = execFileSync('ssh-keygen', ['-Y', 'sign', '-f', file, '-n', namespace, '-O', `hashalg=${hashName}`], {
      input: message,
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const signer = signerOf(message, namespace, made.toString())
    t.is(typeof signer === 'string' ? signer : signer.line, keyFrom(readFileSync(file, 'utf8')).publicKey.line)
    t.is(signerOf(Buffer.from('other'), namespace, made.toString()), 'a signature of something else')
    t.is(signerOf(message, 'file', made.toString()), `a signature for ${namespace}`)
  })
}

test('ours equals the one by ssh-keygen, byte for byte', (t) => {
  const file = keygen(directoryFor(t), '-t', 'ed25519')
  const theirs = execFileSync('ssh-keygen', ['-Y', 'sign', '-f', file, '-n', namespace], {
    input: message,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  t.is(sshSignature(message, namespace, keyFrom(readFileSync(file, 'utf8'))), theirs.toString())
})

test('a PKCS#8 key signs as well', (t) => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = keyFrom(pem(privateKey))
  const signer = signerOf(message, namespace, sshSignature(message, namespace, key))
  t.is(typeof signer === 'string' ? signer : signer.fingerprint, key.publicKey.fingerprint)
})

test('any changed byte of a signature is refused, or is no change to what it says', (t) => {
  const key = keyFrom(pem(generateKeyPairSync('ed25519').privateKey))
  const armored = sshSignature(message, namespace, key)
  for (let at = 0; at < armored.length; at++) {
    const changed = Buffer.from(armored)
    changed[at] = (changed[at] as number) ^ 1
    const signer = signerOf(message, namespace, changed.toString('latin1'))
    if (typeof signer !== 'string') t.is(signer.line, key.publicKey.line)
  }
  for (const cut of [0, 30, 100, armored.length - 5])
    t.is(typeof signerOf(message, namespace, armored.slice(0, cut)), 'string')
})

test('what is no unencrypted Ed25519 private key is refused with what it is', (t) => {
  const directory = directoryFor(t)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const ed = generateKeyPairSync('ed25519')
  const file = keygen(directory, '-t', 'ed25519')
  const good = readFileSync(file, 'utf8')
  const pub = readFileSync(`${file}.pub`, 'utf8')
  execFileSync('ssh-keygen', ['-q', '-p', '-f', file, '-P', '', '-N', 'a passphrase'])
  const locked = readFileSync(file, 'utf8')
  rmSync(file)
  const ecdsa = readFileSync(keygen(directory, '-t', 'ecdsa'), 'utf8')
  const cases: [string, RegExp][] = [
    ['', /found no key/],
    ['secret', /found no key/],
    [pub, /public key/],
    [locked, /passphrase/],
    [ecdsa, /found ecdsa-sha2-nistp256/],
    [pem(rsa), /found rsa/],
    [rsa.export({ type: 'pkcs1', format: 'pem' }), /found RSA PRIVATE KEY/],
    [ed.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }), /passphrase/],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /damaged/],
    [good.replace(/\n[A-Za-z0-9+/]{20}/, '\n'), /damaged/],
    [`${good.slice(0, 200)}\n-----END OPENSSH PRIVATE KEY-----\n`, /damaged/],
  ]
  for (const [text, problem] of cases) t.regex(JSON.stringify(readSigningKey(text)), problem, text)
})

test('public keys come from .pub files and allowed_signers files', (t) => {
  const lines = [1, 2].map(() => keyFrom(pem(generateKeyPairSync('ed25519').privateKey)).publicKey.line)
  const text = `# signers\n\n${lines[0]} collector\nops@example.org namespaces="gleaner-digest" ${lines[1]}\n# ${lines[0]}\n`
  const keys = readPublicKeys(text)
  t.deepEqual(typeof keys === 'string' ? keys : keys.map(({ line }) => line), lines)
  t.regex(JSON.stringify(readPublicKeys('ssh-rsa AAAA')), /found none/)
  t.regex(JSON.stringify(readPublicKeys('ssh-ed25519 AAAA')), /damaged/)
  t.regex(JSON.stringify(readPublicKeys('-----BEGIN OPENSSH PRIVATE KEY-----')), /private key/)
})
