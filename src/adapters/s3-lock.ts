/** What a bucket says of its Object Lock, for `doctor`: a mode asked for on a bucket without it would have every create refused. */

import { GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import type { S3Client } from '@aws-sdk/client-s3'
import type { BucketLock } from '../ports/store.ts'
import { storeError } from './s3-errors.ts'

const withoutOne = [
  'ObjectLockConfigurationNotFoundError',
  'ObjectLockConfigurationNotFound',
  'NoSuchObjectLockConfiguration',
]

/** Throws `store-*`; a store that does not know the request counts as one that cannot tell. */
export async function bucketLock(client: S3Client, bucket: string): Promise<BucketLock> {
  try {
    const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }))
    const { ObjectLockEnabled: enabled, Rule: rule } = answer.ObjectLockConfiguration ?? {}
    const { Mode: mode, Days: days, Years: years } = rule?.DefaultRetention ?? {}
    const byDefault =
      mode === undefined ? null : `${mode} for ${years === undefined ? `${days} days` : `${years} years`}`
    return { enabled: enabled === 'Enabled', byDefault }
  } catch (cause) {
    if (withoutOne.includes((cause as Error).name)) return { enabled: false, byDefault: null }
    throw storeError('read Object Lock of', bucket, cause)
  }
}
