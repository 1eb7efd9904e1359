/**
 * The configuration, loaded in a thread that ends when it has been: the YAML reader and the schema are a third of what a collector would
 * otherwise keep in memory, for a file that it reads once. What comes back is what `loadConfig` gives, or throws.
 */

import { Worker } from 'node:worker_threads'
import type { ConfigRequest } from '../config.ts'
import { GleanerError } from '../errors.ts'
import type { ErrorCode, ErrorFacts } from '../errors.ts'
import type { Config } from './model.ts'
import { Secret } from './secret.ts'

/** thread → main, once. An error object would lose its class on the way, and a Secret its text. */
export type Loaded =
  | { kind: 'config'; config: unknown }
  | { kind: 'failure'; code: ErrorCode; facts: Pick<ErrorFacts, 'operation' | 'subject' | 'message'> }

/** Rejects with what `loadConfig` throws. */
export async function loadConfigApart(request: ConfigRequest): Promise<Config> {
  const { env, ...rest } = request
  const loaded = await loadedBy(
    new Worker(new URL('./apart-thread.ts', import.meta.url), { name: 'config', workerData: rest, env }),
  )
  if (loaded.kind === 'failure') throw new GleanerError(loaded.code, loaded.facts)
  return unpacked(loaded.config) as Config
}

function loadedBy(worker: Worker): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the thread that reads the configuration ended without a word')))
  })
}

/** A configuration as it crosses: each secret as bytes, which nothing else in it is. */
export function packed(value: unknown): unknown {
  if (value instanceof Secret) return new TextEncoder().encode(value.reveal())
  return mapped(value, packed)
}

/** Frozen, as a configuration is. */
function unpacked(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Secret(new TextDecoder('utf-8', { ignoreBOM: true }).decode(value))
  return Object.freeze(mapped(value, unpacked))
}

function mapped(value: unknown, map: (inner: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(map)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, map(inner)]))
}
