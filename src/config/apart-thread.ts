/** Thread: loads the configuration, hands it over and ends (apart.ts). */

import { parentPort, workerData } from 'node:worker_threads'
import { loadConfig } from '../config.ts'
import type { ConfigRequest } from '../config.ts'
import { isGleanerError, messageOf } from '../errors.ts'
import type { Loaded } from './apart.ts'
import { packed } from './apart.ts'

parentPort?.postMessage(load(), [])

function load(): Loaded {
  try {
    const request = workerData as Omit<ConfigRequest, 'env'>
    return { kind: 'config', config: packed(loadConfig({ ...request, env: process.env })) }
  } catch (error) {
    // Anything else is a fault of the program: it ends the thread, and is told as it is.
    if (!isGleanerError(error)) throw error
    const { code, operation, subject } = error
    const message = (messageOf(error) ?? '').slice(`${operation} ${subject}: `.length)
    return { kind: 'failure', code, facts: { operation, subject, message } }
  }
}
