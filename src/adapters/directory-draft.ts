import { randomBytes } from 'node:crypto'
import { lstat, open, readdir, stat, unlink, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Body } from '../ports/store.ts'
import { partsOf } from './store-rules.ts'

/**
 * Drafts: files under a name that no key can have, written beside their target and then linked or renamed to it. A process that
 * dies in between leaves one behind; the sweep removes those a day later.
 */
const draftName = /^\.gleaner-[0-9a-f]{16}$/
const dayMs = 86_400_000

export function draftPath(directory: string): string {
  return join(directory, `.gleaner-${randomBytes(8).toString('hex')}`)
}

/** Writes a new file and makes its bytes durable. Gives its mtime in ms. Removes it again when it fails. */
export async function writeDraft(path: string, body: Body): Promise<number> {
  const handle = await open(path, 'wx')
  try {
    try {
      await writeParts(handle, partsOf(body))
      await handle.sync()
      return Math.floor((await handle.stat()).mtimeMs)
    } finally {
      await handle.close()
    }
  } catch (error) {
    await discard(path)
    throw error
  }
}

/** All with one call. A file that takes less of it has no room for the rest, or will say what is wrong when it is given it. */
async function writeParts(handle: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  const { bytesWritten } = await handle.writev(parts)
  if (bytesWritten < bytes) await handle.writeFile(Buffer.concat(parts).subarray(bytesWritten))
}

/** Removes a draft. One that cannot be removed is left to the sweep. */
export async function discard(path: string): Promise<void> {
  await unlink(path).catch(() => {})
}

/** The directory's clock: the mtime, in ms, that its filesystem gives a file now. */
export async function directoryNowMs(directory: string): Promise<number> {
  const path = draftPath(directory)
  try {
    await writeFile(path, 'now', { flag: 'wx' })
    return Math.floor((await stat(path)).mtimeMs)
  } finally {
    await discard(path)
  }
}

/**
 * Removes drafts that are older than a day by the directory's own clock, below `root`; gives how many. Does nothing if it was
 * done within the last day, which the file `.gleaner-swept` remembers. What cannot be read or removed is passed over.
 */
export async function sweep(root: string, signal?: AbortSignal): Promise<number> {
  const nowMs = await directoryNowMs(root)
  const marker = join(root, '.gleaner-swept')
  const sweptMs = await lstat(marker).then(
    (seen) => seen.mtimeMs,
    () => 0,
  )
  if (nowMs - sweptMs < dayMs) return 0
  await writeFile(marker, '')
  let removed = 0
  const directories = [root]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    if (signal?.aborted) break
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) directories.push(path)
      else if (draftName.test(entry.name) && (await isStale(path, nowMs)) && (await removes(path))) removed++
    }
  }
  return removed
}

async function isStale(path: string, nowMs: number): Promise<boolean> {
  return await lstat(path).then(
    (seen) => nowMs - seen.mtimeMs > dayMs,
    () => false,
  )
}

async function removes(path: string): Promise<boolean> {
  return await unlink(path).then(
    () => true,
    () => false,
  )
}
