import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { openMemoryStore } from '../../src/adapters/memory-store.ts'
import { openS3Store } from '../../src/adapters/s3.ts'
import { s3Server } from '../support/s3-server.ts'
import { storeContract } from './store.ts'

process.env['AWS_ACCESS_KEY_ID'] = 'test'
process.env['AWS_SECRET_ACCESS_KEY'] = 'testtest'

storeContract(test, 'memory', async () => {
  const store = openMemoryStore('memory:')
  return { store, close: () => store.close() }
})

storeContract(test, 'directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'gleaner-store-'))
  const store = openDirectoryStore({ path, url: `file://${path}` })
  const close = async () => {
    await store.close()
    await rm(path, { recursive: true })
  }
  return { store, close }
})

for (const [name, prefix] of [
  ['s3', 'a/prefix'],
  ['s3, whole bucket', ''],
] as const) {
  storeContract(test, name, async () => {
    const server = await s3Server({ pageMax: 7 }).start()
    const store = openS3Store({ bucket: 'archive', prefix, endpoint: server.endpoint, forcePathStyle: true })
    const close = async () => {
      await store.close()
      await server.close()
    }
    return { store, close }
  })
}
