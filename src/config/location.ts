import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Where an archive is. `url` is canonical: equal strings are one place. */
export type Location =
  | { readonly kind: 'directory'; readonly url: string; readonly path: string }
  | { readonly kind: 's3'; readonly url: string; readonly bucket: string; readonly prefix: string }

export const locationExpected = 'expected file:///DIRECTORY or s3://BUCKET[/PREFIX]'

const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const prefixPattern = /^[\x21-\x7e]{0,512}$/

/**
 * `file:///DIRECTORY` or `s3://BUCKET[/PREFIX]` → Location. Returns what was expected, as text, where it is neither; the
 * text never repeats the value, since people put credentials into URLs.
 */
export function parseLocation(url: string): Location | string {
  if (url.startsWith('file:')) return parseFile(url)
  if (url.startsWith('s3://')) return parseS3(url)
  return locationExpected
}

function parseFile(url: string): Location | string {
  if (!url.startsWith('file:///') || /[?#]/.test(url)) {
    return 'expected file:///DIRECTORY: three slashes, an absolute path, no query or fragment'
  }
  try {
    const path = resolve(fileURLToPath(url))
    return { kind: 'directory', url: pathToFileURL(path).href, path }
  } catch {
    return 'expected file:///DIRECTORY with a path that a file URL can name'
  }
}

function parseS3(url: string): Location | string {
  const rest = url.slice('s3://'.length)
  if (rest.includes('@'))
    return "expected s3://BUCKET[/PREFIX]: credentials come from the SDK's chain, never from the URL"
  const slash = rest.indexOf('/')
  const bucket = slash === -1 ? rest : rest.slice(0, slash)
  const prefix = slash === -1 ? '' : rest.slice(slash + 1).replace(/\/$/, '')
  if (!bucketPattern.test(bucket)) {
    return 'expected s3://BUCKET[/PREFIX]: a bucket is 3 to 63 of a-z, 0-9, `.` and `-`, with a letter or digit at both ends'
  }
  const names = prefix.split('/')
  const named = prefix === '' || names.every((name) => name !== '' && name !== '.' && name !== '..')
  if (!named || !prefixPattern.test(prefix) || /[?#%]/.test(prefix)) {
    return 'expected s3://BUCKET/PREFIX: printable ASCII, no empty, `.` or `..` name, none of `?`, `#`, `%`'
  }
  return { kind: 's3', url: prefix === '' ? `s3://${bucket}` : `s3://${bucket}/${prefix}`, bucket, prefix }
}
