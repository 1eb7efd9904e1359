/** A root's configuration → what its roles go by: the frozen rules compiled, the format found, globs made into one question. */

import picomatch from 'picomatch'
import type { Config, RootConfig } from '../config/model.ts'
import { alwaysExcluded } from '../config/model.ts'
import type { RootRules } from '../core/family.ts'
import { compileFamilyRules, familyOf } from '../core/family.ts'
import { pathText } from '../core/path.ts'
import { rulesOf } from '../core/rules.ts'
import { formatOf } from '../formats/registry.ts'
import type { RootSettings } from './context.ts'

/** One document per file: nothing more is expected of it soon. */
const wholeFinalMsMax = 60_000

/** What the configuration wants frozen. */
export function wantedRules(root: RootConfig): RootRules {
  return rulesOf(root, formatOf(root.format))
}

/** `everyMs`: the longest time between two passes. `rules`: the effective ones. */
export function rootSettings(
  config: Config,
  root: RootConfig,
  given: { rules: RootRules; everyMs: number },
): RootSettings {
  const { rules, everyMs } = given
  const family = compileFamilyRules(rules)
  const { fullEveryMs, metadataPerSecondMax } = config.reconcile
  const wholeFiles = root.files === 'whole'
  return {
    name: root.name,
    format: formatOf(root.format),
    parse: root.timezone === undefined ? {} : { timezone: root.timezone },
    header: rules.header,
    family,
    includes: includesOf(root, (path) => familyOf(path, family)),
    remote: root.remote === 'auto' ? null : root.remote,
    wholeFiles,
    seal: config.seal,
    settle: {
      ...config.settle,
      finalMs: wholeFiles ? Math.min(config.settle.finalMs, wholeFinalMsMax) : config.settle.finalMs,
    },
    limits: config.limits,
    feed: config.feed,
    reconcile: { everyMs, fullEveryMs, metadataPerSecondMax },
  }
}

/** Names may begin with a dot and hold a newline. */
const anyName = { dot: true, flags: 's' }

/** A path is in by its own name or by its family's, so that a rotated file stays in; and it is out likewise. */
function includesOf(root: RootConfig, familyOfPath: (path: string) => string): (path: string) => boolean {
  const included = picomatch([...root.include], anyName)
  const excluded = picomatch([...root.exclude], anyName)
  const never = picomatch([...alwaysExcluded], { ...anyName, basename: true })
  return (path) => {
    const text = pathText(path)
    if (never(text)) return false
    const names = [text, pathText(familyOfPath(path))]
    return names.some((name) => included(name)) && !names.some((name) => excluded(name))
  }
}
