/**
 * Durations and sizes as a configuration writes them. A unit is always required: `60` alone could be seconds or
 * milliseconds, so it is refused. Only whole numbers, at most 12 digits.
 *
 *   duration: ms s m h d                      → milliseconds
 *   size:     B KB MB GB TB KiB MiB GiB TiB   → bytes (KB is 1000, KiB is 1024)
 */

const durationUnits: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

const sizeUnits: Record<string, number> = {
  TiB: 1024 ** 4,
  TB: 1e12,
  GiB: 1024 ** 3,
  GB: 1e9,
  MiB: 1024 ** 2,
  MB: 1e6,
  KiB: 1024,
  KB: 1000,
  B: 1,
}

export const durationPattern = /^[0-9]{1,12}(ms|s|m|h|d)$/
export const sizePattern = /^[0-9]{1,12}(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/

/** `5m` → 300000; null where it is no duration. */
export function parseDuration(text: string): number | null {
  return durationPattern.test(text) ? parse(text, durationUnits) : null
}

/** `64MiB` → 67108864; null where it is no size. */
export function parseSize(text: string): number | null {
  return sizePattern.test(text) ? parse(text, sizeUnits) : null
}

/** 300000 → `5m`: the largest unit that needs no fraction. */
export function formatDuration(ms: number): string {
  return format(ms, durationUnits, 'ms')
}

/** 67108864 → `64MiB`. */
export function formatSize(bytes: number): string {
  return format(bytes, sizeUnits, 'B')
}

function parse(text: string, units: Record<string, number>): number | null {
  const [digits = ''] = /^[0-9]+/.exec(text) ?? []
  const value = Number(digits) * (units[text.slice(digits.length)] ?? Number.NaN)
  return Number.isSafeInteger(value) ? value : null
}

/** `units` goes from the largest to the smallest. */
function format(value: number, units: Record<string, number>, smallest: string): string {
  if (value === 0) return `0${smallest}`
  const [unit, factor] = Object.entries(units).find(([, factor]) => value % factor === 0) ?? [smallest, 1]
  return `${value / factor}${unit}`
}
