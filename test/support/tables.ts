import { mkdtempSync, rmSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ExecutionContext } from 'ava'
import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { openS3Store } from '../../src/adapters/s3.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import type { Format } from '../../src/formats/format.ts'
import type { Store } from '../../src/ports/store.ts'
import type { BuildContext, BuildOptions, BuildReport } from '../../src/query/build.ts'
import { buildTables } from '../../src/query/build.ts'
import type { Session, SessionOptions } from '../../src/query/session.ts'
import { openSession } from '../../src/query/session.ts'
import { jobLines } from './job-format.ts'
import { settingsOf } from './root-context.ts'
import { s3Server } from './s3-server.ts'
import type { S3Server } from './s3-server.ts'

/** Root `r` in an archive of its own, its tables, and queries over them. */
export interface Tables {
  context: BuildContext
  store: Store
  build(options?: Partial<BuildOptions>): Promise<BuildReport>
  open(options?: Partial<SessionOptions>): Promise<Session>
  /** The rows of one query, opened for it alone. */
  ask(sql: string, options?: Partial<SessionOptions>): Promise<Record<string, unknown>[]>
}

function tablesIn(store: Store, format: Format): Tables {
  const random = (): string => randomBytes(16).toString('hex')
  const context: BuildContext = { root: settingsOf(format), store, derived: store, clock: systemClock, random }
  const open = (options: Partial<SessionOptions> = {}): Promise<Session> =>
    openSession({ roots: [context], derived: store, asOfMs: null, query: null, ...options })
  return {
    context,
    store,
    build: (options = {}) => buildTables(context, { date: null, ...options }),
    open,
    async ask(sql, options = {}) {
      const session = await open({ query: { sql, values: {} }, ...options })
      try {
        return await session.rows(sql)
      } finally {
        await session.close()
      }
    },
  }
}

/** In a directory. */
export function openTables(t: ExecutionContext, format: Format = jobLines): Tables & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'gleaner-tables-'))
  const store = openDirectoryStore({ path, url: pathToFileURL(path).href })
  t.teardown(async () => {
    await store.close()
    rmSync(path, { recursive: true, force: true })
  })
  return { ...tablesIn(store, format), path }
}

/** On the S3 test server. */
export async function openTablesOnS3(t: ExecutionContext): Promise<Tables & { server: S3Server }> {
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  const server = s3Server()
  const { endpoint, close } = await server.start(0)
  const store = openS3Store({ bucket: 'archive', prefix: 'p', endpoint, region: 'us-east-1', forcePathStyle: true })
  t.teardown(async () => {
    await store.close()
    await close()
  })
  return { ...tablesIn(store, jobLines), server }
}
