/**
 * Civil time in an IANA zone → UTC. Batch systems write local times without an offset, so one hour a year stands for two instants, and
 * one never was:
 *
 *     the clock showed it once     that instant
 *     the clock showed it twice    the earlier instant, `ambiguous`
 *     the clock skipped it         as far after the skip as it says (02:30 in a skip from 02:00 to 03:00 is 03:30), `ambiguous`
 *
 * The rules of a zone come from the runtime's own database, through Temporal. Between two changes of a zone's offset the sum is one
 * subtraction, so such a stretch is looked up once and kept: few zones, few stretches each.
 */

import { LruMap } from '../core/lru.ts'
import { formatRfc3339 } from '../core/rfc3339.ts'

export interface Instant {
  /** Milliseconds since 1970. */
  ms: number
  ambiguous: boolean
}

/** From `from` to `to`, exclusive, the clock showed every time once, `offset` ahead of UTC; civil ms. */
interface Stretch {
  from: number
  to: number
  offset: number
}

const zonesMax = 32
const stretchesMax = 32
const zones = new LruMap<string, Stretch[]>(zonesMax)

/** `civil`: the time shown, in ms since 1970 as if it were UTC. Null where the zone is not known. */
export function instantOf(civil: number, zone: string): Instant | null {
  const known = zones.get(zone)
  const stretch = known?.find(({ from, to }) => civil >= from && civil < to)
  if (stretch) return { ms: civil - stretch.offset, ambiguous: false }
  try {
    return lookUp(civil, zone, known ?? [])
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** What `Parsed` says of a time that was written without a zone. */
export interface ZonedText {
  time: string
  local?: { text: string; zone: string; ambiguous: boolean }
}

/** The time of `text`, which shows `civil`; none without a zone or with one that is not known. */
export function zonedText(text: string, civil: number, zone: string | undefined): ZonedText {
  const instant = zone === undefined ? null : instantOf(civil, zone)
  if (zone === undefined || instant === null || !isWritable(instant.ms)) return { time: '' }
  return { time: formatRfc3339(instant.ms), local: { text, zone, ambiguous: instant.ambiguous } }
}

/** Years 1 to 9999: what RFC 3339 and every database hold. */
function isWritable(ms: number): boolean {
  return ms >= -62_135_596_800_000 && ms < 253_402_300_800_000
}

/** Throws RangeError for a zone that is not known and for a time beyond what Temporal counts. */
function lookUp(civil: number, zone: string, known: Stretch[]): Instant {
  const shown = Temporal.Instant.fromEpochMilliseconds(civil).toZonedDateTimeISO('UTC').toPlainDateTime()
  const earlier = shown.toZonedDateTime(zone, { disambiguation: 'earlier' })
  const later = shown.toZonedDateTime(zone, { disambiguation: 'later' })
  if (earlier.epochMilliseconds !== later.epochMilliseconds) {
    const isTwice = earlier.toPlainDateTime().equals(shown)
    return { ms: (isTwice ? earlier : later).epochMilliseconds, ambiguous: true }
  }
  zones.set(zone, [stretchAround(earlier), ...known].slice(0, stretchesMax))
  return { ms: earlier.epochMilliseconds, ambiguous: false }
}

function stretchAround(time: Temporal.ZonedDateTime): Stretch {
  const offset = offsetOf(time)
  const began = time.add({ milliseconds: 1 }).getTimeZoneTransition('previous')
  const ends = time.getTimeZoneTransition('next')
  return {
    from: began ? began.epochMilliseconds + Math.max(offset, offsetOf(began.subtract({ milliseconds: 1 }))) : -Infinity,
    to: ends ? ends.epochMilliseconds + Math.min(offset, offsetOf(ends)) : Infinity,
    offset,
  }
}

function offsetOf(time: Temporal.ZonedDateTime): number {
  return time.offsetNanoseconds / 1_000_000
}
