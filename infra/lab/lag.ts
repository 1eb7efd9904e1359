/** How long records took: from the time that `append.ts` writes in each to the time of its entry in the stream, ms. */

import type { StreamEntry } from '../../test/support/lines.ts'

/** Of those that `name` wrote. */
export function lagsOf(entries: StreamEntry[], name: string): number[] {
  const pattern = new RegExp(`"${name}" (\\d+) `)
  return entries.flatMap(({ id, fields }) => {
    const match = pattern.exec(fields['raw']?.toString() ?? '')
    return match ? [Number(id.split('-')[0]) - Number(match[1])] : []
  })
}
