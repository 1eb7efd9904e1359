/** Where the archive is not what the files hold in the end, and whether it says so. */

import type { Cluster } from './cluster.ts'
import { root } from './cluster.ts'
import type { LabNode } from './filesystem.ts'

/**
 * `untold`: sources whose bytes are not those of the file, though neither a revision nor an anomaly names them. A difference that `verify
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
  const untold = different
    .filter(({ id }) => !named.has(id) && !stdout.includes(id))
    .map(
      ({ id, bytes }) =>
        `source ${id} in ${root} (${bytes.length} bytes) is not what the file holds, and nothing says so`,
    )
  return { differing: different.length, untold }
}
