/**
 * The day that is played: how many records there are by when, when the files are rotated, and what goes wrong when. Times of the day are
 * ms since its midnight; dividing by the speed makes them real.
 *
 *     records   follow a curve: few at night, nine times as many at noon
 *     rotation  seven times, three of them in the middle of an incident
 *     incident  something is taken away for ten minutes, and comes back
 *
 * Up to 100 times as fast, everything that lasts is divided alike: an incident's ten minutes are six seconds then. A faster day is only a
 * shorter one: what lasts stays as it is at 100, since status page and processes would hardly hear of less.
 */

const minuteMs = 60_000
const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

const incidentMs = 10 * minuteMs
const fastest = 100

export type What = 'redis' | 'store' | 'root'

export interface Incident {
  what: What
  /** From when it is away, and until when: ms of real time since the day began. */
  fromMs: number
  toMs: number
}

export interface Day {
  speed: number
  records: number
  /** What lasts is divided by this. */
  pace: number
  /** Real ms since the day began. */
  endMs: number
  rotationsMs: number[]
  incidents: Incident[]
}

export function planDay({ speed, records }: { speed: number; records: number }): Day {
  const pace = Math.min(speed, fastest)
  const lastsMs = incidentMs / pace
  const begin = { redis: 6, store: 12, root: 18 }
  const incidents = Object.entries(begin).map(([what, hour]): Incident => {
    const fromMs = (hour * hourMs) / speed
    return { what: what as What, fromMs, toMs: fromMs + lastsMs }
  })
  const within = incidents.map(({ fromMs, toMs }) => (fromMs + toMs) / 2)
  const rotationsMs = [...[3, 9, 15, 21].map((hour) => (hour * hourMs) / speed), ...within].sort((a, b) => a - b)
  return { speed, records, pace, endMs: dayMs / speed, rotationsMs, incidents }
}

/** How many records the batch system has written after so much real time. */
export function recordsBy({ speed, records, endMs }: Day, realMs: number): number {
  if (realMs >= endMs) return records
  const share = Math.max(0, (realMs * speed) / dayMs)
  const depth = 0.8
  return Math.floor(records * (share - (depth / (2 * Math.PI)) * Math.sin(2 * Math.PI * share)))
}

/** A time of the day, from real time since it began: `06:10`. */
export function hourOf({ speed }: Day, realMs: number): string {
  const minutes = Math.floor((realMs * speed) / minuteMs)
  return [minutes / 60, minutes % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':')
}
