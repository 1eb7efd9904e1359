/**
 * Paths inside a root.
 *
 * A file name is bytes; it need not be UTF-8 and may hold a newline. Everywhere in Gleaner a path is one printable ASCII
 * string: the bytes relative to the root, `/` between names, every byte outside 0x21 to 0x7E and `%` itself written `%XX`.
 * So equal strings are equal names, and a path is safe in logs, JSON, Redis and object metadata. Only the files adapter
 * turns it back into bytes.
 */

const plain = /^[\x21-\x24\x26-\x7e]*$/
const escape = /%([0-9A-Fa-f]{2})?/g

/** Bytes of a relative path → path. */
export function encodePath(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  if (plain.test(text)) return text
  let out = ''
  for (const byte of bytes) {
    out += byte >= 0x21 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${hex(byte)}`
  }
  return out
}

/** Path → the bytes of the name. A `%` that is not followed by two hex digits stands for itself. */
export function decodePath(path: string): Buffer {
  if (!path.includes('%')) return Buffer.from(path, 'utf8')
  const text = Buffer.from(path, 'utf8').toString('latin1')
  return Buffer.from(
    text.replace(escape, (whole, digits: string | undefined) =>
      digits === undefined ? whole : String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    'latin1',
  )
}

/** Path → text for a person and for globs: UTF-8, with U+FFFD where the name is not. */
export function pathText(path: string): string {
  return path.includes('%') ? decodePath(path).toString('utf8') : path
}

/**
 * Whether a path from outside (a signal) can name a file beneath a root: relative, no empty, `.` or `..` name, no NUL,
 * at most 4,096 bytes (PATH_MAX).
 */
export function isInside(path: string): boolean {
  if (path.length === 0 || path.length > 3 * 4096) return false
  const bytes = decodePath(path)
  if (bytes.length > 4096 || bytes.includes(0)) return false
  return bytes
    .toString('latin1')
    .split('/')
    .every((name) => name !== '' && name !== '.' && name !== '..')
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}
