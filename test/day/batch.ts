/**
 * The batch systems of the day, as a process of its own: `node batch.ts PLAN CLUSTER1 CLUSTER2`
 *
 * PLAN is the day as JSON. Four of five records go to CLUSTER1/lsb.acct, the others to CLUSTER2/lsb.acct, each opened, appended to and closed
 * for one record, as LSF's master does. It rotates as LSF does: lsb.acct is copied to lsb.acct.0, unlinked and made anew; then each
 * lsb.acct.N becomes N+1, the oldest first. No file is ever removed before its bytes are in another one.
 *
 * It says `writing` on stderr when the day begins. When it is over it prints `{beganMs, lines, files}`: what each file's content was, as the
 * numbers of its jobs, from which each line can be made again.
 */

import { copyFileSync, appendFileSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { lsfLine } from '../support/lsf-lines.ts'
import { clusterOf } from './truth.ts'
import type { Written, WrittenFile } from './truth.ts'
import type { Day } from './plan.ts'
import { recordsBy } from './plan.ts'

const [plan = '', ...directories] = process.argv.slice(2)
const day = JSON.parse(plan) as Day
const tickMs = 5

const files: WrittenFile[] = []
let from = 0
let lines = 0
for (const directory of directories) writeFileSync(join(directory, 'lsb.acct'), '')

process.stderr.write('writing\n')
const beganMs = Date.now()
const rotationsMs = [...day.rotationsMs]
while (lines < day.records) {
  const nowMs = Date.now() - beganMs
  if (nowMs >= (rotationsMs[0] ?? day.endMs)) {
    rotationsMs.shift()
    close()
    for (const directory of directories) await rotate(directory)
  }
  for (const due = recordsBy(day, Date.now() - beganMs); lines < due; lines++)
    appendFileSync(join(directories[clusterOf(lines)] ?? '', 'lsb.acct'), lsfLine(lines))
  await delay(tickMs)
}
close()
process.stdout.write(`${JSON.stringify({ beganMs, lines, files } satisfies Written)}\n`)

function close(): void {
  for (const cluster of directories.keys()) files.push({ cluster, from, to: lines })
  from = lines
}

async function rotate(directory: string): Promise<void> {
  const active = join(directory, 'lsb.acct')
  copyFileSync(active, `${active}.0`)
  unlinkSync(active)
  // Others see what lies between.
  await delay(tickMs)
  writeFileSync(active, '')
  const rotated = readdirSync(directory).flatMap((name) => /^lsb\.acct\.(\d+)$/.exec(name)?.[1] ?? [])
  for (const number of rotated.map(Number).sort((a, b) => b - a))
    renameSync(`${active}.${number}`, `${active}.${number + 1}`)
}
