import { resolve } from 'node:path'
import picomatch from 'picomatch'
import { z } from 'zod'
import type { KeyPath, Source } from './document.ts'
import { keyText, valueAt } from './document.ts'
import { parseLocation } from './location.ts'
import { alwaysExcluded, formatNames, formatsWithoutZone } from './model.ts'
import type { Problem } from './problems.ts'
import { settle } from './schema.ts'
import { parseDuration } from './units.ts'

/**
 * What no single value shows: values that do not go together. Works on the values as given, part by part, so that a
 * mistake in one place hides none in another.
 */
export function contradictions(source: Source, node: string): Problem[] {
  const found: Problem[] = []
  const say: Say = (path, message) => found.push({ ...source.at(path), key: keyText(path), message })
  const roots = givenRoots(source)
  for (const root of roots) oneRoot(source, root, say)
  namesOnce(roots, say)
  apart(roots, node, say)
  archiveOutside(source, { roots, node }, say)
  times(source, say)
  services(source, say)
  redis(source, say)
  return found
}

type Say = (path: KeyPath, message: string) => void

/** What could be read of a root; a part that is wrong in itself is undefined. */
interface GivenRoot {
  index: number
  name: string | undefined
  path: string | undefined
  paths: Record<string, string>
  include: string[]
  exclude: string[]
}

function givenRoots(source: Source): GivenRoot[] {
  const roots = valueAt(source.value, ['roots'])
  if (!Array.isArray(roots)) return []
  const texts = z.array(z.string())
  return roots.map((_root, index) => ({
    index,
    name: part(source, ['roots', index, 'name'], z.string()),
    path: part(source, ['roots', index, 'path'], z.string()),
    paths: part(source, ['roots', index, 'paths'], z.record(z.string(), z.string())) ?? {},
    include: part(source, ['roots', index, 'include'], texts) ?? ['**'],
    exclude: part(source, ['roots', index, 'exclude'], texts) ?? [],
  }))
}

function oneRoot(source: Source, root: GivenRoot, say: Say): void {
  const path = ['roots', root.index, 'format']
  const format = part(source, path, z.enum(formatNames))
  if (format === undefined) return
  if (formatsWithoutZone.includes(format) && valueAt(source.value, ['roots', root.index, 'timezone']) === undefined) {
    say(
      ['roots', root.index, 'timezone'],
      `missing: the times in ${format} files have no zone; expected one such as Europe/Zurich`,
    )
  }
}

function namesOnce(roots: GivenRoot[], say: Say): void {
  for (const { name, index } of roots) {
    const first = roots.findIndex((other) => other.name === name)
    if (name !== undefined && first < index) say(['roots', index, 'name'], `roots[${first}] has this name already`)
  }
}

/** No root may lie in another, on any node that the configuration names: each file belongs to one root. */
function apart(roots: GivenRoot[], node: string, say: Say): void {
  const nodes = new Set([node, ...roots.flatMap((root) => Object.keys(root.paths))])
  for (const later of roots) {
    for (const earlier of roots.slice(0, later.index)) {
      const where = [...nodes].find((node) => overlap(pathOn(earlier, node), pathOn(later, node)))
      if (where === undefined) continue
      const own = Object.hasOwn(later.paths, where) ? ['paths', where] : ['path']
      say(
        ['roots', later.index, ...own],
        `overlaps roots[${earlier.index}] on node ${where}; a file may belong to one root only`,
      )
    }
  }
}

/** Keys as an archive holds them, with and without the suffix that a family leaves off. */
const archiveKeys = [
  'evidence/store.json',
  'evidence/segments/root/0123-0/0000000000000000.zst',
  'evidence/segments/root/0123-0/0000000000000000',
  'evidence/digests/0.sig',
  'README.md',
  'verify.py',
]

/** An archive in a directory must not be collected itself, or it grows by what it grows. */
function archiveOutside(source: Source, { roots, node }: { roots: GivenRoot[]; node: string }, say: Say): void {
  for (const key of ['archive', 'derived']) {
    const url = valueAt(source.value, [key]) ?? (key === 'archive' ? 'file:///var/lib/gleaner' : undefined)
    const place = typeof url === 'string' ? parseLocation(url) : undefined
    if (place === undefined || typeof place === 'string' || place.kind !== 'directory') continue
    for (const root of roots) {
      const path = pathOn(root, node)
      if (path === undefined) continue
      if (isWithin(place.path, path)) say(['roots', root.index, 'path'], `lies inside the directory of \`${key}\``)
      else if (isWithin(path, place.path) && collects(root, place.path.slice(path.length).replace(/^\//, ''))) {
        say([key], `roots[${root.index}] would collect this directory; move it out, or exclude it there`)
      }
    }
  }
}

function collects(root: GivenRoot, directory: string): boolean {
  const included = picomatch(root.include, { dot: true })
  const excluded = picomatch([...root.exclude, ...alwaysExcluded], { dot: true })
  return archiveKeys.some((key) => included(`${directory}/${key}`) && !excluded(`${directory}/${key}`))
}

function times(source: Source, say: Say): void {
  const read = parseDuration(part(source, ['settle', 'read'], settle.read) ?? '')
  const tail = parseDuration(part(source, ['settle', 'tail'], settle.tail) ?? '')
  if (read === null || tail === null || tail >= read) return
  const given = valueAt(source.value, ['settle', 'tail']) === undefined ? 'read' : 'tail'
  say(['settle', given], 'expected settle.tail to be at least settle.read')
}

function services(source: Source, say: Say): void {
  const given = (...path: string[]): unknown => valueAt(source.value, path)
  const archive = given('archive')
  if (given('s3', 'objectLock') !== undefined && !(typeof archive === 'string' && archive.startsWith('s3:'))) {
    say(['s3', 'objectLock'], 'needs an archive on s3://; a directory cannot lock objects')
  }
  const host = given('serve', 'host')
  if (typeof host === 'string' && !isLoopback(host) && given('serve', 'tokenFile') === undefined) {
    say(['serve', 'host'], 'other machines can reach this address; expected serve.tokenFile as well, or 127.0.0.1')
  }
}

function redis(source: Source, say: Say): void {
  const given = (...path: string[]): unknown => valueAt(source.value, ['redis', ...path])
  if (typeof given() !== 'object' || given() === null) return
  const url = given('url')
  if (given('sentinels') !== undefined && String(given('cluster')) === 'true') {
    say(['redis', 'cluster'], 'expected either redis.sentinels or redis.cluster')
  }
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : null
  if (given('passwordFile') !== undefined && parsed !== null && parsed.password !== '') {
    say(['redis', 'passwordFile'], 'the password is in redis.url as well; expected it in one place')
  }
  if (given('username') !== undefined && parsed !== null && parsed.username !== '') {
    say(['redis', 'username'], 'the user name is in redis.url as well; expected it in one place')
  }
  if ((given('tls', 'cert') === undefined) !== (given('tls', 'key') === undefined)) {
    say(['redis', 'tls'], 'expected cert and key together, or neither')
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function pathOn(root: GivenRoot, node: string): string | undefined {
  const path = Object.hasOwn(root.paths, node) ? root.paths[node] : root.path
  return path?.startsWith('/') ? resolve(path) : undefined
}

function overlap(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && (isWithin(a, b) || isWithin(b, a))
}

/** Whether `inner` is `outer` or lies in it. Both normalized. */
function isWithin(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`)
}

function part<T>(source: Source, path: KeyPath, schema: z.ZodType<T>): T | undefined {
  const result = schema.safeParse(valueAt(source.value, path))
  return result.success ? result.data : undefined
}
