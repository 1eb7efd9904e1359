/** A bucket for an archive, and what is in it as a directory, for counting with stock tools. */

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'

export interface S3Place {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
}

export interface Bucket {
  /** The archive's URL, and what the configuration needs beside it. */
  url: string
  config: Record<string, unknown>
  env: Record<string, string>
  download(directory: string): Promise<void>
  close(): void
}

export async function openBucket({ endpoint, ...credentials }: S3Place, name: string): Promise<Bucket> {
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: name })).catch((error: Error) => {
    if (!/BucketAlready/.test(error.name)) throw error
  })
  return {
    url: `s3://${name}/lab`,
    config: { s3: { endpoint, region: 'us-east-1', forcePathStyle: true } },
    env: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
    async download(directory) {
      for (let StartAfter = ''; ; ) {
        const page = await client.send(new ListObjectsV2Command({ Bucket: name, StartAfter }))
        for (const { Key = '' } of page.Contents ?? []) {
          const file = join(directory, Key.replace(/^lab\//, ''))
          const { Body } = await client.send(new GetObjectCommand({ Bucket: name, Key }))
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
