/**
 * DuckDB in this process, bounded: a database in memory, few threads, a limit on memory, and a private directory for what does not fit.
 * Nothing is ever downloaded: Parquet, JSON and ICU are built in, and loading anything else is off.
 */

import { DuckDBInstance } from '@duckdb/node-api'
import type { DuckDBConnection } from '@duckdb/node-api'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Duck {
  connection: DuckDBConnection
  /** Private to this process, gone when it is closed. */
  directory: string
  close(): Promise<void>
}

export async function openDuck({ threads, memory }: { threads: number; memory: string }): Promise<Duck> {
  const directory = await mkdtemp(join(tmpdir(), 'gleaner-duckdb-'))
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(threads),
    memory_limit: memory,
    temp_directory: join(directory, 'spill'),
    extension_directory: join(directory, 'extensions'),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    // Files are read once, and the kernel keeps what it has room for: merging a day of 50 GB filled the limit with them.
    enable_external_file_cache: 'false',
  })
  const connection = await instance.connect()
  await connection.run(`SET TimeZone = 'UTC'`)
  return {
    connection,
    directory,
    async close() {
      connection.closeSync()
      instance.closeSync()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/**
 * From here on SQL reaches no file but these and those below this database's own directory, and no setting can be changed. What users
 * give is not even planned before.
 */
export async function lockDuck({ connection, directory }: Duck, paths: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = ${listLiteral(paths)}`)
  await connection.run(`SET allowed_directories = ${listLiteral([directory])}`)
  await connection.run('SET enable_external_access = false')
  await connection.run('SET lock_configuration = true')
}

/** A text as an SQL literal. Only for paths and names of our own: what users give goes in as parameters. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

export function listLiteral(texts: readonly string[]): string {
  return `[${texts.map(literal).join(', ')}]`
}
