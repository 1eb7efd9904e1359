/** Durations and sizes as batch systems write them; null for what is none. */

const clock = /^(?:(\d{1,9})-)?(?:(?:(\d{1,9}):)?(\d{1,9}):)?(\d{1,15}(?:\.\d{1,9})?)$/

/** `[D-]HH:MM:SS`, `MM:SS.mmm` or plain seconds → seconds. Hours have no bound: `800:00:00` is a month. */
export function secondsOf(text: string | null): number | null {
  const match = text === null ? null : clock.exec(text)
  if (!match) return null
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = match
  // In `1-02` Slurm means hours; it is what a limit looks like, never a time used.
  if (match[1] !== undefined && match[2] === undefined) return null
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

const size = /^(\d{1,15}(?:\.\d{1,9})?)([KMGTPE]?)(?:i?[bB])?$/i
const powers = ['', 'K', 'M', 'G', 'T', 'P', 'E']

/** `123kb`, `12.27M`, `10gb`, `512`: bytes, a kilobyte of 1024. */
export function bytesOf(text: string | null): number | null {
  const match = text === null ? null : size.exec(text)
  if (!match) return null
  const bytes = Math.round(Number(match[1]) * 1024 ** powers.indexOf((match[2] ?? '').toUpperCase()))
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** A whole number of at least 0 that a double holds. */
export function countOf(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** Seconds since 1970 → ms; null also for 0, which stands for "never". */
export function epochMs(text: string | null): number | null {
  const seconds = text !== null && /^\d{1,11}(?:\.\d{1,9})?$/.test(text) ? Number(text) : 0
  return seconds > 0 ? Math.round(seconds * 1000) : null
}

/** From one time to a later one, in seconds; null where either is missing or they are the wrong way round. */
export function secondsBetween(from: number | null, to: number | null): number | null {
  return from === null || to === null || to < from ? null : (to - from) / 1000
}
