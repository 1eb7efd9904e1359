/** A folder that is written once, from the beginning to its SHA256SUMS: whoever finds no SHA256SUMS in it knows that it is not whole. */

import { createHash } from 'node:crypto'
import { mkdir, open, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GleanerError, isGleanerError, messageOf } from '../errors.ts'

export interface Folder {
  /** A whole file, once: a second one of that path is left out. */
  put(path: string, bytes: Buffer | string): Promise<void>
  /** A file, piece by piece. */
  open(path: string): Promise<Pieces>
  /** Writes SHA256SUMS. */
  seal(): Promise<void>
}

export interface Pieces {
  write(bytes: Buffer | string): Promise<void>
  end(): Promise<void>
}

const piecesBytes = 256 * 1024

/** Throws `usage` where the directory is not empty, or none can be made there. */
export async function openFolder(directory: string): Promise<Folder> {
  const refused = (message: string, cause?: unknown): GleanerError =>
    new GleanerError('usage', { operation: 'write', subject: directory, message, cause })
  try {
    await mkdir(directory, { recursive: true })
    if ((await readdir(directory)).length > 0) throw refused('expected an empty directory, or none')
  } catch (cause) {
    if (isGleanerError(cause)) throw cause
    throw refused(`no directory can be made there: ${messageOf(cause)}`, cause)
  }
  const sums = new Map<string, string>()
  const opened = async (path: string): Promise<Pieces> => {
    const file = join(directory, path)
    await mkdir(dirname(file), { recursive: true })
    const handle = await open(file, 'wx')
    const hash = createHash('sha256')
    let [waiting, bytes]: [Buffer[], number] = [[], 0]
    const flush = async (): Promise<void> => {
      const piece = Buffer.concat(waiting)
      ;[waiting, bytes] = [[], 0]
      hash.update(piece)
      await handle.writeFile(piece)
    }
    return {
      async write(some) {
        const piece = Buffer.from(some)
        waiting.push(piece)
        bytes += piece.length
        if (bytes >= piecesBytes) await flush()
      },
      async end() {
        await flush()
        await handle.close()
        sums.set(path, hash.digest('hex'))
      },
    }
  }
  const put = async (path: string, bytes: Buffer | string): Promise<void> => {
    if (sums.has(path)) return
    const file = await opened(path)
    await file.write(bytes)
    await file.end()
  }
  return {
    put,
    open: opened,
    seal: () => put('SHA256SUMS', [...sums].map(([path, sum]) => `${sum}  ${path}\n`).join('')),
  }
}
