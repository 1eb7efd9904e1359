/**
 * Table files as paths that DuckDB can open. Those of a directory are read in place; others are fetched through our own store into a
 * private directory, each once. A file that the manifest names and that is not there, or has another size, is `table-missing`: tables
 * can always be made again.
 */

import { mkdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GleanerError } from '../errors.ts'
import type { Store } from '../ports/store.ts'
import { mapInOrder } from './concurrent.ts'
import type { TableFile } from './manifest.ts'

type Named = Pick<TableFile, 'key' | 'bytes'>

export interface TableFiles {
  /** Their paths, in order. Throws `table-missing`, `store-*`, `store-full` where they would not fit on this disk. */
  paths(files: readonly Named[]): Promise<string[]>
  /** Stores what was written to a local path, and removes that. Gives its size. */
  put(path: string, key: string): Promise<number>
}

const fetchesAtOnce = 4
const statsAtOnce = 32
/** Of the free space where files are fetched to. */
const freeShareMax = 0.8

/** `directory`: private, where files may be fetched to. */
export function openTableFiles(derived: Store, directory: string): TableFiles {
  const own = derived.url.startsWith('file:') ? fileURLToPath(derived.url) : null
  const fetched = new Map<string, string>()
  const inPlace = async ({ key, bytes }: Named): Promise<string> => {
    const path = join(own as string, key)
    const seen = await stat(path).catch(() => null)
    if (seen?.size === bytes) return path
    throw missing(key, seen === null ? 'it is not there' : `it has ${seen.size} bytes, the manifest says ${bytes}`)
  }
  const fetch = async ({ key, bytes }: Named): Promise<string> => {
    const known = fetched.get(key)
    if (known !== undefined) return known
    const object = await derived.get(key)
    if (object?.size !== bytes) throw missing(key, object === null ? 'it is not there' : 'it has another size')
    const path = join(directory, key)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, object.body)
    fetched.set(key, path)
    return path
  }
  return {
    async paths(files) {
      if (own === null)
        await refuseTooMuch(
          files.filter(({ key }) => !fetched.has(key)),
          directory,
        )
      const paths: string[] = []
      const [width, one] = own === null ? ([fetchesAtOnce, fetch] as const) : ([statsAtOnce, inPlace] as const)
      for await (const path of mapInOrder(files, width, one)) paths.push(path)
      return paths
    },
    async put(path, key) {
      const body = await readFile(path)
      await derived.put(key, body)
      await rm(path)
      return body.length
    },
  }
}

async function refuseTooMuch(files: readonly Named[], directory: string): Promise<void> {
  const wanted = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const { bavail, bsize } = await statfs(directory)
  if (wanted <= bavail * bsize * freeShareMax) return
  const message = `this needs ${wanted} bytes of tables and ${bavail * bsize} are free; ask for fewer dates or roots, or set TMPDIR`
  throw new GleanerError('store-full', { operation: 'fetch tables', subject: directory, message })
}

function missing(key: string, message: string): GleanerError {
  return new GleanerError('table-missing', { operation: 'read table', subject: key, message })
}
