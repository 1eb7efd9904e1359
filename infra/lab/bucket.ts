/** A place in a bucket for an archive, and what is in it as a directory, for counting with stock tools. */

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'

export interface S3Place {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
  /** It is there already. */
  bucket: string
}

export interface Bucket {
  /** The archive's URL, and what the configuration needs beside it. */
  url: string
  config: Record<string, unknown>
  env: Record<string, string>
  download(directory: string): Promise<void>
  close(): void
}

export async function createBucket({ bucket, ...place }: S3Place): Promise<void> {
  const client = clientOf(place)
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
}

export function openBucket({ bucket, ...place }: S3Place, prefix: string): Bucket {
  const { endpoint, ...credentials } = place
  const client = clientOf(place)
  return {
    url: `s3://${bucket}/${prefix}`,
    config: { s3: { endpoint, region: 'us-east-1', forcePathStyle: true } },
    env: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
    async download(directory) {
      for (let StartAfter = ''; ; ) {
        const page = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/`, StartAfter }))
        for (const { Key = '' } of page.Contents ?? []) {
          const file = join(directory, Key.slice(prefix.length + 1))
          const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }))
          await mkdir(dirname(file), { recursive: true })
          await writeFile(file, (await Body?.transformToByteArray()) ?? '')
        }
        const last = page.Contents?.at(-1)?.Key
        if (last === undefined || page.IsTruncated !== true) return
        StartAfter = last
      }
    },
    close: () => client.destroy(),
  }
}

function clientOf({ endpoint, ...credentials }: Omit<S3Place, 'bucket'>): S3Client {
  return new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
}
