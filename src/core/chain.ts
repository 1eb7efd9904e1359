/**
 * The chain binds each segment of a source to all before it. It starts from the source id:
 *
 *     chain(first) = SHA-256(source id "\n" start "\n" end "\n" sha256 "\n")
 *     chain(next)  = SHA-256(chain(previous) "\n" start "\n" end "\n" sha256 "\n")
 *
 * all as ASCII text, offsets in decimal, hashes in lower-case hex; so `printf` and `sha256sum` can check it.
 */

import { sha256 } from './hash.ts'

export interface Link {
  start: number
  end: number
  /** Of the raw bytes [start, end). */
  sha256: string
}

/** `previous` is the chain of the segment before, or the source id for the first. */
export function chainOf(previous: string, link: Link): string {
  return sha256(`${previous}\n${link.start}\n${link.end}\n${link.sha256}\n`)
}
