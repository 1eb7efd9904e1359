import { lstat, open, rmdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { ByteRange, Listed, Listing, Store, StoredObject } from '../ports/store.ts'
import { directoryNowMs } from './directory-draft.ts'
import { codeOf, named, unlessGone } from './directory-errors.ts'
import { listKeys } from './directory-list.ts'
import type { DirectoryPlace } from './directory-place.ts'
import { directoryPlace } from './directory-place.ts'
import { directoryWriter } from './directory-write.ts'
import { checkedKey, rangeWithin, replaceableKey } from './store-rules.ts'

/**
 * The store as a directory: a key is a path below it, `storedAtMs` is the file's mtime. How it is written is told in
 * `directory-write.ts`, how it is listed in byte order in `directory-list.ts`.
 *
 * The directory itself is never made: where it is missing, a mount probably is, and every call throws `store-missing`; so it is where
 * another directory stands in its place (`directory-place.ts`).
 * Calls are asynchronous, in libuv's pool: how many fsyncs run at once is UV_THREADPOOL_SIZE (4 by default).
 */
export function openDirectoryStore(options: { path: string; url: string }): Store {
  const root = resolve(options.path)
  const place = directoryPlace(root)
  const writer = directoryWriter(root)
  const clock = cachedClock(() => directoryNowMs(root))
  return {
    url: options.url,
    clockStepMs: 1,
    create: (key, body) =>
      named('create', key, () => within(place, () => writer.create(join(root, checkedKey('create', key)), body))),
    get: (key, range) => named('get', key, () => read({ root, place }, checkedKey('get', key), range)),
    list: (prefix, listOptions) => named('list', prefix, () => list({ root, place }, prefix, listOptions)),
    put: (key, body) =>
      named('put', key, () => within(place, () => writer.put(join(root, replaceableKey('put', key)), body))),
    remove: (key) => named('remove', key, () => removeFile(root, checkedKey('remove', key))),
    nowMs: () => named('clock', root, clock),
    close: () => writer.close(),
  }
}

interface Directory {
  root: string
  place: DirectoryPlace
}

/** A write counts only if it went where the archive is, from its beginning to its end. */
async function within<T>(place: DirectoryPlace, write: () => Promise<T>): Promise<T> {
  await place.check()
  const answer = await write()
  await place.check()
  return answer
}

async function list(
  { root, place }: Directory,
  prefix: string,
  options: { after?: string; limit?: number } = {},
): Promise<Listing> {
  const { after = '', limit = 1000 } = options
  const keys = await listKeys(root, { prefix, after, limit: limit + 1 })
  if (keys.length === 0) await place.check() // an empty store is not one that is missing
  return { objects: await listedOf(root, keys.slice(0, limit)), more: keys.length > limit }
}

async function read(
  { root, place }: Directory,
  key: string,
  range: ByteRange | undefined,
): Promise<StoredObject | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOnce(join(root, key), range)
    } catch (error) {
      if (codeOf(error) === 'ESTALE' && attempt < 3) continue
      if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error
      await place.check() // an object is missing only from a store that is there
      return null
    }
  }
}

async function readOnce(path: string, range: ByteRange | undefined): Promise<StoredObject | null> {
  const handle = await open(path, 'r')
  try {
    const seen = await handle.stat()
    if (!seen.isFile()) return null
    const { start, end } = rangeWithin(seen.size, range)
    const body = Buffer.allocUnsafeSlow(end - start)
    for (let filled = 0; filled < body.length; ) {
      const { bytesRead } = await handle.read(body, filled, body.length - filled, start + filled)
      if (bytesRead === 0) throw Object.assign(new Error('the object ends before its size'), { code: 'EIO' })
      filled += bytesRead
    }
    return { body, size: seen.size, storedAtMs: Math.floor(seen.mtimeMs) }
  } finally {
    await handle.close()
  }
}

/** Size and time of each key, some at a time; one that was removed meanwhile is left out. */
async function listedOf(root: string, keys: string[]): Promise<Listed[]> {
  const listed: Listed[] = []
  for (let at = 0; at < keys.length; at += 64) {
    const some = keys.slice(at, at + 64).map(async (key) => {
      const seen = await lstat(join(root, key)).catch(unlessGone)
      return seen === null ? [] : [{ key, size: seen.size, storedAtMs: Math.floor(seen.mtimeMs) }]
    })
    listed.push(...(await Promise.all(some)).flat())
  }
  return listed
}

/** Below `derived/` the directories that this leaves empty go too; those of evidence are few and stay. */
async function removeFile(root: string, key: string): Promise<void> {
  await unlink(join(root, key)).catch(unlessGone)
  if (!key.startsWith('derived/')) return
  for (let directory = dirname(key); directory !== '.'; directory = dirname(directory)) {
    const removed = await rmdir(join(root, directory)).then(
      () => true,
      () => false,
    )
    if (!removed) return
  }
}

/** `ask` at most every ten seconds, the monotonic time since then added. */
function cachedClock(ask: () => Promise<number>): () => Promise<number> {
  let asked: Promise<{ storeMs: number; atMs: number }> | undefined
  let expiresAtMs = 0
  return async () => {
    if (asked === undefined || performance.now() >= expiresAtMs) {
      expiresAtMs = performance.now() + 10_000
      asked = ask().then((storeMs) => ({ storeMs, atMs: performance.now() }))
      asked.catch(() => (asked = undefined))
    }
    const { storeMs, atMs } = await asked
    return Math.floor(storeMs + performance.now() - atMs)
  }
}
