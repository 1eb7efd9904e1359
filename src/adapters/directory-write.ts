import { link, lstat, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GleanerError } from '../errors.ts'
import type { Body, CreateOutcome } from '../ports/store.ts'
import { discard, draftPath, sweep, writeDraft } from './directory-draft.ts'
import { durableNames } from './directory-durable.ts'
import { codeOf, unlessGone } from './directory-errors.ts'

/**
 * Writing into a directory store.
 *
 * Create: write a draft beside the target, fsync it, link(2) it to the target, unlink the draft, fsync the directory. The link is
 * the commit: it is atomic, and fails where the name exists. An answer that was lost on the way (NFS repeats a link whose reply
 * it missed, and is told EEXIST) shows in the draft's link count: 2 means that the link was made, whatever the call said.
 * `exists` is answered after the same fsync, since who made the name may not have synced it yet.
 *
 * Put (derived objects only): draft, fsync, rename, fsync of the directory.
 *
 * The first write also starts the sweep of stale drafts, in the background.
 */
export interface DirectoryWriter {
  /** `target` is a path below the root. */
  create(target: string, body: Body): Promise<CreateOutcome>
  put(target: string, body: Buffer): Promise<void>
  /** Ends the sweep. */
  close(): Promise<void>
}

interface Draft {
  path: string
  storedAtMs: number
}

export function directoryWriter(root: string): DirectoryWriter {
  const names = durableNames(root)
  const stopped = new AbortController()
  let sweeping: Promise<unknown> | undefined

  /** Writes a draft for `target`. A directory that was removed meanwhile is made again, once. */
  async function draftFor(target: string, body: Body): Promise<Draft> {
    sweeping ??= sweep(root, stopped.signal).catch(() => 0)
    const path = draftPath(dirname(target))
    try {
      await names.ensure(dirname(target))
      return { path, storedAtMs: await writeDraft(path, body) }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      names.forget()
      await names.ensure(dirname(target))
      return { path, storedAtMs: await writeDraft(path, body) }
    }
  }

  /** `outcome` once the target's name is durable. */
  async function settled(target: string, outcome: CreateOutcome): Promise<CreateOutcome> {
    return await names.sync(dirname(target)).then(
      () => outcome,
      (cause: unknown) => ({ outcome: 'unknown', cause }),
    )
  }

  return {
    async create(target, body) {
      if ((await lstat(target).catch(unlessGone)) !== null) return await settled(target, { outcome: 'exists' })
      const draft = await draftFor(target, body)
      const outcome = await linkOutcome(draft, target)
      return outcome.outcome === 'unknown' ? outcome : await settled(target, outcome)
    },
    async put(target, body) {
      const draft = await draftFor(target, body)
      try {
        await rename(draft.path, target)
      } catch (error) {
        await discard(draft.path)
        throw error
      }
      await names.sync(dirname(target))
    },
    async close() {
      stopped.abort()
      await sweeping
    },
  }
}

/** Links the draft to its target and removes the draft. */
async function linkOutcome(draft: Draft, target: string): Promise<CreateOutcome> {
  const created: CreateOutcome = { outcome: 'created', storedAtMs: draft.storedAtMs }
  try {
    await link(draft.path, target)
    return created
  } catch (error) {
    const links = await lstat(draft.path).then(
      (seen) => seen.nlink,
      () => null,
    )
    if (links === 2) return created
    if (links === null) return { outcome: 'unknown', cause: error }
    return failedLink(error, target)
  } finally {
    await discard(draft.path)
  }
}

/** What it means that a link failed with this error and was not made. */
function failedLink(error: unknown, target: string): CreateOutcome {
  const code = codeOf(error)
  if (code === 'EEXIST') return { outcome: 'exists' }
  if (['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS'].includes(code)) throw error
  if (!['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EXDEV', 'EMLINK'].includes(code)) {
    return { outcome: 'unknown', cause: error }
  }
  throw new GleanerError('store-unfit', {
    operation: 'create',
    subject: target,
    message: 'this filesystem has no hard links, without which a create cannot be exclusive',
    cause: error,
  })
}
