/** What the benchmarks measure with: whole processes by GNU time, running ones by /proc. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** One benchmark's outcome. A figure whose name begins with `ratio` is against the plain tool run beside it. */
export interface Outcome {
  bench: string
  rows: Record<string, string | number>[]
  figures: Record<string, number>
  notes: string[]
}

export interface Cost {
  seconds: number
  cpuSeconds: number
  rssMiB: number
}

/** Runs a program to its end. Its stdout goes nowhere, or is given to `shell` to redirect. */
export async function costOf(command: string, args: string[], env: Record<string, string> = {}): Promise<Cost> {
  if (!existsSync('/usr/bin/time')) throw new Error('there is no /usr/bin/time; install it: apt-get install time')
  const dir = await mkdtemp(join(tmpdir(), 'gleaner-time-'))
  try {
    const timed = ['-f', '%e %U %S %M', '-o', join(dir, 'time'), command, ...args]
    const child = spawn('/usr/bin/time', timed, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    })
    let stderr = ''
    child.stderr.on('data', (data: Buffer) => void (stderr += data.toString()))
    const [status] = (await once(child, 'close')) as [number | null]
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`)
    const text = await readFile(join(dir, 'time'), 'utf8')
    const [seconds = 0, user = 0, system = 0, rssKiB = 0] = text.trim().split(/\s+/).map(Number)
    return { seconds, cpuSeconds: user + system, rssMiB: rssKiB / 1024 }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** CPU seconds so far, memory now and at most. */
export async function usageOf(pid: number): Promise<{ cpuSeconds: number; rssMiB: number; rssMiBMax: number }> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ')
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1])
  const ticksPerSecond = 100
  const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  return { cpuSeconds, rssMiB: kib('VmRSS') / 1024, rssMiBMax: kib('VmHWM') / 1024 }
}

export function median(numbers: number[]): number {
  return quantile(numbers, 0.5)
}

export function quantile(numbers: number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}

/** The columns of a set of times, ms. */
export function spread(numbers: number[]): { samples: number; p50: number; p99: number; max: number } {
  return {
    samples: numbers.length,
    p50: round(median(numbers)),
    p99: round(quantile(numbers, 0.99)),
    max: round(Math.max(...numbers)),
  }
}

export function table(rows: Record<string, string | number>[]): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? '')))]
  const widths = names.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
