/**
 * One simulated run: nodes, files, store and Redis drawn from a seed, trouble for a while, then quiet, then the count.
 */

import { openMemoryFeed } from '../../src/adapters/memory-feed.ts'
import { openMemorySignals } from '../../src/adapters/memory-signals.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { check } from './check.ts'
import { finishExpiring, keepExpired, startExpiring } from './expirer.ts'
import type { Node, Shared } from './node.ts'
import { startNode } from './node.ts'
import type { Random } from './random.ts'
import { openRandom } from './random.ts'
import { epochMs, openScheduler } from './scheduler.ts'
import type { Lies } from './view.ts'
import { openWorld } from './world.ts'
import { openWriter } from './writer.ts'

export interface Scenario {
  nodes: number
  remote: boolean
  redis: boolean
  since: 'now' | 'all'
  troubleMs: number
  storeFaults: number
  redisFaults: number
  freshLies: number
  stickyLies: number
  staleMs: number
  kills: boolean
  wipes: boolean
  rollbacks: boolean
  unmounts: boolean
  sameHeader: boolean
  torn: number
  rotations: boolean
  deletes: boolean
  expires: boolean
  /** No process stays: each node runs `reconcile`, again and again. */
  alone: boolean
  overwrites: boolean
}

export interface Outcome {
  seed: number
  scenario: Scenario
  problems: string[]
  events: number
  /** Bytes archived and records published, so that a run that did nothing is noticed. */
  archived: number
  published: number
}

const quietMs = 45_000
const aloneEvery = 16

/** `forced` overrules what the seed draws. */
export async function simulate(
  seed: number,
  { trace = null, forced = {} }: { trace?: ((line: string) => void) | null; forced?: Partial<Scenario> } = {},
): Promise<Outcome> {
  const random = openRandom(seed)
  const scenario = { ...kindOf(drawScenario(random), seed), ...forced }
  const scheduler = openScheduler(random)
  const clock = scheduler.clock(() => true)
  const world = openWorld(random, () => scheduler.nowMs)
  const kept = keepExpired(openMemoryStore('sim://archive', () => epochMs + scheduler.nowMs))
  const { store } = kept
  const feed = scenario.redis ? openMemoryFeed({ clock }) : null
  const shared: Shared = {
    scheduler,
    random,
    world,
    store,
    expired: kept.expired,
    feed,
    signals: scenario.redis ? openMemorySignals({ clock }) : null,
    storeTrouble: { rate: scenario.storeFaults, away: false },
    redisTrouble: { rate: scenario.redisFaults, away: false },
    remote: scenario.remote,
    since: scenario.since,
    alone: scenario.alone,
    unexpected: [],
    trace,
  }
  trace?.(JSON.stringify(scenario))
  const nodes: Node[] = []
  const lies = Array.from({ length: scenario.nodes }, () => liesOf(scenario))
  for (let id = 0; id < scenario.nodes; id++) nodes.push(startNode(shared, id, lies[id] as Lies))
  tellNodes(shared, { nodes, scenario, lies })
  const writer = openWriter({ world, random, scheduler }, scenario)
  const written = writer.run(scenario.troubleMs)
  makeTrouble(shared, { nodes, scenario, lies, feed })
  if (scenario.expires) startExpiring(shared, scenario.troubleMs)
  await scheduler.runWhile(written, scenario.troubleMs + 60_000)
  const quietFrom = scheduler.nowMs
  shared.storeTrouble.rate = shared.redisTrouble.rate = 0
  shared.storeTrouble.away = shared.redisTrouble.away = false
  for (const one of lies) Object.assign(one, { fresh: 0, errors: 0 })
  if (scenario.expires) finishExpiring(shared, quietMs)
  await scheduler.runUntil(quietFrom + quietMs)
  const found = await check({ world, store, feed, nodes, scenario, shared })
  for (const node of trace ? nodes : []) {
    for (const entry of node.worker.entries.all())
      trace?.(
        `n${node.id} ${JSON.stringify(entry, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`,
      )
  }
  for (const node of nodes) node.kill()
  const problems = [
    ...shared.unexpected.map((error) => `unexpected: ${String((error as Error)?.stack ?? error)}`),
    ...found.problems,
    ...kept.again.map((key) => `${key} had expired, and was collected again`),
  ]
  return { seed, scenario, problems, events: scheduler.fired, archived: found.archived, published: found.published }
}

function kindOf(drawn: Scenario, seed: number): Scenario {
  if (seed % aloneEvery !== 0) return drawn
  return { ...drawn, alone: true, overwrites: isSafe(drawn) }
}

function drawScenario(random: Random): Scenario {
  const remote = random.chance(0.7)
  const calm = random.chance(0.15)
  const storeFaults = calm ? 0 : random.pick([0, 0.02, 0.1, 0.25])
  const drawn: Scenario = {
    nodes: 1 + random.int(3),
    remote,
    redis: random.chance(0.92),
    since: random.chance(0.75) ? 'all' : 'now',
    troubleMs: 12_000 + random.int(22_000),
    storeFaults,
    redisFaults: calm ? 0 : random.pick([0, 0.01, 0.05, 0.15]),
    freshLies: remote && !calm ? random.pick([0, 0.1, 0.5]) : 0,
    stickyLies: remote && !calm && random.chance(0.3) ? 0.1 : 0,
    staleMs: remote ? random.pick([0, 100, 1000, 3000]) : 0,
    kills: !calm && random.chance(0.6),
    wipes: !calm && random.chance(0.2),
    rollbacks: !calm && random.chance(0.1),
    unmounts: !calm && random.chance(0.3),
    sameHeader: random.chance(0.4),
    torn: random.pick([0, 0.2, 0.6]),
    rotations: random.chance(0.8),
    deletes: random.chance(0.3) && storeFaults <= 0.1,
    expires: random.chance(0.5),
    alone: false,
    overwrites: false,
  }
  return { ...drawn, deletes: drawn.deletes && isSafe(drawn) }
}

/** Killed again and again beside a failing store, no collector need get to a file before it is deleted. */
function isSafe({ storeFaults, kills }: Scenario): boolean {
  return storeFaults <= 0.1 && !(kills && storeFaults > 0.02)
}

function liesOf(scenario: Scenario): Lies {
  return {
    staleMs: scenario.staleMs,
    fresh: scenario.freshLies,
    freshMs: 180,
    sticky: [],
    errors: scenario.remote ? 0.02 : 0.005,
  }
}

/** Inotify reports what its own kernel changed, most of the time; and a write is where a lie begins. */
function tellNodes(
  shared: Shared,
  { nodes, scenario, lies }: { nodes: Node[]; scenario: Scenario; lies: Lies[] },
): void {
  const { world, random, scheduler } = shared
  const before = new Map<number, number>()
  world.onChange((path, writer) => {
    shared.trace?.(
      `${String(Math.floor(scheduler.nowMs)).padStart(7)} n${writer} wrote ${path} ${world.inode(path)?.size ?? 'gone'} stream ${world.inode(path)?.stream.id ?? ''}`,
    )
    for (const node of nodes) {
      const hears = !scenario.remote || node.id === writer
      if (hears && random.chance(0.97)) scheduler.after(random.next(), () => nodes[node.id]?.changed(path))
      else if (hears) scheduler.after(random.next() * 50, () => nodes[node.id]?.overflow())
    }
    const inode = world.inode(path)
    if (!inode) return
    const from = before.get(inode.id) ?? 0
    before.set(inode.id, inode.size)
    for (const [id, one] of lies.entries()) {
      if (id === writer || inode.size <= from || !random.chance(scenario.stickyLies)) continue
      const kind = from >= 4096 && random.chance(0.6) ? 'later' : 'nul'
      one.sticky.push({
        inode: inode.id,
        start: from,
        end: inode.size,
        kind,
        untilMs: scheduler.nowMs + random.next() * 3500,
      })
    }
  })
}

function makeTrouble(
  shared: Shared,
  {
    nodes,
    scenario,
    lies,
    feed,
  }: { nodes: Node[]; scenario: Scenario; lies: Lies[]; feed: ReturnType<typeof openMemoryFeed> | null },
): void {
  const { random, scheduler } = shared
  const between = (work: () => void, everyMs: number): void => {
    for (let at = random.next() * everyMs; at < scenario.troubleMs; at += random.next() * 2 * everyMs)
      scheduler.after(at, work)
  }
  const restart = (id: number): void => {
    nodes[id]?.kill()
    scheduler.after(random.next() * 3000, () => {
      nodes[id]?.kill()
      nodes[id] = startNode(shared, id, lies[id] as Lies)
      shared.trace?.(`${Math.floor(scheduler.nowMs)} n${id} started`)
    })
  }
  const awayFor = (what: { away: boolean }, ms: number): void => {
    what.away = true
    scheduler.after(ms, () => {
      what.away = false
    })
  }
  if (scenario.kills) between(() => restart(random.int(scenario.nodes)), 5000)
  if (scenario.storeFaults > 0) between(() => awayFor(shared.storeTrouble, random.next() * 4000), 15_000)
  if (scenario.redisFaults > 0) between(() => awayFor(shared.redisTrouble, random.next() * 4000), 15_000)
  if (scenario.unmounts) {
    between(() => {
      const node = nodes[random.int(scenario.nodes)]
      if (!node) return
      node.isUp = false
      scheduler.after(random.next() * 4000, () => {
        node.isUp = true
      })
    }, 12_000)
  }
  if (feed && scenario.wipes) {
    between(() => {
      shared.trace?.(`${Math.floor(scheduler.nowMs)} Redis wiped`)
      feed.wipe()
    }, 12_000)
  }
  if (feed && scenario.rollbacks) {
    between(() => {
      const snapshot = feed.snapshot()
      scheduler.after(random.next() * 800, () => {
        shared.trace?.(`${Math.floor(scheduler.nowMs)} Redis went back`)
        feed.restore(snapshot)
      })
    }, 10_000)
  }
}
