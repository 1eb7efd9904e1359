/**
 * Thread side of `stat`: many paths per call. Importing this loads koffi, a native module: import it only where it is needed.
 */
import { closeSync, openSync } from 'node:fs'
import { isMissing, isNotRegular } from './files-errors.ts'
import type { StatColumns } from './files-messages.ts'
import { checkRoot, locator, openFlags, type Root, readyRoot } from './files-root.ts'
import { statOpen, statPath } from './statx.ts'

/** Asks each path for its size, mtime and inode. */
export function stat(root: Root, paths: string[], fresh: boolean): StatColumns {
  readyRoot(root)
  const columns: StatColumns = {
    sizes: new Float64Array(paths.length).fill(Number.NaN),
    mtimesNs: new BigInt64Array(paths.length),
    inos: new BigUint64Array(paths.length),
    errors: 0,
  }
  const find = locator(root)
  const statOne = fresh ? statFresh : statPath
  paths.forEach((path, row) => {
    root.tick()
    try {
      statOne(find(path), columns, row)
    } catch (error) {
      if (!isMissing(error) && !isNotRegular(error)) columns.errors++
    }
  })
  checkRoot(root)
  return columns
}

function statFresh(place: string | Buffer, columns: StatColumns, row: number): void {
  const fd = openSync(place, openFlags)
  try {
    statOpen(fd, columns, row)
  } finally {
    closeSync(fd)
  }
}
