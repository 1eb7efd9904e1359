/**
 * The alert rules of infra/prometheus for a clock that runs faster: every duration divided, and nothing else.
 *
 *     for: 5m                                     how long it must hold
 *     rate(gleaner_...[5m])                       what is looked back at
 *     gleaner_oldest_unarchived_age_seconds > 1800   seconds against which a metric in seconds is held
 *
 * A real Prometheus then judges what the real collector says, at real times.
 */

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The text of alerts.yaml, `pace` times as fast. */
export function pacedRules(text: string, pace: number): string {
  return text
    .split('\n')
    .map((line) => pacedLine(line, pace))
    .join('\n')
}

function pacedLine(line: string, pace: number): string {
  if (/^\s*for:/.test(line)) return line.replace(/\d+[smhd]/, (duration) => paced(duration, pace))
  if (!/\bgleaner_/.test(line)) return line
  const ranged = line.replace(/\[(\d+[smhd])\]/g, (_, duration: string) => `[${paced(duration, pace)}]`)
  return /_seconds\b/.test(ranged)
    ? ranged.replace(/> (\d+)$/, (_, seconds: string) => `> ${Number(seconds) / pace}`)
    : ranged
}

function paced(duration: string, pace: number): string {
  const ms = Number(duration.slice(0, -1)) * (unitMs[duration.slice(-1)] ?? Number.NaN)
  return `${Math.round(ms / pace)}ms`
}
