/** How commands show things to a person: tables and figures on stdout, progress on stderr. */

import { parseDuration } from '../config/units.ts'

/** Columns as wide as their widest cell, two spaces apart; cells that look like figures stand to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  const isFigure = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^(-?[\d,.]+( ?[KMGTP]?i?B)?|-)$/.test(row[column] ?? '')),
  )
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) =>
        isFigure[column] ? (row[column] ?? '').padStart(width) : (row[column] ?? '').padEnd(width),
      )
      .join('  ')
      .trimEnd()
  return all.map(line).join('\n')
}

/** 1536 → `1.5 KiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** 1234567 → `1,234,567`. */
export function countText(count: number): string {
  // Not toLocaleString: what it needs takes 20 ms to load.
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}

export interface Progress {
  end(): void
}

export interface Done {
  /** `archived`, `verified`; begins the line. */
  verb: string
  done: number
  /** How much there is in all, as far as it is known by now; left out or less than `done`: not known. */
  total?: number | undefined
  /** Bytes, or what is counted: `segment`. */
  unit: 'bytes' | (string & {})
  /** Said at the end of the line. */
  more?: string
}

interface Sample {
  ms: number
  done: number
}

const rateOverMs = 60_000
const drawEveryMs = 1000
const lineEveryMs = 60_000

/** `verified 12 of 40 segments, 28 segments left, 3.0 a second, 9 s to go; 1.2 GiB`. The rate is per second, null while it is not known. */
export function progressText({ verb, done, total, unit, more }: Done, rate: number | null): string {
  const amount = (count: number): string => (unit === 'bytes' ? bytesText(count) : countText(count))
  const left = total !== undefined && total >= done ? total - done : null
  const said = unit === 'bytes' ? bytesText : (count: number): string => counted(count, unit)
  const parts = [left === null ? `${verb} ${said(done)}` : `${verb} ${amount(done)} of ${said(total ?? done)}`]
  if (left !== null) parts.push(`${amount(left)} left`)
  if (rate !== null) parts.push(unit === 'bytes' ? `${bytesText(rate)}/s` : `${rateText(rate)} a second`)
  if (left !== null && left > 0 && rate !== null && rate > 0) parts.push(`${durationText(left / rate)} to go`)
  return `${parts.join(', ')}${more ? `; ${more}` : ''}`
}

function rateText(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : countText(Math.round(rate))
}

/** 59 → `59 s`, 61 → `1 min 1 s`, 3700 → `1 h 1 min`. */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const hours = Math.floor(whole / 3600)
  return hours < 48 ? `${hours} h ${Math.floor((whole % 3600) / 60)} min` : `${Math.round(hours / 24)} days`
}

/**
 * Shows what `look` gives until `end`: on a terminal one line, redrawn every second and removed at the end; elsewhere a line per minute
 * (or per `GLEANER_PROGRESS_EVERY`, such as `10s`), so that a log says that something is going on. Always on stderr: stdout is for the
 * answer. The rate is that of the last minute.
 */
export function openProgress(look: () => Done, stream: NodeJS.WriteStream = process.stderr): Progress {
  let samples: Sample[] = [{ ms: performance.now(), done: look().done }]
  const text = (): string => {
    const now = { ms: performance.now(), done: look().done }
    // The newest of those that are old enough is kept, so that there always is one.
    const first = samples.findLastIndex(({ ms }) => now.ms - ms >= rateOverMs)
    samples = [...samples.slice(Math.max(0, first)), now]
    const { ms, done } = samples[0] as Sample
    return progressText(look(), now.ms > ms ? (1000 * (now.done - done)) / (now.ms - ms) : null)
  }
  if (!stream.isTTY) {
    const everyMs = parseDuration(process.env['GLEANER_PROGRESS_EVERY'] ?? '') ?? lineEveryMs
    const timer = setInterval(() => stream.write(`${text()}\n`), Math.max(100, everyMs)).unref()
    return { end: () => clearInterval(timer) }
  }
  const draw = (): void => void stream.write(`\r\x1b[K${text().slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`)
  const timer = setInterval(draw, drawEveryMs).unref()
  return {
    end() {
      clearInterval(timer)
      stream.write('\r\x1b[K')
    },
  }
}
