/**
 * The rules that a root's archive freezes, since they are part of every source's identity: with others, ten years of files would be
 * taken for new ones. What is compared here is what the archive holds and what the configuration wants.
 *
 *   the same                             go on
 *   rotation rules, old directories more   they are added behind the frozen ones, which go on deciding first
 *   anything else                        refused, with the difference
 */

import type { RootRules } from './family.ts'
import type { Header } from './identity.ts'

/** What may be added: `evidence/roots/<root>.<k>.json`, k counting up from 1. */
export interface RulesAddition {
  v: 1
  root: string
  addition: number
  rotation: string[]
  oldDirectories: string[]
}

/** A root's part of the configuration, and what its format says where the configuration is silent. */
export interface WantedRules {
  name: string
  format: string
  header?: Header
  rotation?: 'none' | readonly { readonly match: string }[]
  oldDirectories?: readonly string[]
}

/** The configured rotation rules come before the format's own; `none` replaces them. */
export function rulesOf(wanted: WantedRules, defaults: { header: Header; rotation: readonly string[] }): RootRules {
  const { name, format, header = defaults.header, rotation = [], oldDirectories = [] } = wanted
  return {
    v: 1,
    root: name,
    format,
    header,
    rotation: rotation === 'none' ? [] : unique([...rotation.map(({ match }) => match), ...defaults.rotation]),
    oldDirectories: unique(oldDirectories),
  }
}

export function withAdditions(base: RootRules, additions: readonly RulesAddition[]): RootRules {
  return {
    ...base,
    rotation: unique([...base.rotation, ...additions.flatMap((one) => one.rotation)]),
    oldDirectories: unique([...base.oldDirectories, ...additions.flatMap((one) => one.oldDirectories)]),
  }
}

export interface RulesDifference {
  /** What stands in the way, each with the old and the new value. Empty: nothing does. */
  refused: string[]
  /** What the configuration wants beyond the frozen rules; null: nothing. */
  added: Pick<RulesAddition, 'rotation' | 'oldDirectories'> | null
}

/** What the archive holds against what the configuration wants. */
export function compareRules(base: RootRules, additions: readonly RulesAddition[], wanted: RootRules): RulesDifference {
  const refused: string[] = []
  if (base.format !== wanted.format)
    refused.push(`format: the archive has ${base.format}, the configuration ${wanted.format}`)
  const [was, is] = [headerText(base.header), headerText(wanted.header)]
  if (was !== is) refused.push(`header: the archive has ${was}, the configuration ${is}`)
  const groups = [base, ...additions]
  refused.push(
    ...listProblems(
      'rotation',
      groups.map((one) => one.rotation),
      wanted.rotation,
    ),
  )
  refused.push(
    ...listProblems(
      'oldDirectories',
      groups.map((one) => one.oldDirectories),
      wanted.oldDirectories,
    ),
  )
  const frozen = withAdditions(base, additions)
  const added = {
    rotation: wanted.rotation.filter((rule) => !frozen.rotation.includes(rule)),
    oldDirectories: wanted.oldDirectories.filter((directory) => !frozen.oldDirectories.includes(directory)),
  }
  return { refused, added: added.rotation.length + added.oldDirectories.length > 0 ? added : null }
}

/**
 * What was there must all be there still, in the same order within what was begun with and within each addition. Where an addition
 * stands among the configured ones does not matter: it is tried behind what was there before it.
 */
function listProblems(name: string, groups: readonly (readonly string[])[], wanted: readonly string[]): string[] {
  const missing = groups.flat().filter((one) => !wanted.includes(one))
  if (missing.length > 0) return missing.map((one) => `${name}: the archive has ${one}, the configuration does not`)
  return groups.flatMap((group) => {
    const kept = wanted.filter((one) => group.includes(one))
    if (kept.every((one, index) => one === group[index])) return []
    return [`${name}: the archive has the order ${group.join(' ')}, the configuration ${kept.join(' ')}`]
  })
}

function headerText(header: Header): string {
  if (header === 'none') return 'none'
  return 'lines' in header ? `lines: ${header.lines}` : `prefix: '${header.prefix}'`
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
