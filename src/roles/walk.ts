/** Every file of a root that its globs include, found by listing alone; nothing is opened. */

import type { RootContext } from './context.ts'

const directoriesAtOnce = 64

export interface Walked {
  files: string[]
  directories: number
  /** Symbolic links whose names the globs include: they are not followed. */
  links: string[]
  /** Directories that may not be read: nothing is known of what is in them. */
  unread: string[]
}

/** At most `filesMax` files where it is given. Throws `root-unavailable`, `root-stalled`. */
export async function walkRoot(
  { files, root }: Pick<RootContext, 'files' | 'root'>,
  filesMax = Number.POSITIVE_INFINITY,
): Promise<Walked> {
  const walked: Walked = { files: [], directories: 0, links: [], unread: [] }
  const waiting = ['']
  while (waiting.length > 0 && walked.files.length < filesMax) {
    const listings = await files.list(waiting.splice(0, directoriesAtOnce))
    walked.directories += listings.length
    for (const listing of listings) {
      if (listing.error !== undefined) walked.unread.push(listing.directory)
      waiting.push(...listing.directories)
      walked.files.push(...listing.files.filter((path) => root.includes(path)))
      walked.links.push(...(listing.links ?? []).filter((path) => root.includes(path)))
    }
  }
  return walked
}
