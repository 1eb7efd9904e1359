import type { Body, Store } from '../ports/store.ts'
import { checkedKey, firstAfter, partsOf, rangeWithin, replaceableKey } from './store-rules.ts'

/**
 * The store as a map: the twin of the real ones, for tests and simulation. Deterministic: its only clock is `now`
 * (ms since 1970). Bodies are copied both ways, so nobody can change what is stored.
 */
export function openMemoryStore(url: string, now: () => number = Date.now): Store {
  const objects = new Map<string, { body: Buffer; storedAtMs: number }>()
  const keys: string[] = []

  function keep(key: string, body: Body): number {
    const storedAtMs = Math.floor(now())
    if (!objects.has(key)) keys.splice(firstAfter(keys, key), 0, key)
    objects.set(key, { body: Buffer.concat(partsOf(body)), storedAtMs })
    return storedAtMs
  }

  return {
    url,
    clockStepMs: 1,
    async create(key, body) {
      if (objects.has(checkedKey('create', key))) return { outcome: 'exists' }
      return { outcome: 'created', storedAtMs: keep(key, body) }
    },
    async get(key, range) {
      const object = objects.get(checkedKey('get', key))
      if (object === undefined) return null
      const { start, end } = rangeWithin(object.body.length, range)
      const body = Buffer.from(object.body.subarray(start, end))
      return { body, size: object.body.length, storedAtMs: object.storedAtMs }
    },
    async list(prefix, { after = '', limit = 1000 } = {}) {
      // Keys that begin with the prefix stand together: from the first that is not before it to the first that has it no more.
      let at = firstAfter(keys, after > prefix ? after : prefix)
      if (after < prefix && keys[at - 1] === prefix) at--
      const found = keys.slice(at, at + limit + 1).filter((key) => key.startsWith(prefix))
      const listed = found.slice(0, limit).flatMap((key) => {
        const object = objects.get(key)
        return object === undefined ? [] : [{ key, size: object.body.length, storedAtMs: object.storedAtMs }]
      })
      return { objects: listed, more: found.length > limit }
    },
    async put(key, body) {
      keep(replaceableKey('put', key), body)
    },
    async remove(key) {
      if (objects.delete(checkedKey('remove', key))) keys.splice(firstAfter(keys, key) - 1, 1)
    },
    async nowMs() {
      return Math.floor(now())
    },
    async close() {},
  }
}
