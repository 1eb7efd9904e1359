/**
 * The next manifest in the making: what a build has read and written since the last one that it committed. A commit that another builder
 * was faster with throws `Overtaken`, after what was written has been removed: begin again from the newer manifest.
 */

import type { Manifest, Parser, TableFile, TableSet } from './manifest.ts'
import { commitManifest, coverageOf } from './manifest.ts'
import { GleanerError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'

export class Overtaken extends Error {}

export interface DraftPorts {
  derived: Store
  clock: Clock
  random: () => string
}

export interface Draft {
  readonly set: TableSet
  readonly covered: Map<string, number>
  /** Whether readers use this set already. */
  readonly isCurrent: boolean
  /** The number of a new batch. */
  nextBatch(): number
  /** New files, and those whose place they take. */
  add(files: readonly TableFile[], replaced?: readonly TableFile[]): void
  /** Commits what changed since the last commit; with `complete` the set becomes the one that readers use. Throws `Overtaken`. */
  commit(options?: { complete?: boolean }): Promise<void>
  /** Removes what was written and never committed. */
  abandon(): Promise<void>
}

/** Goes on with the set that was made by this parser, or begins one. Throws `archive-newer` where a newer parser made the tables. */
export function openDraft(ports: DraftPorts, manifest: Manifest, parser: Parser): Draft {
  refuseNewer(manifest, parser)
  let base = manifest
  const isSame = (set: TableSet | null): boolean => JSON.stringify(set?.parser) === JSON.stringify(parser)
  let isCurrent = manifest.current === null || isSame(manifest.current)
  const begun = isCurrent ? manifest.current : isSame(manifest.next) ? manifest.next : null
  const set: TableSet = begun === null ? { parser, batches: [], files: [] } : structuredClone(begun)
  const covered = coverageOf(set)
  let written: TableFile[] = []
  let committed = textOf(set)
  const abandon = async (): Promise<void> => {
    for (const { key } of written) await ports.derived.remove(key)
    written = []
  }
  return {
    set,
    covered,
    get isCurrent() {
      return isCurrent
    },
    nextBatch: () => set.batches.reduce((most, { id }) => Math.max(most, id), 0) + 1,
    add(files, replaced = []) {
      const gone = new Set(replaced)
      set.files = [...set.files.filter((file) => !gone.has(file)), ...files]
      written.push(...files)
    },
    async commit({ complete = false } = {}) {
      const isPromoted = complete && !isCurrent
      if (textOf(set) === committed && !isPromoted) return
      isCurrent ||= complete
      const sets = isCurrent ? { current: set, next: null } : { current: base.current, next: set }
      const next = await commitManifest(ports, base, sets)
      if (next === null) {
        await abandon()
        throw new Overtaken()
      }
      base = next
      written = []
      committed = textOf(set)
    },
    abandon,
  }
}

function textOf({ batches, files }: TableSet): string {
  return `${batches.length} ${files.map(({ key }) => key).join(' ')}`
}

function refuseNewer({ root, current }: Manifest, parser: Parser): void {
  if (current === null || current.parser.format !== parser.format || current.parser.version <= parser.version) return
  const message = `its tables were made by version ${current.parser.version} of the ${parser.format} parser, this Gleaner has ${parser.version}`
  throw new GleanerError('archive-newer', { operation: 'build tables', subject: root, message })
}
