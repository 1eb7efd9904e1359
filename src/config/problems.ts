import type { z } from 'zod'
import type { KeyPath, Source } from './document.ts'
import { keyText, valueAt } from './document.ts'

/** One thing that is wrong with a configuration. No part of it repeats a value. */
export interface Problem {
  /** The file, or the flag or variable: `gleaner.yaml`, `--path`, `GLEANER_ROLES`. */
  where: string
  /** From 1; null for a flag or a variable. */
  line: number | null
  column: number | null
  /** `roots[0].path`, or '' for the whole. */
  key: string
  /** What was expected, and what may have been meant. */
  message: string
}

/** `gleaner.yaml:12:5: roots[0].format: expected one of lines, jsonl; did you mean jsonl?` */
export function problemText(problem: Problem): string {
  if (problem.line === null) return `${problem.where}: ${problem.message}`
  const place = `${problem.where}:${problem.line}:${problem.column}`
  return [place, problem.key, problem.message].filter((part) => part !== '').join(': ')
}

/** What zod found → problems with places and suggestions. */
export function shapeProblems(source: Source, issues: readonly z.core.$ZodIssue[]): Problem[] {
  const problems = issues.flatMap((issue) => issueProblems(source, issue, []))
  const meant = new Set(problems.map((problem) => problem.meant))
  return problems
    .filter((problem) => !(problem.missing === true && meant.has(problem.key)))
    .map(({ meant: _meant, missing: _missing, ...problem }) => problem)
}

/** A key that is misspelt is missing as well: said once. */
interface Found extends Problem {
  missing?: true
  /** The key that an unknown one was meant to be. */
  meant?: string
}

/** The nearest of `names` to what was written, if it is near enough to have been meant. */
function nearMiss(written: string, names: readonly string[]): string | null {
  const near = names
    .map((name) => ({ name, distance: nearness(written.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(Math.max(name.length, written.length) / 3)))
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.name ?? null
}

/** `; did you mean X?` where one of `names` is near enough, else nothing. */
export function suggestion(written: unknown, names: readonly string[]): string {
  const near = typeof written === 'string' && written.length <= 64 ? nearMiss(written, names) : null
  return near === null ? '' : `; did you mean ${near}?`
}

function issueProblems(source: Source, issue: z.core.$ZodIssue, outer: KeyPath): Found[] {
  const path = [...outer, ...(issue.path as (string | number)[])]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(source, [...path, key], issue.message.split(' ')))
  }
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue.errors)
    if (branch !== undefined) return branch.flatMap((inner) => issueProblems(source, inner, path))
  }
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0]?.message ?? issue.message
    return [{ ...source.keyAt(path), key: keyText(path), message: inner }]
  }
  const given = valueAt(source.value, path)
  const key = keyText(path)
  if (given === undefined) return [{ ...source.at(path), key, message: `missing: ${issue.message}`, missing: true }]
  if (given === null) return [{ ...source.at(path), key, message: `has no value: ${issue.message}` }]
  const names = issue.code === 'invalid_value' ? issue.values.map(String) : []
  return [{ ...source.at(path), key, message: `${issue.message}${suggestion(given, names)}` }]
}

function unknownKey(source: Source, path: KeyPath, names: string[]): Found {
  const name = String(path.at(-1))
  const message = `unknown key; expected one of ${names.join(', ')}${suggestion(name, names)}`
  const near = nearMiss(name, names)
  const meant = near === null ? {} : { meant: keyText([...path.slice(0, -1), near]) }
  return { ...source.keyAt(path), key: keyText(path), message, ...meant }
}

/** Of a union's branches, the first that the value was near: one that does not fail as a whole, nor in its keys. */
function meantBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const entered = branches.filter((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  )
  return entered.find((issues) => issues.every((issue) => issue.code !== 'unrecognized_keys')) ?? entered[0]
}

/** Edits between the two; a word that only stops early, like `pasword` for `passwordFile`, is one edit more. */
function nearness(written: string, name: string): number {
  const whole = distance(written, name)
  return written.length < 4 ? whole : Math.min(whole, distance(written, name.slice(0, written.length)) + 1)
}

/** Edits that turn `a` into `b`: a letter put in, left out, changed, or swapped with its neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const next = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let edits = Math.min(
        (last[column] ?? 0) + 1,
        (next[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      )
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) edits = Math.min(edits, (before[column - 2] ?? 0) + 1)
      next.push(edits)
    }
    before = last
    last = next
  }
  return last[b.length] ?? 0
}
