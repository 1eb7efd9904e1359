/**
 * Where an anomaly stands in the journal. Its id comes from its kind, source and range (or path), so that meeting it again, on another node
 * or after a wipe, does not repeat it, and so that it can be asked for by what it says.
 */

import { sha256 } from './hash.ts'

export interface AnomalyFacts {
  kind: string
  source: string
  path: string
  start: number
  end: number
}

export function anomalyId({ kind, source, path, start, end }: AnomalyFacts): string {
  return `${kind}-${sha256(`${source || path}\n${start}\n${end}`).slice(0, 16)}`
}

export function journalPrefix(root: string): string {
  return `evidence/journal/${root}/`
}

export function journalKey(root: string, id: string): string {
  return `${journalPrefix(root)}${id}.json`
}

/** Says that a source ended inside of a record, at the end of a segment. */
export const unfinishedKind = 'unfinished'

/** The key of what says that a source ended inside of a record, at `end`. */
export function unfinishedKey(root: string, source: string, end: number): string {
  return journalKey(root, anomalyId({ kind: unfinishedKind, source, path: '', start: end, end }))
}
