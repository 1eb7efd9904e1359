import { type ErrorCode, GleanerError, messageOf } from '../errors.ts'

/**
 * What a failed S3 call means, as a table: by the error's name first, then by its HTTP status.
 *
 * `exists`: the condition failed, the key was there. `unknown`: it may have been done or not, or may pass by itself; a create
 * hands that to its caller, a read is tried again, anything else throws `store-unreachable`. The rest is certain: it was not done.
 *
 * Names that mean the same come from different stores: MinIO's XMinioStorageFull, Ceph's QuotaExceeded. Some stores answer a lost
 * race with 409 where others answer 412, so 409 says nothing about who won. A skewed clock is in `unknown` because the SDK
 * corrects its own after the first such answer.
 */
export type Meaning = 'exists' | 'unknown' | ErrorCode

const byName: Record<string, Meaning> = {
  PreconditionFailed: 'exists',
  NoSuchBucket: 'store-missing',
  PermanentRedirect: 'store-missing',
  InvalidBucketName: 'store-missing',
  QuotaExceeded: 'store-full',
  StorageFull: 'store-full',
  XMinioStorageFull: 'store-full',
  XMinioAdminBucketQuotaExceeded: 'store-full',
  NotImplemented: 'store-unfit',
  RequestTimeTooSkewed: 'unknown',
  RequestTimeout: 'unknown',
  IncompleteBody: 'unknown',
  BadDigest: 'unknown',
  XAmzContentSHA256Mismatch: 'unknown',
  AuthorizationHeaderMalformed: 'store-denied',
  ExpiredToken: 'store-denied',
  InvalidToken: 'store-denied',
  InvalidAccessKeyId: 'store-denied',
  CredentialsProviderError: 'store-denied',
  TokenProviderError: 'store-denied',
}

const byStatus: Record<number, Meaning> = {
  301: 'store-missing',
  307: 'unknown',
  401: 'store-denied',
  403: 'store-denied',
  404: 'store-missing',
  408: 'unknown',
  409: 'unknown',
  412: 'exists',
  429: 'unknown',
  501: 'store-unfit',
  507: 'store-full',
}

export function meaningOf(error: unknown): Meaning {
  if (error instanceof GleanerError) return error.code
  const { name } = error as { name?: string }
  const status = statusOf(error)
  const named = byName[name ?? ''] ?? (status === undefined ? 'unknown' : byStatus[status])
  // Any other 4xx refuses the request itself: a setting of the bucket that an archive cannot live with.
  return named ?? (status !== undefined && status >= 400 && status < 500 ? 'store-unfit' : 'unknown')
}

/** The HTTP status of the answer; undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } }
  return $metadata?.httpStatusCode
}

/** The GleanerError for a failed call on `subject`. */
export function storeError(operation: string, subject: string, cause: unknown): GleanerError {
  if (cause instanceof GleanerError) return cause
  const meaning = meaningOf(cause)
  const code = meaning === 'unknown' || meaning === 'exists' ? 'store-unreachable' : meaning
  const status = statusOf(cause)
  const { name = 'Error' } = cause as { name?: string }
  const message = `${status === undefined ? 'no answer' : `HTTP ${status}`}, ${name}: ${messageOf(cause)}`
  return new GleanerError(code, { operation, subject, message, cause })
}
