/**
 * A year, a month or a day as a calendar of some place has it: `2026`, `2026-03`, `2026-03-05`. It begins with the first moment of its
 * first day there and ends before the first moment of what follows, so months of a zone with summer time are an hour longer or shorter.
 */

export interface Period {
  text: string
  timezone: string
  /** [from, to), ms since 1970. */
  fromMs: number
  toMs: number
}

const form = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/

/** The period, or what is wrong: `period` is none, or the zone is not known. */
export function readPeriod(text: string, timezone: string): Period | 'period' | 'timezone' {
  const [, year, month, day] = form.exec(text) ?? []
  if (year === undefined || year === '0000') return 'period'
  let first: Temporal.PlainDate
  try {
    const date = { year: Number(year), month: Number(month ?? 1), day: Number(day ?? 1) }
    first = Temporal.PlainDate.from(date, { overflow: 'reject' })
  } catch {
    return 'period'
  }
  const next = first.add(day !== undefined ? { days: 1 } : month !== undefined ? { months: 1 } : { years: 1 })
  try {
    const [fromMs, toMs] = [first, next].map((date) => date.toZonedDateTime(timezone).epochMilliseconds)
    return { text, timezone, fromMs: fromMs as number, toMs: toMs as number }
  } catch {
    return 'timezone'
  }
}
