import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Making names in directories last.
 *
 * A name is durable once its directory has been fsynced after it was made. An fsync covers every name made before it began, so
 * those who ask while one runs share the next one: at most one runs and one waits per directory, whatever the load.
 */
export interface DurableNames {
  /** Resolves when an fsync of `directory` that began after this call has ended. */
  sync(directory: string): Promise<void>
  /**
   * Makes `directory` (the root or below it) and what is missing above it, and makes their names durable. A directory that was
   * found is treated as one that was made, since whoever made it may not have synced it yet; each one costs that once per
   * process. The root itself is never made: where it is missing, a mount probably is. Throws the errors of mkdir and fsync.
   */
  ensure(directory: string): Promise<void>
  /** Forgets what `ensure` knows: a directory has been removed meanwhile. */
  forget(): void
}

/** So many directories are remembered, then all are forgotten (each costs one fsync again). */
const knownMax = 50_000

export function durableNames(root: string): DurableNames {
  const running = new Map<string, Promise<void>>()
  const waiting = new Map<string, Promise<void>>()
  const known = new Set<string>()

  function sync(directory: string): Promise<void> {
    const queued = waiting.get(directory)
    if (queued !== undefined) return queued
    const current = running.get(directory)
    if (current === undefined) return begin(directory)
    const next = current
      .catch(() => {})
      .then(() => {
        waiting.delete(directory)
        return begin(directory)
      })
    waiting.set(directory, next)
    return next
  }

  function begin(directory: string): Promise<void> {
    const run = syncDirectory(directory).finally(() => running.delete(directory))
    running.set(directory, run)
    return run
  }

  async function ensure(directory: string): Promise<void> {
    if (known.has(directory)) return
    if (directory === root) {
      await stat(root)
    } else {
      const parent = dirname(directory)
      await ensure(parent)
      await mkdir(directory).catch(unlessThere)
      await sync(parent)
    }
    if (known.size >= knownMax) known.clear()
    known.add(directory)
  }

  return { sync, ensure, forget: () => known.clear() }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
