/**
 * A batch system's master, as a process of its own: `node append.ts FILE LINES_PER_SECOND NAME [reopened|held|bursts]`
 *
 * Appends LSF-like records, each with a number of its own: with one open-append-close per record as LSF does (`reopened`), through one descriptor
 * as PBS does (`held`), or many records at once now and then, so that a client sends them in pieces (`bursts`). It says on stderr that it writes,
 * and prints on SIGTERM how many it wrote. A write that fails is tried again with new records; a number is not used twice.
 */

import { appendFileSync, openSync, writeSync } from 'node:fs'
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises'

const [file = '', rate = '35', name = 'x', how = 'reopened'] = process.argv.slice(2)
const descriptor = how === 'held' ? openSync(file, 'a') : null
const [tickMs, recordsAtOnce] = how === 'bursts' ? [100, Number.POSITIVE_INFINITY] : [5, 1]
let [lines, failed] = [0, 0]
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ lines, failed })}\n`)
  process.exit(0)
})

process.stderr.write('writing\n')
const began = performance.now()
for (let number = 0; ; ) {
  const until = due()
  while (number < until) {
    const some: string[] = []
    while (some.length < recordsAtOnce && number < until) some.push(recordOf(number++))
    try {
      if (descriptor === null) appendFileSync(file, some.join(''))
      else writeSync(descriptor, some.join(''))
      lines += some.length
    } catch {
      failed += some.length
    }
    // A signal is heard also where it cannot keep up.
    await immediate()
  }
  await delay(tickMs)
}

function due(): number {
  return ((performance.now() - began) * Number(rate)) / 1000
}

function recordOf(number: number): string {
  const seconds = Math.floor(Date.now() / 1000)
  const command = 'x'.repeat((number * 37) % 300)
  return `"JOB_FINISH" "10.1" ${seconds} ${number} "${name}" ${Date.now()} "${command}"\n`
}
