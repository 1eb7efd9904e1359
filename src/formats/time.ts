/** Times in records → RFC 3339 UTC with the precision they had; '' for what is no time. */

import { formatRfc3339 } from '../core/rfc3339.ts'

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:?\d{2})$/

/** A text time that carries its own offset. */
export function toRfc3339(text: string): string {
  const ms = rfc3339Ms(text)
  return ms === null ? '' : formatRfc3339(ms)
}

/** The same in ms since 1970; null for what is no such time. */
export function rfc3339Ms(text: string): number | null {
  const match = rfc3339.exec(text)
  if (!match) return null
  const [, year, month, day, hour, minute, second, , zone] = match as unknown as string[]
  const ms = civilMs([year, month, day, hour, minute, second].map(Number))
  if (ms === null) return null
  return ms - offsetMs(zone as string) + Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000)
}

/** Seconds since 1970, or milliseconds where the number is too large for seconds. */
export function epochToRfc3339(epoch: number): string {
  if (!Number.isFinite(epoch) || epoch < 0) return ''
  const ms = epoch > 1e11 ? epoch : epoch * 1000
  return ms < 253_402_300_800_000 ? formatRfc3339(Math.floor(ms)) : ''
}

/** Civil time → ms since 1970 as if it were UTC, by the days-from-civil rule; null where a part is out of range. */
export function civilMs([year, month, day, hour, minute, second]: number[]): number | null {
  const parts = [year, month, day, hour, minute, second] as [number, number, number, number, number, number]
  const [y, mo, d, h, mi, s] = parts
  if (mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) || h > 23 || mi > 59 || s > 60) return null
  const shifted = mo <= 2 ? y - 1 : y
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (mo + (mo > 2 ? -3 : 9)) + 2) / 5) + d - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  const days = era * 146_097 + dayOfEra - 719_468
  return ((days * 24 + h) * 60 + mi) * 60_000 + s * 1000
}

function daysIn(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
}

function offsetMs(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0
  const sign = zone.startsWith('-') ? -1 : 1
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000
}
