/**
 * What this process archived and could not publish: sources whose records, announcements or revisions Redis did not take. The file may be gone by
 * the time Redis is back, and no pass would visit it again; so it is tried until it is done. In memory: after a kill, the sweep of a
 * full pass finds the same.
 */

import { isGleanerError } from '../errors.ts'
import type { Ledger } from './ledger.ts'
import type { Publisher } from './publish.ts'

const debtsMax = 100_000
const atOnce = 100

export interface Debts {
  /** `disown`: what was published of it beyond the archive is to be announced as revised. */
  add(source: string, options?: { disown: boolean }): void
  delete(source: string): void
  /** Tries some. Stops at the first that fails. */
  settle(publisher: Publisher, ledger: Ledger): Promise<void>
  readonly size: number
}

export function openDebts(): Debts {
  const owed = new Map<string, { disown: boolean }>()
  return {
    add(source, options = { disown: false }) {
      if (owed.size < debtsMax || owed.has(source))
        owed.set(source, { disown: options.disown || (owed.get(source)?.disown ?? false) })
    },
    delete(source) {
      if (owed.get(source)?.disown === false) owed.delete(source)
    },
    async settle(publisher, ledger) {
      for (const [source, { disown }] of [...owed].slice(0, atOnce)) {
        const isDone = await publishArchived({ publisher, ledger }, source, { disown })
        if (!isDone) return
        owed.delete(source)
      }
    },
    get size() {
      return owed.size
    },
  }
}

/** Publishes what the archive holds of a source beyond its position. False: not now (Redis, the store, or a starting epoch). */
export async function publishArchived(
  { publisher, ledger }: { publisher: Publisher; ledger: Ledger },
  source: string,
  { disown }: { disown: boolean },
): Promise<boolean> {
  try {
    const head = await ledger.last(source)
    if (!head) return true
    const { path, family } = head
    for (let before = -1; ; ) {
      const disowned = disown ? ((await publisher.standing(source))?.published ?? null) : null
      const position = await publisher.publish({ source, path, family, head, ahead: null, disowned })
      if (position === null) return false
      if (position.published >= head.end || position.published === before) return true
      before = position.published
    }
  } catch (error) {
    if (isGleanerError(error)) return false
    throw error
  }
}
