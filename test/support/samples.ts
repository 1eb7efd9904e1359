/** Real records of batch systems, where they are at hand: `../shared/samples`, beside the project. Tests without them have none to read. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const directory = fileURLToPath(new URL('../../../shared/samples', import.meta.url))

/** Every file of a kind, by name; empty where there are none. */
export function samplesOf(kind: string): { name: string; bytes: Buffer }[] {
  const place = `${directory}/${kind}`
  if (!existsSync(place)) return []
  return readdirSync(place).map((name) => ({ name: `${kind}/${name}`, bytes: readFileSync(`${place}/${name}`) }))
}

/** What another parser made of each line: null where it made nothing. Empty where there are none. */
export function expectedOf(
  name: string,
): { line: string; result: Record<string, number | string | null> | null; options: Record<string, unknown> }[] {
  const path = `${directory}/expected/${name}`
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ReturnType<typeof expectedOf>) : []
}
