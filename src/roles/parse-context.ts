/**
 * What the records of one source are parsed with: the root's zone, and the column names of formats whose sources begin with them. Those
 * come from the archive, where a source's first bytes stay as they were; so whoever publishes, replays or builds tables has the same.
 */

import { LruMap } from '../core/lru.ts'
import type { ParseContext } from '../formats/format.ts'
import { sourceContext } from '../formats/format.ts'
import type { RootSettings } from './context.ts'
import type { Ledger } from './ledger.ts'

const sourcesMax = 10_000
/** A line of column names ends within this. */
const beginningBytesMax = 65_536

/** Throws `store-*`. */
export type ParseContextOf = (source: string) => Promise<ParseContext>

export function openParseContexts(root: Pick<RootSettings, 'format' | 'parse'>, ledger: Ledger): ParseContextOf {
  const { format, parse } = root
  const contexts = new LruMap<string, ParseContext>(sourcesMax)
  if (!format.columns) return () => Promise.resolve(parse)
  return async (source) => {
    const known = contexts.get(source)
    if (known) return known
    const context = sourceContext(format, parse, await ledger.beginning(source, beginningBytesMax))
    contexts.set(source, context)
    return context
  }
}
