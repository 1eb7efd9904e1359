/**
 * Where an anomaly stands in the journal. Its id comes from its kind, source and range (or path), so that meeting it again, on another node
 * or after a wipe, does not repeat it, and so that it can be asked for by what it says.
 */

import { sha256 } from './hash.ts'

/** Every kind, and what a person can do about it. Nothing of it is urgent: the archive keeps what there was. infra/ANOMALIES.md says more. */
export const anomalyRemedies = {
  truncated: 'find out what shortened the file; what was archived of it stays',
  rewritten: 'find out what replaced its content; both contents are archived, as two sources',
  revised:
    'compare the segment with its revision: the file was edited after it was archived, or the first read was wrong',
  vanished: 'find a copy of what is missing and put it back under its name; else it is lost',
  hole: 'look at the file where it holds NULs; if it is whole by now, the revision holds the rest',
  torn: 'restore the compressed file from a copy; the next pass takes it',
  unreadable: 'give the collector the right to read it, or exclude it; the next pass takes it',
  unfinished: 'find out why the file ends inside of a record; what is there is published as incomplete',
  mismatch: 'see `gleaner decode --format auto FILE`; a root of another name may have the format that fits',
  trimmed: 'start the subscriber, fill its gap with `gleaner replay`, and raise feed.maxAge or feed.maxBytes',
} as const

export type AnomalyKind = keyof typeof anomalyRemedies

export interface AnomalyFacts {
  kind: AnomalyKind
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
export const unfinishedKind = 'unfinished' satisfies AnomalyKind

/** The key of what says that a source ended inside of a record, at `end`. */
export function unfinishedKey(root: string, source: string, end: number): string {
  return journalKey(root, anomalyId({ kind: unfinishedKind, source, path: '', start: end, end }))
}
