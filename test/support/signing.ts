import { generateKeyPairSync } from 'node:crypto'
import type { SigningKey } from '../../src/core/ssh-key.ts'
import { readSigningKey } from '../../src/core/ssh-key.ts'

/** A new Ed25519 key, as a file holds it and as it is used. */
export function newSigningKey(): { pem: string; key: SigningKey } {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  const key = readSigningKey(pem)
  if (typeof key === 'string') throw new Error(key)
  return { pem, key }
}
