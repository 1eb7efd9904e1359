/** What the day has shown, for a person. */

import { table } from '../bench/measure.ts'
import { names } from './judge.ts'
import type { Day } from './plan.ts'
import { hourOf } from './plan.ts'
import type { Played } from './play.ts'

export function textOf(day: Day, played: Played): string {
  const { counts, tellings, told, problems, troubles, seconds, snapshots, caughtUpMs } = played
  const rows = told.map(({ incident, by, saidAfterMs, clearedAfterMs }) => ({
    incident: incident.what,
    away: `${hourOf(day, incident.fromMs)} to ${hourOf(day, incident.toMs)}`,
    'told by': by === 'page' ? 'page' : names[incident.what].alert,
    'told after': lasted(day, saidAfterMs),
    'cleared after': lasted(day, clearedAfterMs),
  }))
  const lines = counts.map(({ root, written, archived, published, sources }) => ({
    root,
    written,
    archived,
    published,
    sources,
  }))
  return [
    `A day at ${day.records} records, ${day.speed} times as fast: ${seconds} s, ${snapshots} snapshots of the page`,
    table(rows),
    table(lines),
    `after the last line all were published in ${caughtUpMs} ms; troubles shown: ${troubles.join(', ') || 'none'}`,
    ...(problems.length === 0
      ? []
      : [
          table(
            tellings.map(({ by, of, away, atMs }) => ({
              at: hourOf(day, atMs),
              ms: atMs,
              by,
              of,
              is: away ? 'away' : 'back',
            })),
          ),
        ]),
    problems.length === 0 ? 'all told, in order, and cleared; every count exact' : `PROBLEMS\n${problems.join('\n')}`,
    '',
  ].join('\n\n')
}

/** `4.2 s (7.0 min of the day)`: real, and played. */
function lasted({ pace }: Day, ms: number): string {
  return `${(ms / 1000).toFixed(1)} s (${((ms * pace) / 60_000).toFixed(1)} min)`
}
