/**
 * What was told by whom, against what happened: each incident once, in order, and nothing else. Tellings come in the order of their times.
 */

import type { Day, Incident, What } from './plan.ts'

export interface Telling {
  by: 'page' | 'alert'
  /** What is said to be away; a name of its own for what the day does not have. */
  of: string
  away: boolean
  /** Real ms since the day began. */
  atMs: number
}

/** What the page and the alerts call it. */
export const names: Record<What, { page: string; alert: string }> = {
  redis: { page: 'redis', alert: 'GleanerRedisDown' },
  store: { page: 'store', alert: 'GleanerStoreDown' },
  root: { page: 'root cluster1', alert: 'GleanerRootDown' },
}

/**
 * What else may be said of an incident while it lasts and for twenty minutes after, and proves nothing: whether a tenth of an operation's requests
 * failed over five minutes hangs on which were made, and a program that waits seconds between two tries makes few in a played minute.
 */
const besides: Partial<Record<What, string>> = { store: 'GleanerStoreFails' }
const besidesMs = 20 * 60_000

export interface Told {
  incident: Incident
  by: Telling['by']
  /** After it went, and after it came back, real ms. */
  saidAfterMs: number
  clearedAfterMs: number
}

export function judge({ incidents, pace }: Day, tellings: readonly Telling[]): { told: Told[]; problems: string[] } {
  const told: Told[] = []
  const problems: string[] = []
  for (const by of ['page', 'alert'] as const) {
    const said = tellings.filter(
      (one) => one.by === by && !incidents.some((incident) => isBesides(one, incident, pace)),
    )
    const expected = incidents.flatMap(({ what }) => [`${names[what][by]} away`, `${names[what][by]} back`])
    const heard = said.map(({ of, away }) => `${of} ${away ? 'away' : 'back'}`)
    if (heard.join() !== expected.join()) {
      problems.push(`${by}: expected ${expected.join(', ')}; told were ${heard.join(', ') || 'none'}`)
      continue
    }
    for (const [index, incident] of incidents.entries()) {
      const [away, back] = [said[2 * index]?.atMs ?? Number.NaN, said[2 * index + 1]?.atMs ?? Number.NaN]
      const one = { incident, by, saidAfterMs: away - incident.fromMs, clearedAfterMs: back - incident.toMs }
      if (one.saidAfterMs < 0) problems.push(`${by}: ${incident.what} was told before it went`)
      if (one.clearedAfterMs < 0) problems.push(`${by}: ${incident.what} was cleared before it came back`)
      told.push(one)
    }
  }
  return { told, problems }
}

function isBesides({ of, atMs }: Telling, { what, fromMs, toMs }: Incident, pace: number): boolean {
  return of === besides[what] && atMs >= fromMs && atMs <= toMs + besidesMs / pace
}

/** What changed from one set of names to the next. */
export function changes(before: ReadonlySet<string>, after: ReadonlySet<string>): { of: string; away: boolean }[] {
  return [
    ...[...before].filter((of) => !after.has(of)).map((of) => ({ of, away: false })),
    ...[...after].filter((of) => !before.has(of)).map((of) => ({ of, away: true })),
  ]
}
