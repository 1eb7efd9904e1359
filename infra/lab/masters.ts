/** Those who write the files that are collected, and one who reads them without care, as processes of a node. */

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Process } from '../../test/support/process.ts'
import type { LabNode } from './filesystem.ts'

export interface Masters {
  /** A batch system's master there; resolves when it writes. */
  append(node: LabNode, writer: WriterOptions): Promise<Writer>
  /** One that rotates in all ways; what it wrote is told in `truth`. Resolves when it writes. */
  rotate(node: LabNode, rate: number, truth: string): Promise<Process>
  /** Reads a file there and believes it, until its end: how many reads there were, and how many were not what the file holds then. */
  trust(
    node: LabNode,
    file: string,
  ): Promise<{ end(): Promise<{ reads: number; nuls: number; wrong: number; short: number }> }>
}

export interface WriterOptions {
  /** Records a second, each with this name. */
  rate: number
  name: string
  /** Default: `lsb.acct` in the collected directory. */
  file?: string
  directory?: string
  /** Each through a descriptor of its own (default), all through one, or many at once. */
  how?: 'reopened' | 'held' | 'bursts'
}

export interface Writer {
  /** Ends it; how many records it wrote, and how many it could not. */
  end(): Promise<{ lines: number; failed: number }>
}

const appender = fileURLToPath(new URL('append.ts', import.meta.url))
const reader = fileURLToPath(new URL('reader.ts', import.meta.url))
const rotator = fileURLToPath(new URL('../../test/support/writer.ts', import.meta.url))
const rotateEveryMs = 4000

export function mastersOf(spawn: (node: LabNode, args: string[]) => Process, at: (node: LabNode) => string): Masters {
  return {
    async append(node, { rate, name, file = 'lsb.acct', directory = at(node), how = 'reopened' }) {
      const writer = spawn(node, [appender, join(directory, file), String(rate), name, how])
      await writer.said('writing')
      return { end: () => endOf(writer) }
    },
    async trust(node, file) {
      const reading = spawn(node, [reader, join(at(node), file)])
      await reading.said('reading')
      return { end: () => endOf(reading) }
    },
    async rotate(node, rate, truth) {
      const writer = spawn(node, [rotator, at(node), truth, String(rate), String(rotateEveryMs)])
      const files = () => node.files(join(at(node), 'logdir')).catch(() => new Map<string, Buffer>())
      while (!(await files()).has('acct')) await delay(100)
      return writer
    },
  }
}

async function endOf<Told>(one: Process): Promise<Told> {
  one.kill('SIGTERM')
  const status = await one.ended
  if (status !== 0) throw new Error(`it ended with ${status}: ${await one.stderr()}`)
  return JSON.parse(await one.stdout()) as Told
}
