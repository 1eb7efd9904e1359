/**
 * What a pass of the reconciler looks at, how long a change can stay unseen by it, and how fast it may ask the filesystem.
 *
 * A file is *hot* while it has changed within the last `fullEvery`: it is looked at in every pass. A colder one is looked at ever
 * more rarely, after an eighth of the time that it has been unchanged, and a full pass looks at everything. Since a look can only be taken in a pass,
 * "at least every `fullEvery`" means: in the last pass before that time is over. So a longest interval is
 * `fullEvery - every`, and with passes that keep to `every` no file, and no full pass, is ever late.
 *
 * All times are milliseconds of one monotonic clock.
 */

export interface SchedulePolicy {
  /** From the start of one pass to the start of the next. */
  everyMs: number
  /** From one look at a file to the next, at most; from one full pass to the next. */
  fullEveryMs: number
}

export interface FileTimes {
  /** When a look (or a signal) last found the file different; the first look counts. */
  lastChangedMs: number
  /** When it was last looked at; null: never. */
  lastLookedMs: number | null
}

type LookedAt = FileTimes & { lastLookedMs: number }

/** How many times longer a file must have been unchanged than it is then left alone. */
const patience = 8

/** Whether a pass that starts at `nowMs` looks at this file. */
export function isDue(file: FileTimes, pass: { nowMs: number; full: boolean }, policy: SchedulePolicy): boolean {
  // A look in the future comes from a clock that is not this one: it says nothing.
  if (pass.full || !wasLooked(file) || file.lastLookedMs > pass.nowMs) return true
  return pass.nowMs >= nextLookMs(file, policy)
}

/** The time from which a pass looks at this file again. */
export function nextLookMs(file: LookedAt, policy: SchedulePolicy): number {
  const unchangedMs = file.lastLookedMs - file.lastChangedMs
  if (unchangedMs < policy.fullEveryMs) return file.lastLookedMs
  return file.lastLookedMs + Math.min(unchangedMs / patience, longestMs(policy))
}

function wasLooked(file: FileTimes): file is LookedAt {
  return file.lastLookedMs !== null
}

/** Whether a pass that starts at `nowMs` is a full one. `lastFullMs` is the start of the last full pass that was completed; null: none was. */
export function isFullDue(lastFullMs: number | null, nowMs: number, policy: SchedulePolicy): boolean {
  return lastFullMs === null || lastFullMs > nowMs || nowMs - lastFullMs >= longestMs(policy)
}

function longestMs(policy: SchedulePolicy): number {
  return Math.max(0, policy.fullEveryMs - policy.everyMs)
}

export interface PassCost {
  /** Files and directories of the root: one metadata call each. */
  files: number
  metadataPerSecondMax: number
  /** How long the longest recent pass took. */
  passMs: number
}

/**
 * The longest a change can stay unseen by the reconciler: the file is the first of one full pass, changes right after, and is the last
 * of the next. A full pass takes as long as the last one did, and no less than the budget allows it. Passes do not overlap: one
 * that outlasts `every` delays the next, and may stand in the way of the full one. `Infinity` where the budget is 0.
 */
export function worstDetectionMs(policy: SchedulePolicy, cost: PassCost): number {
  const budgetMs = cost.files === 0 ? 0 : (cost.files / cost.metadataPerSecondMax) * 1000
  const passMs = Math.max(cost.passMs, budgetMs)
  const lateMs = passMs <= policy.everyMs ? 0 : passMs
  return Math.max(policy.everyMs, policy.fullEveryMs) + lateMs + passMs
}

/** A token bucket. Negative tokens are calls promised for later. */
export interface Budget {
  tokens: number
  atMs: number
}

export interface Taken {
  budget: Budget
  /** How many calls were granted: `wanted`, at most one second's worth. */
  taken: number
  /** Make them after this long, not earlier; a fraction of a millisecond counts. */
  waitMs: number
}

/** A budget that one second's worth of calls may be taken from at once. */
export function openBudget(nowMs: number, ratePerSecond: number): Budget {
  return { tokens: burst(ratePerSecond), atMs: nowMs }
}

/**
 * Grants calls such that in any stretch of time there are at most `ratePerSecond` for each of its seconds, and one second's worth on top.
 * `ratePerSecond` is above 0. A clock that went back adds nothing.
 */
export function takeTokens(budget: Budget, ask: { nowMs: number; ratePerSecond: number; wanted: number }): Taken {
  const most = burst(ask.ratePerSecond)
  const atMs = Math.max(budget.atMs, ask.nowMs)
  const grown = Math.min(most, budget.tokens + ((atMs - budget.atMs) * ask.ratePerSecond) / 1000)
  const taken = Math.min(ask.wanted, most)
  const tokens = grown - taken
  const waitMs = atMs - ask.nowMs + Math.max(0, -tokens * 1000) / ask.ratePerSecond
  return { budget: { tokens, atMs }, taken, waitMs: tokens < 0 ? waitMs : 0 }
}

function burst(ratePerSecond: number): number {
  return Math.max(1, Math.floor(ratePerSecond))
}
