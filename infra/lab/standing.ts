/**
 * What an archive says a file held: its segments, and over them what revisions name. A revision is what the file system gave when it was asked again.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseRevisionKey } from '../../src/core/segment.ts'
import type { ArchivedSource } from '../../test/support/lines.ts'
import { readArchive } from '../../test/support/lines.ts'
import { runProgram } from '../../test/support/process.ts'

export async function readStanding(archive: string, root: string): Promise<ArchivedSource[]> {
  const sources = await readArchive(archive, root)
  return Promise.all(sources.map((source) => revised(source, { archive, root })))
}

async function revised(
  source: ArchivedSource,
  { archive, root }: { archive: string; root: string },
): Promise<ArchivedSource> {
  const prefix = join('evidence', 'revisions', root, source.id)
  const names = await readdir(join(archive, prefix)).catch((): string[] => [])
  const found = names.map((name) => parseRevisionKey(join(prefix, name))).filter((one) => one !== null)
  const bytes = Buffer.from(source.bytes)
  for (const { start, n } of found.toSorted((a, b) => a.n - b.n)) {
    const file = join(archive, prefix, `${String(start).padStart(16, '0')}-${n}.zst`)
    const { status, stdout } = await runProgram('zstd', ['-dcq', file])
    if (status !== 0) throw new Error(`zstd -dc of ${file} ended with ${status}`)
    stdout.copy(bytes, start)
  }
  return { ...source, bytes }
}
