import type { ServerResponse } from 'node:http'
import type { StoredS3Object } from './s3-server.ts'

/** The XML that the test S3 server answers with: errors, and pages of ListObjectsV2. */
export function answerError(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
  response.writeHead(status, { 'Content-Type': 'application/xml', 'Content-Length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

interface ListingRequest {
  bucket: string
  query: URLSearchParams
  objects: Map<string, StoredS3Object>
  pageMax: number
}

/** Keys in byte order. A continuation token is the last key of the page before, in base64. */
export function answerListing(response: ServerResponse, { bucket, query, objects, pageMax }: ListingRequest): void {
  const maxKeys = Number(query.get('max-keys') ?? '1000')
  if (query.has('delimiter') || !Number.isInteger(maxKeys) || maxKeys < 0)
    return answerError(response, 400, 'InvalidArgument')
  const prefix = query.get('prefix') ?? ''
  const token = query.get('continuation-token')
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64').toString()
  const keys = [...objects.keys()]
    .filter((name) => name.startsWith(`${bucket}/${prefix}`))
    .map((name) => name.slice(bucket.length + 1))
    .sort(byBytes)
    .filter((key) => byBytes(key, after) > 0)
  const page = keys.slice(0, Math.min(maxKeys, pageMax))
  const truncated = maxKeys > 0 && page.length < keys.length
  const body = [
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
    `<Name>${escaped(bucket)}</Name><Prefix>${escaped(prefix)}</Prefix><KeyCount>${page.length}</KeyCount>`,
    `<MaxKeys>${maxKeys}</MaxKeys><IsTruncated>${truncated}</IsTruncated>`,
    truncated
      ? `<NextContinuationToken>${Buffer.from(page.at(-1) ?? '').toString('base64')}</NextContinuationToken>`
      : '',
    ...page.map((key) => contentsOf(key, objects.get(`${bucket}/${key}`))),
    '</ListBucketResult>',
  ].join('')
  response.writeHead(200, { 'Content-Type': 'application/xml', 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function contentsOf(key: string, object: StoredS3Object | undefined): string {
  const seconds = Math.floor((object?.storedAtMs ?? 0) / 1000) * 1000
  const modified = new Date(seconds).toISOString()
  return `<Contents><Key>${escaped(key)}</Key><LastModified>${modified}</LastModified><Size>${object?.body.length ?? 0}</Size></Contents>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
