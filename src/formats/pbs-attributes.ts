/**
 * The tail of a PBS accounting line: `key=value key=value ...`.
 *
 *   - A value ends at a blank; it may hold `=` and `;`.
 *   - One that begins with `"` or `'` ends at the same quote before a blank or the end. `jobname` is never quoted (OpenPBS, acct.c).
 *   - A word without a key goes on with the value before it, since Torque quotes nothing: `account=my project`. Words before the first
 *     key, as in licence records, are `message`.
 *   - A key that comes twice has a list of its values.
 *
 * What makes a line malformed: a quote that never closes, and the head of another record amid it, which a writer that died left behind.
 */

export type Attributes = Record<string, string | string[]>

const recordHead = /^\d\d:\d\d:\d\d;[^; ]{1,8};/

/** Adds to `into` what `text` holds from `start`. Gives the code of what is wrong, or ''. One step forward per byte, whatever they are. */
export function readAttributes(text: string, start: number, into: Attributes): string {
  let error = ''
  let key = ''
  let valueEnd = start
  let equals = -1
  for (let at = afterBlanks(text, start); at < text.length; at = afterBlanks(text, valueEnd)) {
    const end = endOfWord(text, at)
    // Looked for once, not once per word: words without `=` may be many.
    if (equals < at) equals = indexOr(text, '=', at)
    if (equals < end && isKey(text, at, equals)) {
      key = text.slice(at, equals)
      const value = readValue(text, equals + 1, key === 'jobname' ? 'never' : 'may')
      if (!value.isClosed) error = 'quote-open'
      add(into, key, value.text)
      valueEnd = value.end
      continue
    }
    if (recordHead.test(text.slice(at, Math.min(end, at + 24)))) error = 'record-within'
    if (key === '') {
      key = 'message'
      add(into, key, text.slice(at, end))
    } else extend(into, key, text.slice(valueEnd, end))
    valueEnd = end
  }
  return error
}

function readValue(
  text: string,
  start: number,
  quotes: 'may' | 'never',
): { text: string; end: number; isClosed: boolean } {
  const quote = text.charCodeAt(start)
  if (quotes === 'never' || (quote !== 0x22 && quote !== 0x27)) {
    const end = endOfWord(text, start)
    return { text: text.slice(start, end), end, isClosed: true }
  }
  const mark = text.charAt(start)
  for (let at = text.indexOf(mark, start + 1); at >= 0; at = text.indexOf(mark, at + 1)) {
    const isLast = at + 1 === text.length || text.charCodeAt(at + 1) === 0x20
    if (isLast) return { text: text.slice(start + 1, at), end: at + 1, isClosed: true }
  }
  return { text: text.slice(start), end: text.length, isClosed: false }
}

/** A letter or `_`, then letters, digits, `_`, `.`, `-`. */
function isKey(text: string, start: number, end: number): boolean {
  if (end <= start || end - start > 256) return false
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    const isLetter = (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f
    const isOther = (code >= 0x30 && code <= 0x39) || code === 0x2e || code === 0x2d
    if (!isLetter && (at === start || !isOther)) return false
  }
  return text.slice(start, end) !== '__proto__'
}

function add(into: Attributes, key: string, value: string): void {
  const before = Object.hasOwn(into, key) ? into[key] : undefined
  if (before === undefined) into[key] = value
  else if (typeof before === 'string') into[key] = [before, value]
  else before.push(value)
}

function extend(into: Attributes, key: string, more: string): void {
  const before = into[key]
  if (typeof before === 'string') into[key] = before + more
  else if (before !== undefined) before.push((before.pop() ?? '') + more)
}

function afterBlanks(text: string, at: number): number {
  while (text.charCodeAt(at) === 0x20) at++
  return at
}

function endOfWord(text: string, at: number): number {
  return indexOr(text, ' ', at)
}

function indexOr(text: string, what: string, at: number): number {
  const found = text.indexOf(what, at)
  return found < 0 ? text.length : found
}
