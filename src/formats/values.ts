/** Values of fields: numbers as they are written, and names that are only names. */

const decimal = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/

/** A decimal number; an integer beyond 2^53 as the text that it is; null for what is no number. */
export function numberOf(text: string): number | string | null {
  const short = digitsOf(text)
  if (short >= 0) return short
  if (!decimal.test(text)) return null
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  if (!Number.isFinite(value)) return text
  return /^-?\d+$/.test(text) ? text : value
}

/** Most numbers are a few digits: their value; -1 for anything else. */
function digitsOf(text: string): number {
  const { length } = text
  if (length === 0 || length > 15) return -1
  let value = 0
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Sets a field whose name comes from a file: `__proto__` is a name like any other. */
export function putField(fields: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true })
  else fields[name] = value
}
