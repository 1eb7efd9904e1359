/** Values of fields: numbers as they are written, and names that are only names. */

const decimal = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/

/** A decimal number; an integer beyond 2^53 as the text that it is; null for what is no number. */
export function numberOf(text: string): number | string | null {
  if (!decimal.test(text)) return null
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  if (!Number.isFinite(value)) return text
  return /^-?\d+$/.test(text) ? text : value
}

/** Sets a field whose name comes from a file: `__proto__` is a name like any other. */
export function putField(fields: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true })
  else fields[name] = value
}
