/**
 * Text that every JSON reader accepts, PostgreSQL's `jsonb` among them: valid UTF-8, no NUL, no lone surrogate. Whatever is not
 * becomes U+FFFD, and the record is `lossy`; its raw bytes are kept beside it.
 */

import { isUtf8 } from 'node:buffer'

const unsafe = /\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g

export function safeText(bytes: Buffer): { text: string; lossy: boolean } {
  const text = bytes.toString('utf8')
  if (isUtf8(bytes) && !text.includes('\0')) return { text, lossy: false }
  return { text: text.replaceAll('\0', '\uFFFD'), lossy: true }
}

/** The same for a value that came out of a parser. Integers beyond 2^53 are the parser's business. */
export function safeValue(value: unknown): { value: unknown; lossy: boolean } {
  let lossy = false
  const clean = (text: string): string =>
    text.replace(unsafe, () => {
      lossy = true
      return '\uFFFD'
    })
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return clean(one)
    if (Array.isArray(one)) return one.map(walk)
    if (one === null || typeof one !== 'object') return one
    return Object.fromEntries(Object.entries(one).map(([key, inner]) => [clean(key), walk(inner)]))
  }
  return { value: walk(value), lossy }
}
