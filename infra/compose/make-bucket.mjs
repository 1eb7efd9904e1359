// The bucket that ARCHIVE names, in the store at S3_ENDPOINT, unless it is there. Without an answer it ends with 1, and is started again.
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'

const Bucket = new URL(process.env.ARCHIVE).hostname
const client = new S3Client({ endpoint: process.env.S3_ENDPOINT, region: 'us-east-1', forcePathStyle: true })
const isThere = await client.send(new HeadBucketCommand({ Bucket })).then(
  () => true,
  () => false,
)
if (!isThere) await client.send(new CreateBucketCommand({ Bucket }))
