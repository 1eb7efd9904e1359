import { type ErrorCode, GleanerError } from '../errors.ts'

/** What a failed call on a directory store means. What is not listed may pass (EIO, ETIMEDOUT, ESTALE, EMFILE): `store-unreachable`. */
const meanings: Record<string, ErrorCode> = {
  ENOSPC: 'store-full',
  EDQUOT: 'store-full',
  EFBIG: 'store-full',
  EACCES: 'store-denied',
  EPERM: 'store-denied',
  EROFS: 'store-denied',
  ENOENT: 'store-missing',
  ENOTDIR: 'store-missing',
}

/** Runs one call of the store; what it throws becomes a GleanerError. */
export async function named<T>(operation: string, subject: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof GleanerError) throw cause
    throw new GleanerError(meanings[codeOf(cause)] ?? 'store-unreachable', { operation, subject, cause })
  }
}

/** Node knows ESTALE and EDQUOT by number only. */
export function codeOf(error: unknown): string {
  const { code = '', errno } = error as NodeJS.ErrnoException
  if (errno === -116) return 'ESTALE'
  return errno === -122 ? 'EDQUOT' : code
}

/** For `catch`: null where there is nothing of that name. */
export function unlessGone(error: unknown): null {
  if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return null
  throw error
}
