/**
 * Three real processes on the same files, killed at random while a writer appends 3,000 lines a second and rotates in three ways; then
 * everything is counted. See test/support/writer.ts for what is written and test/support/lines.ts for how it is counted.
 *
 * GLEANER_E2E_SECONDS and GLEANER_E2E_KILLS make the runs longer, GLEANER_E2E_SEED repeats the choices of one. A failing run's
 * directory stays, with every process's log.
 */

import test from 'ava'
import type { ExecutionContext } from 'ava'
import { setTimeout as delay } from 'node:timers/promises'
import { labRoot, openLab } from '../support/lab.ts'
import type { Lab, LabOptions } from '../support/lab.ts'
import { seeded } from '../support/seeded.ts'
import { countArchive, countStream, readStream, readTruth } from '../support/lines.ts'
import type { ArchivedSource, Counted } from '../support/lines.ts'

const linesPerSecond = 3000
const seconds = Number(process.env['GLEANER_E2E_SECONDS'] ?? 20)
const kills = Number(process.env['GLEANER_E2E_KILLS'] ?? 40)
const seed = Number(process.env['GLEANER_E2E_SEED'] ?? Date.now() % 100_000)

interface Run extends LabOptions {
  kills: number
  /** What happens besides, at shares of the time from 0 to 1. */
  events?: { at: number; run: (lab: Lab) => Promise<unknown> }[]
  check: (t: ExecutionContext, lab: Lab, counted: Counted) => Promise<void>
}

const killed = (run: Run) => async (t: ExecutionContext) => {
  t.timeout(10 * 60_000)
  const lab = await openLab(run)
  let passed = false
  try {
    await lab.start()
    t.log(`seed ${seed}; ${await disturb(lab, run)}`)
    await drain(t, lab)
    const counted = countArchive(await readTruth(lab.truth), await lab.readArchive())
    t.log(`${counted.written} lines written, ${counted.archived} archived, ${counted.sources.size} sources`)
    t.deepEqual(counted.problems.slice(0, 20), [])
    await run.check(t, lab, counted)
    passed = true
  } finally {
    if (!passed) t.log(`kept: ${lab.dir}`)
    await lab.close({ keep: !passed })
  }
}

test.serial(
  '40 kills, Redis killed and restarted with its data twice: each line once in the archive and in the stream',
  killed({
    kills,
    events: [
      { at: 0.3, run: (lab) => lab.redis.restart({ keepData: true }) },
      { at: 0.7, run: (lab) => lab.redis.restart({ keepData: true }) },
    ],
    async check(t, lab, counted) {
      const entries = await readStream(lab.client, labRoot)
      t.log(`${entries.length} entries in the stream`)
      t.deepEqual(countStream(entries, counted).slice(0, 20), [])
      t.is(entries.length, counted.written)
    },
  }),
)

test.serial(
  'kills, FLUSHALL once and a Redis that lost its data: the archive is exact, and the last history has no gap',
  killed({
    kills: Math.ceil(kills / 2),
    events: [
      { at: 0.35, run: (lab) => lab.client.flushall() },
      { at: 0.7, run: (lab) => lab.redis.restart({ keepData: false }) },
    ],
    async check(t, lab, counted) {
      const entries = await readStream(lab.client, labRoot)
      const floorMs = Number(await lab.client.hget(`{gleaner:${labRoot}}:epoch`, 'floor'))
      t.log(`${entries.length} entries in the last history`)
      t.true(entries.length > 0)
      t.deepEqual(countStream(entries, counted, { begins: (source) => floorOf(source, floorMs) }).slice(0, 20), [])
    },
  }),
)

test.serial(
  '20 kills, files that other machines may write, an S3 that fails at 3 % of the requests: each line once',
  killed({
    kills: Math.ceil(kills / 2),
    s3FaultRate: 0.03,
    root: { remote: true },
    async check(t, lab, counted) {
      const entries = await readStream(lab.client, labRoot)
      t.log(`${entries.length} entries in the stream`)
      t.deepEqual(countStream(entries, counted).slice(0, 20), [])
      t.is(entries.length, counted.written)
    },
  }),
)

/** Writes, kills and restarts for the time given; says what it did. */
async function disturb(lab: Lab, run: Run): Promise<string> {
  const random = seeded(seed)
  const writer = lab.startWriter(linesPerSecond, 1500)
  const beganMs = performance.now()
  const until = (share: number): Promise<unknown> =>
    delay(Math.max(0, beganMs + share * seconds * 1000 - performance.now()))
  const events = (run.events ?? []).map(async ({ at, run: happen }) => {
    await until(at)
    await happen(lab)
  })
  for (let n = 1; n <= run.kills; n++) {
    await until((n - random()) / run.kills)
    const one = Math.floor(random() * lab.nodes.length)
    // Now and then all at once, long enough for a rotation that nobody sees.
    const isAll = n % 10 === 5
    const nodes = isAll ? lab.nodes : lab.nodes.slice(one, one + 1)
    // Half of them while they work, the others wherever they are, also in their start.
    if (n % 2 === 0) await Promise.all(nodes.map(async (node) => node.process?.said('"running"')))
    await Promise.all(nodes.map((node) => lab.killOne(node, isAll ? 1000 : random() * 300)))
  }
  await Promise.all([...events, until(1)])
  writer.kill('SIGTERM')
  await writer.ended
  return `${run.kills} kills, ${await writer.stdout()}`.trim()
}

/** SIGTERM for all, then what they left: one pass by a process of its own. */
async function drain(t: ExecutionContext, lab: Lab): Promise<void> {
  for (const { process } of lab.nodes) process?.kill('SIGTERM')
  const statuses = await Promise.all(lab.nodes.map(async ({ process }) => process?.ended))
  t.log(`the nodes ended with ${statuses.join(', ')}`)
  const { status, stdout, stderr } = await lab.gleaner('--json', 'reconcile')
  t.log(`reconcile: ${stdout.trim()}`)
  t.is(status, 0, stderr)
  const verified = await lab.gleaner('--json', 'verify')
  t.is(verified.status, 0, verified.stdout + verified.stderr)
  const { damaged, missing, different } = JSON.parse(verified.stdout) as Record<string, unknown[]>
  t.deepEqual({ damaged, missing, different }, { damaged: [], missing: [], different: [] })
}

/** Where a new history begins in a source: at the end of its last segment that was stored by then. */
function floorOf({ segments }: ArchivedSource, floorMs: number): number {
  return segments.findLast(({ storedAtMs }) => storedAtMs <= floorMs)?.end ?? 0
}
