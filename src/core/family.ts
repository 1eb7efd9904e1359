/**
 * Which files belong together: a family is a path with the compression suffix, the rotation suffix and the old-directory
 * taken off. `lsb.acct`, `lsb.acct.1` and `old/lsb.acct.1.gz` are one family; `lsb.acct` is its active name.
 *
 * The rules are part of a source's identity (the family is hashed into the id), so they are frozen with the root: see
 * `RootRules`. They may be added to, which must not change the family of a path that had one: additions are tried after
 * what was there.
 */

import type { Header } from './identity.ts'

/** What `evidence/roots/<root>.json` freezes. */
export interface RootRules {
  v: 1
  root: string
  format: string
  header: Header
  /** Regular expressions (JavaScript) for a suffix of the file name. */
  rotation: string[]
  /** Directories that rotated files are moved to, relative to the active file's directory, ending in `/`. */
  oldDirectories: string[]
}

export interface FamilyRules {
  rotation: RegExp[]
  oldDirectories: string[]
}

/** Suffixes of compressed files, in any combination with a rotation suffix. */
const compression = /\.(?:gz|zst|bz2|xz)$/

/** A number, an ISO date (with or without a time), YYYYMMDD with an optional number, `.old`, `.bak`. */
export const commonRotation = [
  String.raw`[._-]\d{1,6}$`,
  String.raw`[._-]\d{4}-\d{2}-\d{2}(?:[T_-]\d{2}[:-]?\d{2}(?:[:-]?\d{2})?)?$`,
  String.raw`[._-]\d{8}(?:[T_-]?\d{2,6})?$`,
  String.raw`\.(?:old|bak)$`,
]

/** HTCondor: `history.20260301T101500`; `history.377260.0` is a job, not a generation. */
export const condorRotation = [String.raw`\.\d{8}T\d{6}$`]

export function compileFamilyRules(rules: Pick<RootRules, 'rotation' | 'oldDirectories'>): FamilyRules {
  return { rotation: rules.rotation.map((text) => new RegExp(text)), oldDirectories: rules.oldDirectories }
}

/**
 * Path → family. Suffixes and old-directories come off until none is left, so a family is its own family; a suffix needs its separator and
 * never takes the whole name.
 */
export function familyOf(path: string, rules: FamilyRules): string {
  const slash = path.lastIndexOf('/') + 1
  return withoutOldDirectory(path.slice(0, slash), rules) + withoutSuffixes(path.slice(slash), rules)
}

/** Whether the path is its family's active name, the one that grows. */
export function isActive(path: string, rules: FamilyRules): boolean {
  return familyOf(path, rules) === path
}

function withoutSuffixes(name: string, rules: FamilyRules): string {
  for (;;) {
    const shorter = withoutOneSuffix(name, rules)
    if (shorter === name) return name
    name = shorter
  }
}

function withoutOneSuffix(name: string, rules: FamilyRules): string {
  for (const pattern of [compression, ...rules.rotation]) {
    const at = name.search(pattern)
    if (at > 0) return name.slice(0, at)
  }
  return name
}

function withoutOldDirectory(directory: string, rules: FamilyRules): string {
  for (;;) {
    const old = rules.oldDirectories.find((one) => directory === one || directory.endsWith(`/${one}`))
    if (old === undefined) return directory
    directory = directory.slice(0, -old.length)
  }
}
