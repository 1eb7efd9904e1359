/** Where the archive is not what the files hold in the end, and whether it says so. */

import type { Cluster } from './cluster.ts'
import { root } from './cluster.ts'
import type { LabNode } from './filesystem.ts'

/** States of a source that no file holds any more. */
const told = new Set(['gone', 'vanished', 'truncated'])

/**
 * `untold`: sources whose bytes are not those of the file, though neither a revision nor an anomaly names them, nor are they said to be gone. A difference that `verify
 * --files` alone would find counts as untold.
 */
export async function verifiedDifferences(
  cluster: Cluster,
  node: LabNode,
): Promise<{ differing: number; untold: string[] }> {
  const files = [...(await node.files(cluster.at(node))).values()]
  const different = (await cluster.archive()).filter(
    ({ bytes }) => !files.some((file) => file.subarray(0, bytes.length).equals(bytes)),
  )
  const { stdout } = await cluster.gleaner(node, '--json', 'anomalies')
  const revised = (await cluster.stream()).filter(({ fields }) => fields['kind']?.toString() === 'revision')
  const named = new Set(revised.map(({ fields }) => fields['source']?.toString() ?? ''))
  const sources = await cluster.gleaner(node, '--json', 'sources')
  const states = JSON.parse(sources.stdout || '[]') as { source: string; state: string }[]
  const gone = new Set(states.filter(({ state }) => told.has(state)).map(({ source }) => source))
  const untold = different
    .filter(({ id }) => !named.has(id) && !gone.has(id) && !stdout.includes(id))
    .map(
      ({ id, bytes }) =>
        `source ${id} in ${root} (${bytes.length} bytes) is not what the file holds, and nothing says so`,
    )
  return { differing: different.length, untold }
}
