/**
 * What an errno of the kernel means for one file. Whether the root itself is in trouble is asked first, elsewhere
 * (`files-root.ts`), since a dead mount gives ENOENT as readily as a deleted file does.
 */
import { type ErrorCode, GleanerError, messageOf } from '../errors.ts'
import type { Failure } from './files-messages.ts'

// Linux numbers: Node has no name for some of them (ESTALE's `code` is "Unknown system error -116").
const ENOENT = 2
const ENOTDIR = 20
const meanings = new Map<number, ErrorCode>([
  [ENOENT, 'file-gone'],
  [ENOTDIR, 'file-gone'],
  [36, 'file-gone'], // ENAMETOOLONG
  [77, 'file-gone'], // EBADFD
  [107, 'file-gone'], // ENOTCONN
  [116, 'file-gone'], // ESTALE
  [6, 'file-not-regular'], // ENXIO: a socket, or a device that is not there
  [19, 'file-not-regular'], // ENODEV
  [21, 'file-not-regular'], // EISDIR
  [40, 'file-not-regular'], // ELOOP: a symlink, by O_NOFOLLOW
  [1, 'file-unreadable'], // EPERM
  [13, 'file-unreadable'], // EACCES
  [126, 'file-unreadable'], // ENOKEY
  [127, 'file-unreadable'], // EKEYEXPIRED
])

/** The positive errno of an error of `node:fs`, 0 of any other. */
export function errnoOf(error: unknown): number {
  const errno = (error as { errno?: unknown } | null)?.errno
  return typeof errno === 'number' ? Math.abs(errno) : 0
}

/** Certainly not there, as far as this mount tells. */
export function isMissing(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === ENOENT || errno === ENOTDIR
}

export function isNotRegular(error: unknown): boolean {
  return meanings.get(errnoOf(error)) === 'file-not-regular'
}

/** `error` as a GleanerError: by its errno, `file-io` for one not in the table, `internal` for what is no error of the kernel. */
export function fileError(error: unknown, operation: string, subject: string): GleanerError {
  if (error instanceof GleanerError) return error
  const errno = errnoOf(error)
  const code = errno === 0 ? 'internal' : (meanings.get(errno) ?? 'file-io')
  return new GleanerError(code, { operation, subject, cause: error })
}

/** A GleanerError across threads: there and back. */
export function failureOf(error: unknown, operation: string, subject: string): Failure {
  const gleaner = fileError(error, operation, subject)
  const prefix = `${gleaner.operation} ${gleaner.subject}: `
  const text = messageOf(gleaner) ?? ''
  const message = text.startsWith(prefix) ? text.slice(prefix.length) : text
  return { code: gleaner.code, operation: gleaner.operation, subject: gleaner.subject, message }
}

export function errorOf(failure: Failure): GleanerError {
  const { code, operation, subject, message } = failure
  return new GleanerError(code, { operation, subject, message })
}
