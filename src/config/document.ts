import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Document, Node, YAMLError } from 'yaml'
import { interpolate } from './interpolate.ts'
import type { Problem } from './problems.ts'

/** A key's path in the configuration: `['roots', 0, 'path']`. */
export type KeyPath = readonly (string | number)[]

type Place = Pick<Problem, 'where' | 'line' | 'column'>

/** A configuration as plain values, and where each of them stands. */
export interface Source {
  value: unknown
  /** The place of the value at `path`, or of the nearest thing around it that is there. */
  at(path: KeyPath): Place
  /** The place of the key at the end of `path`. */
  keyAt(path: KeyPath): Place
  /** The text as written, before variables are put in; undefined where it is no text. */
  written(path: KeyPath): string | undefined
  /** What was wrong already: syntax, keys twice, variables. Where the syntax is wrong, `value` is undefined. */
  problems: Problem[]
}

/** Bounds what an alias can multiply. */
const nodesMax = 20_000
const depthMax = 32

const syntax: Record<string, string> = {
  BAD_INDENT: 'expected the same indentation as the lines around it',
  DUPLICATE_KEY: 'this key is there twice in one mapping',
  MISSING_CHAR: 'a closing quote, bracket, comma or colon is missing before here',
  TAB_AS_INDENT: 'expected spaces; YAML does not allow tabs as indentation',
  MULTIPLE_DOCS: 'expected one document; there is a second one',
  BAD_DQ_ESCAPE: 'this escape is not known inside double quotes; single quotes take backslashes as they are',
  BLOCK_AS_IMPLICIT_KEY: 'expected one key and one value per line; is a value with `: ` in it not quoted?',
  MULTILINE_IMPLICIT_KEY: 'expected `key: value` on one line; is a colon missing?',
  UNEXPECTED_TOKEN: 'this does not belong here; is a quote, colon or comma missing before it?',
}

/**
 * YAML text → values and places. `${VAR}` is put in after parsing and in values only, so a variable's content can change
 * one value and never the shape. Messages never repeat the text: it may hold a secret.
 */
export function readDocument(text: string, file: string, env: NodeJS.ProcessEnv): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: false })
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { where: file, line, column: col }
  }
  const doubled = document.errors.filter((error) => error.code === 'DUPLICATE_KEY')
  // What follows a first syntax error is mostly its echo.
  const broken = document.errors.filter((error) => error.code !== 'DUPLICATE_KEY').slice(0, 1)
  const problems: Problem[] = [...doubled, ...broken].map((error) => {
    const at = place(error.pos[0])
    return { ...at, key: '', message: syntaxMessage(error, text.split('\n')[(at.line ?? 1) - 1] ?? '') }
  })
  const walk: Walk = { document, env, nodes: 0, values: new Map(), keys: new Map(), texts: new Map(), failed: [] }
  const value = broken.length > 0 ? undefined : plain(walk, document.contents, [])
  for (const { path, message } of walk.failed) {
    problems.push({ ...place(walk.values.get(id(path)) ?? 0), key: keyText(path), message })
  }
  const at = (path: KeyPath) => place(nearest(walk, path))
  const keyAt = (path: KeyPath) => place(walk.keys.get(id(path)) ?? nearest(walk, path))
  return { value, at, keyAt, written: (path) => walk.texts.get(id(path)), problems }
}

/** `['roots', 0, 'path']` → `roots[0].path`. */
export function keyText(path: KeyPath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    return text === '' ? key : `${text}.${key}`
  }, '')
}

/** The value at `path`, or undefined. */
export function valueAt(value: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>((inner, key) => {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, key)) return undefined
    return (inner as Record<string | number, unknown>)[key]
  }, value)
}

interface Walk {
  document: Document.Parsed
  env: NodeJS.ProcessEnv
  nodes: number
  /** Offsets of values and keys, and texts as written, by path. */
  values: Map<string, number>
  keys: Map<string, number>
  texts: Map<string, string>
  failed: { path: KeyPath; message: string }[]
}

function plain(walk: Walk, node: Node | null | undefined, path: KeyPath): unknown {
  const offset = node?.range?.[0]
  if (offset !== undefined && !walk.values.has(id(path))) walk.values.set(id(path), offset)
  walk.nodes += 1
  if (walk.nodes > nodesMax || path.length > depthMax) {
    if (walk.nodes === nodesMax + 1 || path.length > depthMax) walk.failed.push({ path, message: 'this is too large' })
    return undefined
  }
  if (isAlias(node)) return plain(walk, node.resolve(walk.document), path)
  if (isSeq(node)) return node.items.map((item, index) => plain(walk, item as Node, [...path, index]))
  if (isMap(node)) return plainMap(walk, node.items as { key: Node; value: Node | null }[], path)
  if (!isScalar(node)) return null
  return typeof node.value === 'string' ? filled(walk, node.value, path) : node.value
}

function plainMap(walk: Walk, items: { key: Node; value: Node | null }[], path: KeyPath): Record<string, unknown> {
  const entries = items.map(({ key, value }): [string, unknown] => {
    const name = isScalar(key) ? String(key.value) : '?'
    const inner = [...path, name]
    if (key.range) {
      walk.keys.set(id(inner), key.range[0])
      if (!value) walk.values.set(id(inner), key.range[0])
    }
    return [name, plain(walk, value, inner)]
  })
  return Object.fromEntries(entries)
}

function filled(walk: Walk, text: string, path: KeyPath): unknown {
  walk.texts.set(id(path), text)
  const result = interpolate(text, walk.env)
  if (typeof result === 'string') return result
  walk.failed.push({ path, message: result.problem })
  return undefined
}

function nearest(walk: Walk, path: KeyPath): number {
  for (let length = path.length; length > 0; length--) {
    const offset = walk.values.get(id(path.slice(0, length)))
    if (offset !== undefined) return offset
  }
  return walk.values.get(id([])) ?? 0
}

function syntaxMessage(error: YAMLError, line: string): string {
  const unquoted = /[^"']\$\{/.test(line) ? '; inside { } or [ ] a ${...} needs quotes' : ''
  return `not valid YAML: ${syntax[error.code] ?? error.code.toLowerCase().replaceAll('_', ' ')}${unquoted}`
}

function id(path: KeyPath): string {
  return JSON.stringify(path)
}
