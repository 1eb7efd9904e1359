/** How commands show things to a person: tables and figures on stdout, progress on stderr. */

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
  return count.toLocaleString('en-US')
}

/** `1 file`, `2 files`. */
export function counted(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`
}

export interface Progress {
  end(): void
}

/**
 * Shows what `text` gives until `end`: on a terminal one line, redrawn twice a second and removed at the end; elsewhere a line per
 * minute, so that a log says that something is going on. Always on stderr: stdout is for the answer.
 */
export function openProgress(text: () => string, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) {
    const timer = setInterval(() => stream.write(`${text()}\n`), 60_000).unref()
    return { end: () => clearInterval(timer) }
  }
  const draw = (): void => void stream.write(`\r\x1b[K${text().slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`)
  const timer = setInterval(draw, 500).unref()
  return {
    end() {
      clearInterval(timer)
      stream.write('\r\x1b[K')
    },
  }
}
