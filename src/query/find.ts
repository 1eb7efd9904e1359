/** What a person calls a source → the source: its id, or ROOT/PATH. */

import { suggestion } from '../config/problems.ts'
import { encodePath } from '../core/path.ts'
import { familyOf } from '../core/family.ts'
import { parseSourceId } from '../core/identity.ts'
import { GleanerError } from '../errors.ts'
import type { RootContext } from '../roles/context.ts'
import { reachOf } from '../roles/reach.ts'
import type { Ledger, Mark } from '../roles/ledger.ts'
import { lastMarks } from './sources.ts'

const nearMax = 8

/** The last segment of source `id` in this root, or null. */
export function sourceById(ledger: Ledger, id: string): Promise<Mark | null> {
  return parseSourceId(id) === null ? Promise.resolve(null) : ledger.last(id)
}

/**
 * The newest source whose segments name this path: the one whose segment of that name was stored last. The path may be percent-encoded or
 * as the file system has it. Throws `not-found` with what is near, `store-*`.
 */
export async function sourceByPath(
  context: Pick<RootContext, 'root' | 'store'>,
  ledger: Ledger,
  text: string,
): Promise<Mark> {
  const paths = new Set([text, encodePath(Buffer.from(text))])
  const marks = await lastMarks(ledger, await reachOf(context, 0))
  const families = new Set([...paths].map((path) => familyOf(path, context.root.family)))
  const family = [...marks.values()].filter((mark) => families.has(mark.family))
  let newest: { named: Mark; head: Mark } | null = null
  for (const head of family) {
    const named = await lastNaming(ledger, head, paths)
    if (named && (newest === null || named.storedAtMs > newest.named.storedAtMs)) newest = { named, head }
  }
  if (newest) return newest.head
  throw notFound(context.root.name, text, { family, all: [...marks.values()] })
}

/** The last segment of a source that names one of these paths. The last one mostly does. */
async function lastNaming(ledger: Ledger, head: Mark, paths: ReadonlySet<string>): Promise<Mark | null> {
  if (paths.has(head.path)) return head
  for (const listed of (await ledger.segmentsFrom(head.source, 0)).toReversed()) {
    const mark = await ledger.header(listed.key, listed.storedAtMs)
    if (paths.has(mark.path)) return mark
  }
  return null
}

function notFound(root: string, text: string, { family, all }: { family: Mark[]; all: Mark[] }): GleanerError {
  const listed = family.slice(0, nearMax).map((mark) => `\n  ${root}/${mark.path}  ${mark.source}`)
  const more = family.length > nearMax ? `\n  and ${family.length - nearMax} more` : ''
  const near =
    family.length > 0
      ? `; of its family there are:${listed.join('')}${more}`
      : suggestion(text, [...new Set(all.map(({ path }) => path))])
  const message = `no segment names this path${near}`
  return new GleanerError('not-found', { operation: 'find', subject: `${root}/${text}`, message })
}
