/** A node's files, by whoever runs on that node: the lab itself, or its agent in a machine of its own. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Truth } from '../../test/support/lines.ts'

/** The files of a directory as this machine shows them now; names with a leading dot are left out. */
export function filesOf(directory: string): Truth {
  const names = readdirSync(directory, { withFileTypes: true }).filter(
    (one) => one.isFile() && !one.name.startsWith('.'),
  )
  return new Map(names.map(({ name }) => [name, readFileSync(join(directory, name))]))
}

/** Writes a file anew, and the directories above it. */
export function writeText(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
