/**
 * A reader without any care, as a process of its own: `node reader.ts FILE`
 *
 * Polls the file, each time with a new descriptor, and believes what it is given up to the size it is told. On SIGTERM it reads the file once
 * more and prints how many of its reads were lies: `{reads, nuls, wrong, short}`. What it shows is what a collector would take in.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const [file = ''] = process.argv.slice(2)
const pollMs = 1
const keptMax = 256 * 1024 * 1024
const kept: { start: number; bytes: Buffer }[] = []
const found = { reads: 0, nuls: 0, wrong: 0, short: 0 }
const stopping = new AbortController()
process.on('SIGTERM', () => stopping.abort())

process.stderr.write('reading\n')
let at = 0
while (!stopping.signal.aborted && at < keptMax) {
  at = readOnce(at)
  await delay(pollMs)
}
const final = openSync(file, 'r')
for (const { start, bytes } of kept) {
  const truth = Buffer.alloc(bytes.length)
  const length = readSync(final, truth, 0, bytes.length, start)
  if (truth.subarray(0, length).equals(bytes)) continue
  if (bytes.includes(0)) found.nuls++
  else found.wrong++
}
process.stdout.write(`${JSON.stringify(found)}\n`)

/** Reads what is new since `from`, and returns how far. */
function readOnce(from: number): number {
  try {
    const descriptor = openSync(file, 'r')
    const { size } = fstatSync(descriptor)
    const bytes = Buffer.alloc(Math.max(0, size - from))
    const length = bytes.length === 0 ? 0 : readSync(descriptor, bytes, 0, bytes.length, from)
    closeSync(descriptor)
    if (bytes.length === 0) return from
    found.reads++
    if (length < bytes.length) found.short++
    kept.push({ start: from, bytes: bytes.subarray(0, length) })
    return from + length
  } catch {
    return from
  }
}
