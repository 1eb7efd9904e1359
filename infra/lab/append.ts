/**
 * A batch system's master, as a process of its own: `node append.ts FILE LINES_PER_SECOND NAME [held]`
 *
 * Appends LSF-like records, each with a number of its own, one open-append-close per record as LSF does (`held`: one descriptor for all, as PBS
 * does). On SIGTERM it prints how many it wrote. A write that fails is tried again with a new record; the number is not used twice.
 */

import { appendFileSync, openSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const [file = '', rate = '35', name = 'x', how = 'reopened'] = process.argv.slice(2)
const descriptor = how === 'held' ? openSync(file, 'a') : null
let [lines, failed] = [0, 0]
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ lines, failed })}\n`)
  process.exit(0)
})

const began = performance.now()
for (let number = 0; ; ) {
  while (number < ((performance.now() - began) * Number(rate)) / 1000) {
    const line = recordOf(number++)
    try {
      if (descriptor === null) appendFileSync(file, line)
      else writeSync(descriptor, line)
      lines++
    } catch {
      failed++
    }
  }
  await delay(5)
}

function recordOf(number: number): string {
  const seconds = Math.floor(Date.now() / 1000)
  const command = 'x'.repeat((number * 37) % 300)
  return `"JOB_FINISH" "10.1" ${seconds} ${number} "${name}" ${Date.now()} "${command}"\n`
}
