import { readdir } from 'node:fs/promises'
import { firstAfter, isKey } from './store-rules.ts'

/**
 * The keys below a directory in byte order, without reading more of the tree than the answer needs.
 *
 * The byte order of whole keys is not the order of the names in each directory: `a-b` sorts before `a/b`, and `a.c` too, though
 * `a` sorts before both. Written with its `/`, a directory's name does sort among its neighbours as the keys below it do, since no
 * two of these names are a prefix of each other. So each directory is sorted that way, and walked from the first name that
 * can hold a key that is wanted.
 *
 * Names that no key can have (drafts begin with a dot), symlinks and special files are left out.
 */
export interface KeysWanted {
  prefix: string
  /** Only keys that sort after this one. */
  after: string
  limit: number
}

/** At most `limit` keys; none where the directory is not there. Throws the errors of readdir. */
export async function listKeys(root: string, wanted: KeysWanted): Promise<string[]> {
  const base = wanted.prefix.slice(0, wanted.prefix.lastIndexOf('/') + 1)
  const found: string[] = []
  if (base === '' || isKey(base.slice(0, -1))) await walk(base)
  return found

  /** `directory` is empty or ends with a slash. */
  async function walk(directory: string): Promise<void> {
    if (wanted.after > directory && !wanted.after.startsWith(directory)) return
    const names = await sortedNames(`${root}/${directory}`)
    const prefix = wanted.prefix.slice(directory.length)
    const after = wanted.after.startsWith(directory) ? wanted.after.slice(directory.length) : ''
    for (let at = firstWanted(names, prefix, after); at < names.length; at++) {
      const name = names[at] ?? ''
      if (!name.startsWith(prefix) || found.length >= wanted.limit) return
      if (name.endsWith('/')) await walk(directory + name)
      else found.push(directory + name)
    }
  }
}

/** Where in the sorted names the keys begin that have the prefix and come after `after` (both relative to the directory). */
function firstWanted(names: string[], prefix: string, after: string): number {
  const slash = after.indexOf('/')
  const passed = slash < 0 ? after : after.slice(0, slash + 1)
  const at = firstAfter(names, passed > prefix ? passed : prefix)
  // The directory that `after` lies in may hold more, and a name that is the prefix itself has it.
  const before = names[at - 1]
  return before !== undefined && ((slash >= 0 && before === passed) || (before === prefix && passed < prefix))
    ? at - 1
    : at
}

async function sortedNames(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    const names: string[] = []
    for (const entry of entries) {
      if (!isKey(entry.name)) continue
      if (entry.isFile()) names.push(entry.name)
      else if (entry.isDirectory()) names.push(`${entry.name}/`)
    }
    return names.sort()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
