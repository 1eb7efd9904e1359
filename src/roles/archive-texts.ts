/**
 * README.md and verify.py at the top of an archive: what it is, and how to read and check it in ten years without Gleaner.
 *
 * Each names its edition in its first lines. One that is missing is created, an older one replaced; a newer one was written by a newer Gleaner
 * and stays. They are no evidence: a writer that may only create evidence leaves them out.
 */

import { readFileSync } from 'node:fs'
import { isGleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'

export const archiveTexts = ['README.md', 'verify.py'] as const

/** Throws `store-*`, but for `store-denied`. */
export async function writeArchiveTexts(store: Store): Promise<void> {
  for (const name of archiveTexts) {
    const text = readFileSync(new URL(`../archive/${name}`, import.meta.url))
    try {
      const there = await store.get(name)
      if (there === null || editionOf(there.body) < editionOf(text)) await store.put(name, text)
    } catch (error) {
      if (!isGleanerError(error, 'store-denied')) throw error
    }
  }
}

/** 0: none is named. */
export function editionOf(text: Buffer): number {
  return Number(/Gleaner archive, edition (\d{1,9})/.exec(text.toString('latin1', 0, 500))?.[1] ?? 0)
}
