import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { GleanerError } from '../errors.ts'
import { unlessGone } from './directory-errors.ts'

/**
 * Whether the directory is still the one that holds the archive. Unmounted, a mount point is a directory like any other, empty and perhaps
 * writable: what is created there is covered when the mount is back, so a source would have a hole; and what is not found there is
 * not missing. Its top's device and inode are remembered, and what `evidence/store.json` holds, once there is one:
 *
 *     same device and inode             the same directory
 *     others, the same store.json       the same archive: mounted anew, or restored from a copy
 *     others, another store.json, none  not the archive
 *
 * A directory that has never held a store.json (a new archive, one of derived objects alone) is not judged.
 */
export interface DirectoryPlace {
  /** Before a write, after it, and after every answer that says "there is none". Throws `store-missing`, and the errors of stat and read. */
  check(): Promise<void>
}

export function directoryPlace(root: string): DirectoryPlace {
  let top: string | null = null
  let store: Buffer | null = null
  const readStore = (): Promise<Buffer | null> => readFile(join(root, 'evidence', 'store.json')).catch(unlessGone)
  return {
    async check() {
      const { dev, ino } = await stat(root, { bigint: true })
      const seen = `${dev} ${ino}`
      if (seen === top && store !== null) return
      const found = await readStore()
      if (store !== null && !found?.equals(store)) throw elsewhere(root)
      top = seen
      store = found
    },
  }
}

function elsewhere(root: string): GleanerError {
  return new GleanerError('store-missing', {
    operation: 'check',
    subject: root,
    message: 'another directory is there now than the one that holds the archive; is its filesystem mounted?',
  })
}
