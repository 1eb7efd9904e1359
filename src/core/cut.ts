/**
 * Where lines end, for bytes that arrive in pieces.
 *
 * A line ends after its newline (0x0A). One that has no newline among its first `lineBytesMax` bytes is cut after exactly
 * that many, and what follows counts as a new line. So the boundaries depend on the bytes and on the record boundary where
 * the scan began, never on how the bytes were cut into pieces or how many there were.
 *
 *     let cut = startCut(start)
 *     for each piece: cut = scan(cut, { bytes, at }, rules)
 *     finishCut(cut, { end, tail }, rules)
 */

export interface CutRules {
  lineBytesMax: number
  /** Take nothing from the first NUL on, nor the line it stands in. */
  stopAtNul: boolean
}

export interface Cut {
  /** Where the last line that has ended, ended: the segment's start at first. */
  boundary: number
  /** Where that line began. */
  lastStart: number
  /** Whether it was cut, not ended by a newline. */
  atCut: boolean
  /** Lines that have ended, cut ones included. */
  lines: number
  nulAt: number | null
}

export interface Ending {
  end: number
  lines: number
  tail: 'complete' | 'incomplete' | 'cut'
  /** Where the last line before `end` begins. */
  lastStart: number
}

export function startCut(start: number): Cut {
  return { boundary: start, lastStart: start, atCut: false, lines: 0, nulAt: null }
}

/** The state after one more piece, which must follow the one before. */
export function scan(cut: Cut, piece: { bytes: Buffer; at: number }, rules: CutRules): Cut {
  const { bytes, at } = piece
  if (stopped(cut, rules)) return cut
  const nul = cut.nulAt === null ? bytes.indexOf(0) : -1
  const limit = nul >= 0 && rules.stopAtNul ? nul : bytes.length
  const max = rules.lineBytesMax
  let { boundary, lastStart, atCut, lines } = cut
  let from = 0
  while (from < limit) {
    const newline = bytes.indexOf(0x0a, from)
    const whole = newline >= 0 && newline < limit
    from = whole ? newline + 1 : limit
    // A newline at the very end of the allowance still belongs to the line; any other byte there leaves it cut.
    const cutFrom = at + from - (whole ? max + 1 : max)
    while (boundary <= cutFrom) {
      lastStart = boundary
      boundary += max
      atCut = true
      lines++
    }
    if (!whole) break
    lastStart = boundary
    boundary = at + from
    atCut = false
    lines++
  }
  return { boundary, lastStart, atCut, lines, nulAt: nul >= 0 ? at + nul : cut.nulAt }
}

/** Where the segment ends, when bytes up to `end` were scanned; with `tail` it takes what follows the last line too. */
export function finishCut(cut: Cut, read: { end: number; tail: boolean }, rules: CutRules): Ending {
  if (read.tail && read.end > cut.boundary && !stopped(cut, rules)) {
    return { end: read.end, lines: cut.lines + 1, tail: 'incomplete', lastStart: cut.boundary }
  }
  return { end: cut.boundary, lines: cut.lines, tail: cut.atCut ? 'cut' : 'complete', lastStart: cut.lastStart }
}

/** Whether nothing more is taken, because a NUL was met. */
export function stopped(cut: Cut, rules: CutRules): boolean {
  return rules.stopAtNul && cut.nulAt !== null
}
