/**
 * Detached SSH signatures, as `ssh-keygen -Y sign` makes them and `ssh-keygen -Y verify` checks them (PROTOCOL.sshsig of OpenSSH):
 *
 *     "SSHSIG", u32 version 1, then strings: public key, namespace, reserved (empty), hash name, signature
 *
 * in base64 between `-----BEGIN SSH SIGNATURE-----` and its end. What is signed is "SSHSIG" and the strings namespace, reserved, hash name,
 * hash of the message. The namespace keeps a signature from being taken for one of something else.
 */

import { hash } from 'node:crypto'
import type { PublicKey, SigningKey } from './ssh-key.ts'
import { isSignedBy, publicKeyFrom, readStrings, sshStrings } from './ssh-key.ts'

const magic = Buffer.from('SSHSIG')
const version = Buffer.from([0, 0, 0, 1])
const empty = Buffer.alloc(0)
const [begin, end] = ['-----BEGIN SSH SIGNATURE-----', '-----END SSH SIGNATURE-----']
const lineLength = 70

export function sshSignature(message: Buffer, namespace: string, key: SigningKey): string {
  const signed = signedBytes(message, namespace, 'sha512')
  const signature = sshStrings(Buffer.from('ssh-ed25519'), key.sign(signed))
  const fields = sshStrings(key.publicKey.blob, Buffer.from(namespace), empty, Buffer.from('sha512'), signature)
  const base64 = Buffer.concat([magic, version, fields]).toString('base64')
  const lines = base64.match(new RegExp(`.{1,${lineLength}}`, 'g')) ?? []
  return [begin, ...lines, end, ''].join('\n')
}

/** The key that signed this message; or, as text, why this is no signature of it. Whether the key is to be trusted is the caller's to say. */
export function signerOf(message: Buffer, namespace: string, armored: string): PublicKey | string {
  const text = armored.trim()
  if (!text.startsWith(begin) || !text.endsWith(end)) return 'no SSH signature'
  const bytes = Buffer.from(text.slice(begin.length, -end.length), 'base64')
  const isKnown = bytes.subarray(0, 6).equals(magic) && bytes.subarray(6, 10).equals(version)
  const fields = isKnown ? readStrings(bytes.subarray(10), ['key', 'namespace', 'reserved', 'hash', 'signature']) : null
  const signature = fields && readStrings(fields['signature'] as Buffer, ['type', 'bytes'])
  if (!fields || !signature) return 'a damaged SSH signature'
  const key = publicKeyFrom(fields['key'] as Buffer)
  const hashName = (fields['hash'] as Buffer).toString()
  if (key === null || signature['type']?.toString() !== 'ssh-ed25519') return 'a signature by a key that is not Ed25519'
  if (fields['namespace']?.toString() !== namespace) return `a signature for ${fields['namespace']?.toString()}`
  if (hashName !== 'sha512' && hashName !== 'sha256') return 'a signature over an unknown hash'
  const isIt = isSignedBy(key, signedBytes(message, namespace, hashName), signature['bytes'] as Buffer)
  return isIt ? key : 'a signature of something else'
}

function signedBytes(message: Buffer, namespace: string, hashName: 'sha512' | 'sha256'): Buffer {
  const digest = Buffer.from(hash(hashName, message, 'hex'), 'hex')
  return Buffer.concat([magic, sshStrings(Buffer.from(namespace), empty, Buffer.from(hashName), digest)])
}
