/** Thread side of `list`: many directories per call. */
import { lstatSync, readdirSync } from 'node:fs'
import { encodePath, isInside } from '../core/path.ts'
import { errnoOf, fileError, isMissing } from './files-errors.ts'
import type { ListedDirectory } from './files-messages.ts'
import { checkRoot, isBeneath, locate, type Root, readyRoot, unavailable } from './files-root.ts'

/** Lists each directory. What is absent counts only when the root is still the same afterwards. */
export function list(root: Root, directories: string[]): ListedDirectory[] {
  readyRoot(root)
  const listings = directories.map((directory) => listOne(root, directory))
  checkRoot(root)
  return listings
}

function listOne(root: Root, directory: string): ListedDirectory {
  root.tick()
  try {
    const place = locate(root, directory)
    if (directory !== '' && !(isInside(directory) && isBeneath(root, place)))
      return { ...nothing, error: 'file-outside' }
    const { files, directories, links } = entriesOf(root, place)
    const prefix = directory === '' ? '' : `${directory}/`
    return {
      files: join(files, prefix),
      directories: join(directories, prefix),
      links: join(links, prefix),
      gone: false,
      error: null,
    }
  } catch (error) {
    if (directory === '') throw unavailable(root, { cause: error })
    if (isMissing(error)) return { ...nothing, gone: true }
    if (errnoOf(error) === 0) throw error
    return { ...nothing, error: fileError(error, 'list', `${root.name}/${directory}`).message }
  }
}

const nothing: ListedDirectory = { directories: '', files: '', links: '', gone: false, error: null }

interface Names {
  files: string[]
  directories: string[]
  links: string[]
}

function entriesOf(root: Root, place: string | Buffer): Names {
  const names: Names = { files: [], directories: [], links: [] }
  let entries
  try {
    // A latin1 name has one character per byte, and comes several times faster than a Buffer.
    entries = readdirSync(place, { encoding: 'latin1', withFileTypes: true })
  } catch (error) {
    if (errnoOf(error) !== 0 && !isMissing(error)) throw error
    // A filesystem that tells no types (DT_UNKNOWN): Node then asks for each by a name that it decoded wrongly, or that is gone.
    return untypedEntries(root, place)
  }
  for (const entry of entries) {
    if (entry.isFile()) names.files.push(entry.name)
    else if (entry.isDirectory()) names.directories.push(entry.name)
    else if (entry.isSymbolicLink()) names.links.push(entry.name)
  }
  return names
}

/** The same for a filesystem that does not tell types: one `lstat` per name. */
export function untypedEntries(root: Pick<Root, 'tick'>, place: string | Buffer): Names {
  const names: Names = { files: [], directories: [], links: [] }
  const prefix = Buffer.concat([Buffer.from(place), Buffer.from('/')])
  for (const name of readdirSync(place, { encoding: 'latin1' })) {
    root.tick()
    const stat = lstatSync(Buffer.concat([prefix, Buffer.from(name, 'latin1')]), { throwIfNoEntry: false })
    if (stat?.isFile()) names.files.push(name)
    else if (stat?.isDirectory()) names.directories.push(name)
    else if (stat?.isSymbolicLink()) names.links.push(name)
  }
  return names
}

const plainNames = /^[\x21-\x24\x26-\x7e\n]*$/

/** Latin1 names → paths, joined by newlines. One test tells whether all of them are plain; a newline in a name shows in the count. */
function join(names: string[], prefix: string): string {
  if (names.length === 0) return ''
  const joined = prefix + names.join(`\n${prefix}`)
  if (plainNames.test(joined) && !names.some((name) => name.includes('\n'))) return joined
  return names.map((name) => prefix + encodePath(Buffer.from(name, 'latin1'))).join('\n')
}
