/** Questions about the other members of a file's family, each answered by looking at them now. */

import type { Candidate } from '../core/identity.ts'
import { judge, probesFor } from '../core/identity.ts'
import { familyOf } from '../core/family.ts'
import { GleanerError, isGleanerError } from '../errors.ts'
import type { RootContext } from './context.ts'
import type { Entries } from './entries.ts'
import { lookRequest } from './resolve.ts'

const membersMax = 64

interface Question {
  context: RootContext
  entries: Entries
  fresh: boolean
  /** Members that are known to be another source, whatever they begin with; if not given, the path that is asked for. */
  isOther?: (path: string) => boolean
}

/** Whether some member other than `path` reaches the candidate's head with its last witness. */
export async function isHeldElsewhere(question: Question, candidate: Candidate, path: string): Promise<boolean> {
  return (await holderOf(question, candidate, path)) !== null
}

/**
 * The first such member, or null. Throws `file-changed` if one that was listed a moment ago could not be looked at: nothing may be
 * concluded from that.
 */
export async function holderOf(question: Question, candidate: Candidate, path: string): Promise<string | null> {
  const { entries, isOther = (other) => other === path } = question
  const isAsked = (other: string): boolean => !isOther(other)
  for (const other of entries.holders(candidate.id).filter(isAsked).slice(0, membersMax)) {
    if (typeof (await holding(question, candidate, other)) === 'number') return other
  }
  for (const other of (await membersOnDisk(question, path)).filter(isAsked).slice(0, membersMax)) {
    const held = await holding(question, candidate, other)
    if (typeof held === 'number') return other
    if (held === 'unknown') throw new GleanerError('file-changed', { operation: 'compare', subject: other })
  }
  return null
}

/** The size of `path` if it reaches the candidate's head with its last witness, else null. */
export async function sizeIfHolder(question: Question, candidate: Candidate, path: string): Promise<number | null> {
  const held = await holding(question, candidate, path)
  return typeof held === 'number' ? held : null
}

async function holding(question: Question, candidate: Candidate, path: string): Promise<number | 'no' | 'unknown'> {
  const { context, fresh } = question
  const probes = probesFor({ ...candidate, prefix: null, earlier: null }, Number.MAX_SAFE_INTEGER)
  try {
    const look = await context.files.look(path, lookRequest({ probes, fresh }))
    if (!look.steady) return 'unknown'
    if (look.stat.size < candidate.head) return 'no'
    const hashes = new Map(probes.map((probe, index) => [`${probe.start}-${probe.end}`, look.probes[index] ?? null]))
    const seen = {
      size: look.stat.size,
      beginning: look.beginning,
      hash: (start: number, end: number) => hashes.get(`${start}-${end}`),
    }
    return judge({ ...candidate, prefix: null, earlier: [], heldElsewhere: false }, seen).verdict === 'same'
      ? look.stat.size
      : 'no'
  } catch (error) {
    if (isGleanerError(error, 'file-gone')) return 'unknown'
    if (isGleanerError(error, 'file-unreadable', 'file-not-regular', 'file-outside', 'file-torn')) return 'no'
    throw error
  }
}

/** The members of the path's family in its own directory, the active name's, and the old ones. */
async function membersOnDisk({ context }: Question, path: string): Promise<string[]> {
  const { family: rules } = context.root
  const family = familyOf(path, rules)
  const home = directoryOf(family)
  const directories = [
    directoryOf(path),
    home,
    ...rules.oldDirectories.map((old) => withoutSlash(home === '' ? old : `${home}/${old}`)),
  ]
  const listings = await context.files.list([...new Set(directories)])
  return listings.flatMap((listing) =>
    listing.files.filter((file) => familyOf(file, rules) === family && context.root.includes(file)),
  )
}

function directoryOf(path: string): string {
  return withoutSlash(path.slice(0, path.lastIndexOf('/') + 1))
}

function withoutSlash(directory: string): string {
  return directory.endsWith('/') ? directory.slice(0, -1) : directory
}
