/**
 * Ed25519 keys as OpenSSH writes them. Only what signing digests needs:
 *
 *     private   `-----BEGIN OPENSSH PRIVATE KEY-----` without a passphrase (PROTOCOL.key of OpenSSH), or PKCS#8 PEM
 *     public    `ssh-ed25519 AAAA... comment`, alone or behind a principal as in an allowed_signers file
 *
 * OpenSSH's binary form is made of strings: u32 length, big-endian, then as many bytes.
 */

import { createPrivateKey, createPublicKey, hash, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

const keyType = 'ssh-ed25519'
const privateMagic = 'openssh-key-v1\0'
const keyBytes = 32

export interface PublicKey {
  /** As it stands in signatures: the key's type and its 32 bytes, each as a string of the binary form. */
  blob: Buffer
  /** `ssh-ed25519 AAAA...`, as in a `.pub` file. */
  line: string
  /** `SHA256:...`, as `ssh-keygen -l` shows it. */
  fingerprint: string
}

export interface SigningKey {
  publicKey: PublicKey
  /** The 64 bytes of an Ed25519 signature. */
  sign(message: Buffer): Buffer
}

/** A private key file's text → the key, or what is wrong with it. */
export function readSigningKey(text: string): SigningKey | string {
  const label = /^-----BEGIN ([A-Z0-9 ]+)-----/m.exec(text)?.[1]
  if (label === 'OPENSSH PRIVATE KEY') return openSshKey(text)
  if (label === 'PRIVATE KEY') return pkcs8Key(text)
  if (label === 'ENCRYPTED PRIVATE KEY') return encrypted
  if (text.startsWith(keyType)) return 'this is a public key; expected the private key beside it'
  return `expected an Ed25519 private key (\`ssh-keygen -t ed25519 -N ""\`), found ${label ?? 'no key'}`
}

const encrypted = 'the key has a passphrase; expected one without (`ssh-keygen -p` takes it off)'

function pkcs8Key(text: string): SigningKey | string {
  try {
    const key = createPrivateKey(text)
    return key.asymmetricKeyType === 'ed25519' ? signingKey(key) : wrongType(key.asymmetricKeyType ?? 'unknown')
  } catch {
    return 'the PEM text is damaged'
  }
}

function wrongType(found: string): string {
  return `expected an Ed25519 key, found ${found}`
}

function openSshKey(text: string): SigningKey | string {
  const base64 = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*)-----END OPENSSH PRIVATE KEY-----/.exec(text)?.[1]
  const bytes = Buffer.from(base64 ?? '', 'base64')
  const damaged = 'the OpenSSH key file is damaged'
  if (bytes.toString('latin1', 0, privateMagic.length) !== privateMagic) return damaged
  const outer = readStrings(bytes.subarray(privateMagic.length), [
    'cipher',
    'kdf',
    'options',
    null,
    'public',
    'private',
  ])
  if (outer === null) return damaged
  if (outer['cipher']?.toString() !== 'none') return encrypted
  const inner = outer['private'] as Buffer
  const type = readStrings(inner, [null, null, 'type'])?.['type']?.toString()
  if (type === undefined) return damaged
  if (type !== keyType) return wrongType(type)
  const secret = readStrings(inner, [null, null, 'type', 'public', 'secret'])?.['secret']
  // Two equal random numbers stand before the key; the secret is the seed, then the public key.
  if (secret?.length !== 2 * keyBytes || inner.readUInt32BE(0) !== inner.readUInt32BE(4)) return damaged
  const [d, x] = [secret.toString('base64url', 0, keyBytes), secret.toString('base64url', keyBytes)]
  try {
    return signingKey(createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' }))
  } catch {
    return damaged
  }
}

function signingKey(key: KeyObject): SigningKey {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return {
    publicKey: publicKeyOf(sshStrings(Buffer.from(keyType), Buffer.from(x as string, 'base64url'))),
    sign: (message) => sign(null, message, key),
  }
}

/** Every Ed25519 key of a public key file or an allowed_signers file; what is wrong where there is none. Options before a key are not heeded. */
export function readPublicKeys(text: string): PublicKey[] | string {
  const keys: PublicKey[] = []
  for (const line of text.split('\n')) {
    const base64 = line.startsWith('#') ? undefined : /(?:^|\s)ssh-ed25519\s+([A-Za-z0-9+/]+=*)/.exec(line)?.[1]
    if (base64 === undefined) continue
    const blob = Buffer.from(base64, 'base64')
    if (rawPublicKey(blob) === null) return 'a line has a damaged ssh-ed25519 key'
    keys.push(publicKeyOf(blob))
  }
  if (keys.length > 0) return keys
  return text.includes('PRIVATE KEY')
    ? 'this is a private key; expected the public key'
    : 'expected lines with `ssh-ed25519 AAAA...`, found none'
}

/** From the binary form; null where it is no Ed25519 key. */
export function publicKeyFrom(blob: Buffer): PublicKey | null {
  return rawPublicKey(blob) === null ? null : publicKeyOf(blob)
}

function publicKeyOf(blob: Buffer): PublicKey {
  const fingerprint = hash('sha256', blob, 'base64').replace(/=+$/, '')
  return { blob, line: `${keyType} ${blob.toString('base64')}`, fingerprint: `SHA256:${fingerprint}` }
}

export function isSignedBy(key: PublicKey, message: Buffer, signature: Buffer): boolean {
  const x = (rawPublicKey(key.blob) as Buffer).toString('base64url')
  return verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }), signature)
}

function rawPublicKey(blob: Buffer): Buffer | null {
  const parts = readStrings(blob, ['type', 'key'])
  const key = parts?.['key']
  const isWhole = parts?.['type']?.toString() === keyType && key?.length === keyBytes
  return isWhole && blob.length === 4 + keyType.length + 4 + keyBytes ? key : null
}

export function sshStrings(...parts: Buffer[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      return [length, part]
    }),
  )
}

/** Strings by name, one after the other; a name that is null skips four bytes. Null where the bytes end too early. */
export function readStrings(bytes: Buffer, names: (string | null)[]): Record<string, Buffer> | null {
  const found: Record<string, Buffer> = {}
  let at = 0
  for (const name of names) {
    if (at + 4 > bytes.length) return null
    const length = name === null ? 0 : bytes.readUInt32BE(at)
    at += 4
    if (at + length > bytes.length) return null
    if (name !== null) found[name] = bytes.subarray(at, at + length)
    at += length
  }
  return found
}
